"""Notes for the user who applies an Experiment: what is encoded, and what Katib does not support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kftune.hparams.fields import checks_combinations
from kftune.katib.crd import OTHER_RUNTIMES, TORCH_RUNTIMES
from kftune.katib.engines import engine_of
from kftune.katib.engines.engine import StudySearch
from kftune.metrics.curves import MOST
from kftune.metrics.definition import definition_notes
from kftune.render.algorithm import Counts
from kftune.render.parameters import KatibParameter
from kftune.render.pod_notes import pod_notes
from kftune.render.trial_retries import retry_notes
from kftune.study import Study


def notes(
    study: Study, search: StudySearch, found: Sequence[KatibParameter], metrics: Mapping[str, str], counts: Counts
) -> list[str]:
    """Returns notes about an Experiment.

    Args:
        study: The study that it runs.
        search: The study's search.
        found: Its searched hyperparameters.
        metrics: Name of a metric in the study -> in Katib.
        counts: The numbers of trials in the Experiment.
    """
    return [
        *(_about_objectives(study) if len(study.objectives) > 1 else ()),
        *_about_hyperparameters(study, found),
        *_about_metrics(study, metrics),
        *_about_algorithm(study, search, counts),
        *_about_budget(study, counts),
        *_about_trials(study),
    ]


def _about_objectives(study: Study) -> Iterator[str]:
    first, others = study.objective, study.objectives[1:]
    names = " and ".join(other.metric for other in others)
    what, them = ("is an additional metric", "it") if len(others) == 1 else ("are additional metrics", "them")
    stored = "it is stored" if len(others) == 1 else "they are stored"
    yield (
        f"Katib has one objective and gets {first.metric}, the first; {names} {what} there: {stored}, not searched "
        f"for, and a trial that does not report {them} counts"
    )
    goals = " and ".join(other.metric for other in others if other.goal is not None)
    if goals:
        alone = "" if first.goal is None else f", and Katib ends at the goal of {first.metric} alone"
        yield f"the goal of {goals} applies to local runs only{alone}"


def _about_hyperparameters(study: Study, found: Sequence[KatibParameter]) -> Iterator[str]:
    algorithm, has_encoded = study.algorithm.name, False
    for parameter in found:
        has_encoded = has_encoded or parameter.form == "encoded" or bool(parameter.tokens)
        if parameter.form == "encoded":
            yield f"{parameter.name} is encoded as a number that the trial decodes; {algorithm}: {parameter.reason}"
        elif parameter.form == "list":
            yield f"{parameter.name} is rendered as a list of its values; {algorithm}: {parameter.reason}"
        if parameter.tokens:
            yield f"{parameter.name}: values such as {parameter.tokens[0]!r} are encoded as safe tokens"
    if has_encoded:
        yield "the step must read its arguments with Hparams.from_args, which decodes such numbers and tokens"


def _about_metrics(study: Study, metrics: Mapping[str, str]) -> Iterator[str]:
    for name, in_katib in metrics.items():
        if name != in_katib:
            yield f"Katib calls the metric {name!r} {in_katib!r}, as the log does"
    takes_nan = any(each.takes("nan") for each in study.metric_definitions if each.name == study.objective.metric)
    if study.objective.reduction == "latest" and not takes_nan:
        yield (
            "Katib passes over nan and infinity, so that the value before them counts as the latest; let a training "
            "that reaches one end with an exit code other than 0"
        )
    for definition in study.metric_definitions:
        yield from definition_notes(definition)


def _about_algorithm(study: Study, search: StudySearch, counts: Counts) -> Iterator[str]:
    name, seed, engine = study.algorithm.name, study.algorithm.seed, engine_of(study.algorithm.name)
    if checks_combinations(study.hparams):
        yield (
            f"Katib also tries combinations that a validator of {study.hparams.__name__} refuses; such trials fail "
            f"(kftune lint says how many)"
        )
    if seed is not None and not engine.seeded:
        yield f"Katib's {name} takes no seed; the seed {seed} has no effect"
    elif seed is not None and counts.parallel > 1 and not engine.exhaustive:
        yield "Katib repeats the points of a seed only with parallel: 1, because the seed counts requests"
    yield from engine.study_notes(search)


def _about_budget(study: Study, counts: Counts) -> Iterator[str]:
    budget = study.budget
    if counts.max_trials < budget.max_trials:
        yield f"the grid has {counts.max_trials} points, fewer than max_trials={budget.max_trials}"
    if counts.parallel < budget.parallel:
        yield f"{counts.parallel} trial(s) at once, not budget.parallel={budget.parallel}: there are no more trials"
    if counts.max_failed < (budget.max_failed or 0):
        yield f"budget.max_failed={budget.max_failed} counts as {counts.max_failed}: there are no more trials"
    if budget.wall_clock is not None:
        yield f"Katib cannot limit a study's time; wall_clock ({budget.wall_clock:g}s) applies to local runs only"
    if budget.max_cost is not None:
        yield (
            f"Katib cannot limit what a study costs; max_cost ({budget.max_cost.limit:g}) applies to local runs only, "
            f"and kftune cost says what the Experiment can cost at most"
        )
    if budget.metrics_per_trial != MOST:
        yield "Katib keeps every report of a trial; metrics_per_trial applies to local runs only"
    if study.apply is not None:
        yield "apply is for runs on this machine; after a study on Katib, give its results to kftune apply"
    if study.points:
        yield "Katib takes no points to try first; the study's points apply to local runs only"
    if study.objective.goal is not None and counts.parallel > 1:
        yield "Katib does not stop running trials when the goal is reached"


def _about_trials(study: Study) -> Iterator[str]:
    target, resources = study.targets.katib, study.step.resources
    security = study.step.security
    if security.run_as_non_root and security.run_as_user is None:
        yield "the container must not run as root: its image needs a numeric USER"
    yield from pod_notes(study.step, "the trial")
    if study.step.pod.get("resources"):
        yield "pod.resources must have room for the container that Katib adds: otherwise Kubernetes rejects the pod"
    if study.step.queue is not None:
        yield "Kueue admits whole trials: one that waits in the queue counts as running in Katib (parallel)"
    yield from retry_notes(study)
    if target.trial_kind == "TrainJob":
        yield from _about_trainjob(study)
    if target.trial_kind == "PyTorchJob":
        yield "the PyTorchJob needs training-operator v1 on the cluster"
        if resources.nodes > 1:
            yield (
                "the operator adds an init container to each worker, which namespaces of the Pod Security Standard "
                "restricted reject; use baseline"
            )
        if target.retain and resources.nodes > 1:
            yield "with retain, pods that still run when another pod fails keep their resources until they end"
    if resources.nodes > 1 or resources.procs_per_node > 1:
        yield "several processes train one model: report metrics from the first one (rank 0) only"


def _about_trainjob(study: Study) -> Iterator[str]:
    target, timeout = study.targets.katib, study.budget.trial_timeout
    runtime = target.runtime
    yield "the TrainJob needs Trainer 2.2 or newer (older versions drop runtimePatches and the timeout silently)"
    yield (
        "Katib notices TrainJobs only if its katib-config lists TrainJob.v1alpha1.trainer.kubeflow.org in "
        "trialResources (kftune lint --katib-config checks it), and Trainer was there when Katib's controller started"
    )
    if target.runtime_kind == "TrainingRuntime" or runtime not in TORCH_RUNTIMES | OTHER_RUNTIMES:
        yield (
            f"the {target.runtime_kind} {runtime} must run the training in its replicated job node, and have no other: "
            f"runtimes with a launcher or with initializers do not work"
        )
    restarts = f"the runtime {runtime} decides how often a failed pod is restarted; torch-distributed does it 6 times"
    yield restarts if timeout else f"{restarts}, so set budget.trial_timeout"
    if timeout:
        yield "a TrainJob has no deadline for its pods: trial_timeout also counts the time that they wait for a node"
    if study.step.service_account is None:
        yield "a TrainJob cannot switch off the token of its service account, which its pods can read"
    if timeout and target.retain:
        yield "after trial_timeout Trainer deletes the pods, although retain is set"
