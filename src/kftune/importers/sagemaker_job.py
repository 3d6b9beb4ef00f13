"""CreateHyperParameterTuningJob of SageMaker, and the parts that its Python classes share with it.

Source: Amazon SageMaker API reference, CreateHyperParameterTuningJob.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune import json_input
from kftune.errors import suggestion
from kftune.importers.draft import Draft
from kftune.importers.imported import Imported, Options
from kftune.importers.instances import resources_of
from kftune.importers.node import Node
from kftune.importers.sagemaker_ranges import add_range
from kftune.importers.spaces import choice, value_of

STRATEGIES = ("Bayesian", "Random", "Grid", "Hyperband")

_JOB_REASONS = {
    "WarmStartConfig": "name the trials of the earlier jobs in start_from",
    "Tags": "labels of pods are step.labels",
    "Autotune": "SageMaker chooses ranges; a study has only what it names",
}
_TRAINING_REASONS = {
    "InputDataConfig": "mount the data: step.volumes, and step.data for what is read",
    "OutputDataConfig": "trials write into the folder of their results; on a cluster into a volume",
    "RoleArn": "the rights of the pods are those of step.service_account",
    "VpcConfig": "networks are the cluster's matter",
    "CheckpointConfig": "a checkpoint goes into a volume: step.volumes",
    "EnableManagedSpotTraining": "say what happens when a node is lost: step.preemption",
    "EnableNetworkIsolation": "networks are the cluster's matter: write a NetworkPolicy",
    "EnableInterContainerTrafficEncryption": "networks are the cluster's matter",
    "HyperParameterTuningResourceConfig": "write step.resources",
}


def is_job(value: Mapping[str, Any]) -> bool:
    """Returns whether a mapping is a tuning job, its configuration, or its ranges."""
    return any(
        key in value for key in ("HyperParameterTuningJobConfig", "ParameterRanges", "HyperParameterTuningJobObjective")
    )


def read_job(node: Node, options: Options) -> Imported:
    """Returns the study of a tuning job.

    Args:
        node: The request or the description of a job, or its configuration alone.
        options: What the user decides.
    """
    config = node.get("HyperParameterTuningJobConfig") or node
    name = node.get("HyperParameterTuningJobName")
    draft = Draft("sagemaker" if name is None else name.text(), options)
    if name is not None:
        draft.exact(name, f"name: {draft.name}")
    training = _training(node, options)
    ranges = config.get("ParameterRanges") or (None if training is None else training.get("HyperParameterRanges"))
    if ranges is None:
        raise config.fail("a tuning job needs ParameterRanges, but has none")
    _ranges(draft, ranges)
    objective = config.get("HyperParameterTuningJobObjective") or (
        None if training is None else training.get("TuningObjective")
    )
    if objective is not None:
        direction = objective.need("Type").one_of(("Maximize", "Minimize")).lower()
        draft.objective(objective, objective.need("MetricName").text(), direction)
    limits = config.get("ResourceLimits")
    if limits is not None:
        _limits(draft, limits)
    strategy(draft, config.get("Strategy"), config, config.get("StrategyConfig"))
    early_stopping(draft, config.get("TrainingJobEarlyStoppingType"))
    _completion(draft, config)
    draft.carry(config.get("RandomSeed"), "algorithm", "seed")
    if training is not None:
        _training_job(draft, training)
    else:
        draft.printed("the metric definitions are in the training job, which the file does not have")
    if config is not node:
        draft.leave(config, _JOB_REASONS)
    node.ignore(key for key in node.mapping() if _is_description(str(key)))
    draft.leave(node, _JOB_REASONS)
    return draft.finish()


def _is_description(key: str) -> bool:
    """Returns whether a key is of the answer to Describe…, not of the request."""
    return key.endswith(("Status", "Counters", "Time", "Arn")) or key in (
        "BestTrainingJob",
        "OverallBestTrainingJob",
        "ConsumedResources",
        "FailureReason",
        "TuningJobCompletionDetails",
    )


def _training(node: Node, options: Options) -> Node | None:
    single, several = node.get("TrainingJobDefinition"), node.get("TrainingJobDefinitions")
    if single is not None or several is None:
        return single
    definitions = [*several.each()]
    names = [str(each.mapping().get("DefinitionName", index)) for index, each in enumerate(definitions)]
    if len(definitions) == 1:
        return definitions[0]
    if options.pick not in names:
        raise several.fail(
            f"a study trains with one definition, but there are {len(names)}; choose one with --pick"
            f"{f', but got {options.pick!r}' if options.pick else ''}; {suggestion(options.pick, names)}"
        )
    return definitions[names.index(options.pick)]


def _ranges(draft: Draft, ranges: Node) -> None:
    kinds = {"ContinuousParameterRanges": False, "IntegerParameterRanges": True}
    for key, whole in kinds.items():
        listed = ranges.get(key)
        for each in listed.each() if listed is not None else ():
            name = each.need("Name", "a range").text()
            bounds = (each.need("MinValue", f"the range {name}"), each.need("MaxValue", f"the range {name}"))
            add_range(draft, name, each, bounds, whole=whole, scaling=each.get("ScalingType"))
    listed = ranges.get("CategoricalParameterRanges")
    for each in listed.each() if listed is not None else ():
        name = each.need("Name", "a range").text()
        draft.search(name, each, choice(each.need("Values", f"the range {name}").values(), texts=True))
    draft.leave(ranges, {"AutoParameters": "SageMaker chooses their ranges; write ranges into search"})


def _limits(draft: Draft, limits: Node) -> None:
    draft.carry(limits.get("MaxNumberOfTrainingJobs"), "budget", "max_trials")
    draft.carry(limits.get("MaxParallelTrainingJobs"), "budget", "parallel")
    runtime = limits.get("MaxRuntimeInSeconds")
    draft.carry(runtime, "budget", "wall_clock")
    draft.leave(limits, {})


def strategy(draft: Draft, given: Node | None, around: Node, config: Node | None) -> None:
    """Takes the search strategy; without one, SageMaker's default, Bayesian.

    Args:
        draft: The import.
        given: The strategy.
        around: What holds it, for the note about the default.
        config: The strategy's settings.
    """
    name = "Bayesian" if given is None else given.one_of(STRATEGIES)
    place = given or around
    if name == "Bayesian":
        draft.bayesian(place)
    elif name == "Random":
        draft.carry(place, "algorithm", "name", value="random")
    elif name == "Grid":
        draft.grid(place)
    else:
        _hyperband(draft, place, config)


def _hyperband(draft: Draft, place: Node, config: Node | None) -> None:
    draft.put("algorithm", "name", value="random")
    inner = None if config is None else config.get("HyperbandStrategyConfig")
    low, high = (None, None) if inner is None else (inner.get("MinResource"), inner.get("MaxResource"))
    resources = {"min_resource": 1 if low is None else low.integer()}
    if high is None:
        draft.put("stopping", "asha", value=resources)
        draft.lost(place, "stopping.asha with random values: hyperband needs MaxResource, which the file does not have")
        return
    draft.put("stopping", "hyperband", value={**resources, "max_resource": high.integer()})
    draft.converted(place, "stopping.hyperband with random values; the resource is the step that the script reports")


def early_stopping(draft: Draft, given: Node | None) -> None:
    """Takes the early stopping type.

    Args:
        draft: The import.
        given: The type.
    """
    if given is not None and given.one_of(("Off", "Auto")) == "Auto":
        draft.put("stopping", "median", value={})
        draft.lost(
            given,
            "stopping.median: like SageMaker's rule it compares with averages of other trials, but once, at start_step",
        )
    elif given is not None:
        draft.exact(given, "no stopping")


def _completion(draft: Draft, config: Node) -> None:
    criteria = config.get("TuningJobCompletionCriteria")
    if criteria is None:
        return
    goal = criteria.get("TargetObjectiveMetricValue")
    draft.carry(goal, "objective", "goal")
    better = criteria.get("BestObjectiveNotImproving")
    if better is not None:
        count = better.get("MaxNumberOfTrainingJobsNotImproving")
        draft.carry(count, "stopping", "no_improvement")
    draft.leave(criteria, {"ConvergenceDetected": "end the study with stopping.no_improvement"})


# -- the training job --------------------------------------------------------------------------------------------------


def _training_job(draft: Draft, training: Node) -> None:
    algorithm = training.get("AlgorithmSpecification")
    if algorithm is not None:
        draft.carry(algorithm.get("TrainingImage"), "step", "image")
        definitions = algorithm.get("MetricDefinitions")
        for each in definitions.each() if definitions is not None else ():
            draft.regex(each, each.need("Name").text(), each.need("Regex").text())
        if definitions is None:
            draft.printed("the algorithm has its metrics built in")
        entry = algorithm.get("ContainerEntrypoint")
        if entry is not None:
            arguments = algorithm.get("ContainerArguments")
            draft.carry(entry, "step", "command", value=[*entry.values(), *(arguments.values() if arguments else [])])
        draft.leave(
            algorithm,
            {
                "AlgorithmName": "an algorithm of the marketplace: write step.image",
                "TrainingInputMode": "mount the data: step.volumes",
            },
        )
    static = training.get("StaticHyperParameters")
    if static is not None:
        _static(draft, static)
    machines = training.get("ResourceConfig")
    if machines is not None:
        _resources(draft, machines)
    stopping = training.get("StoppingCondition")
    if stopping is not None:
        draft.carry(stopping.get("MaxRuntimeInSeconds"), "budget", "trial_timeout")
        draft.leave(stopping, {"MaxWaitTimeInSeconds": "trials wait in the queue of the cluster: step.queue"})
    retries = training.get("RetryStrategy")
    if retries is not None:
        count = retries.need("MaximumRetryAttempts")
        draft.carry(
            count,
            "budget",
            "retries",
            value={"lost": count.integer()},
            note="for failures that are not the script's own",
        )
    environment = training.get("Environment")
    draft.carry(environment, "step", "env")
    training.ignore(["DefinitionName", "TuningObjective", "HyperParameterRanges"])
    draft.leave(training, _TRAINING_REASONS)


def _static(draft: Draft, static: Node) -> None:
    """Takes the fixed hyperparameters; some of them are SageMaker's own and say what it runs."""
    for name, each in static.items():
        text = each.value
        if name == "sagemaker_program":
            draft.start(each, ["python", str(_unquoted(text))])
        elif name.startswith(("sagemaker_", "_tuning_")):
            draft.lost(each, "a setting of SageMaker's own containers; it is left out")
        else:
            value = value_of(_unquoted(text))
            draft.fix(
                name, each, value, "" if isinstance(value, str) else f"the text is read as {type(value).__name__}"
            )


def _unquoted(text: Any) -> Any:
    """Returns the text inside the quotes that SageMaker's own classes put around a text."""
    if isinstance(text, str) and len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return json_input.loads(text)
        except ValueError:
            return text
    return text


def _resources(draft: Draft, node: Node) -> None:
    kind = node.get("InstanceType")
    resources(draft, kind, node.get("InstanceCount"))
    volume = node.get("VolumeSizeInGB")
    if volume is not None and kind is not None:
        draft.put("step", "resources", "ephemeral_storage", value=f"{volume.integer()}Gi")
        draft.converted(volume, f"step.resources.ephemeral_storage: {volume.integer()}Gi")
    draft.leave(
        node, {"VolumeKmsKeyId": "encryption is the storage class' matter", "InstanceGroups": "write step.resources"}
    )


def resources(draft: Draft, kind: Node | None, count: Node | None) -> None:
    """Takes the machines of a training job.

    Args:
        draft: The import.
        kind: The type of machine.
        count: The number of machines.
    """
    if kind is not None:
        size = resources_of(kind.text())
        if size is None:
            draft.lost(kind, f"the size of {kind.text()} is not known here: write step.resources")
        else:
            draft.carry(
                kind, "step", "resources", value=size, note="the size of that machine; a node offers a little less"
            )
    if count is not None and count.integer() > 1:
        draft.carry(count, "step", "resources", "nodes", value=count.integer())
        draft.lost(count, "several nodes need the trial kind PyTorchJob or TrainJob: targets.katib.trial_kind")
