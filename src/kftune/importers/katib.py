"""Katib: any Experiment becomes a study.

Source: katib v0.19.0, pkg/apis/controller/experiments/v1beta1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from kftune.domains import Domain
from kftune.errors import ForeignFileError, KftuneError, suggestion
from kftune.importers.command import mark, read_command
from kftune.importers.document import text_of
from kftune.importers.draft import Draft, Imported, Options, metric_name
from kftune.importers.node import Node, Path, Source, number_of
from kftune.importers.spaces import Space, choice
from kftune.katib.engines import ALGORITHMS, engine_of
from kftune.katib.engines.settings import SEED
from kftune.lint.sources import Document, SourceText, documents
from kftune.local.experiment.parameters import parameters_of
from kftune.spec.kind import kind_of

_PARAMETER = re.compile(r"\$\{trialParameters\.([^}]+)\}")
_REASONS = {
    "nasConfig": "a study searches no network architectures",
    "trialTemplate": "",
}
_POD_REASONS = {
    "volumes": "write step.volumes",
    "nodeSelector": "write step.node_selector",
    "tolerations": "write step.tolerations",
    "affinity": "write step.affinity",
    "serviceAccountName": "write step.service_account",
    "imagePullSecrets": "write step.image_pull_secrets",
    "priorityClassName": "write step.priority_class",
    "securityContext": "write step.security",
    "initContainers": "write step.pod",
}
_SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash")


def read(path: FilePath, options: Options) -> Imported:
    """Returns the study of an Experiment.

    Args:
        path: YAML or JSON with an Experiment; `pick` of the options chooses one of several.
        options: What the user decides.

    Raises:
        ForeignFileError: There is no Experiment, or it is invalid.
        OSError: The file cannot be read.
    """
    text = text_of(path)
    document = _one(path, text, options)
    source = Source(str(path), "" if document.prefix else document.piece.text, document.piece.line)
    node = Node(source, document.value)
    metadata = node.get("metadata")
    name = None if metadata is None else metadata.first("name", "generateName")
    draft = Draft("experiment" if name is None else str(name.value).rstrip("-"), options)
    if name is not None:
        draft.exact(name, f"name: {draft.name}")
    if metadata is not None:
        draft.carry(metadata.get("namespace"), "targets", "katib", "namespace")
        metadata.ignore(
            [
                "name",
                "generateName",
                "creationTimestamp",
                "uid",
                "resourceVersion",
                "generation",
                "managedFields",
                "finalizers",
            ]
        )
        draft.leave(metadata, {"labels": "write targets.katib.labels", "annotations": "left out"})
    spec = node.need("spec", "an Experiment")
    _parameters(draft, spec)
    _objective(draft, spec)
    _algorithm(draft, spec.get("algorithm"))
    draft.carry(spec.get("maxTrialCount"), "budget", "max_trials")
    draft.carry(spec.get("parallelTrialCount"), "budget", "parallel")
    draft.carry(spec.get("maxFailedTrialCount"), "budget", "max_failed")
    draft.carry(spec.get("resumePolicy"), "targets", "katib", "resume_policy")
    _early_stopping(draft, spec.get("earlyStopping"))
    _collector(draft, spec.get("metricsCollectorSpec"))
    template = spec.get("trialTemplate")
    if template is not None:
        _template(draft, template)
    draft.leave(spec, _REASONS)
    return draft.finish()


def _one(path: FilePath, text: str, options: Options) -> Document:
    found = [each for each in documents(SourceText(str(path), text, named=True)) if each.error is None]
    experiments = [each for each in found if kind_of(each.value).name == "Experiment"]
    names = [str((each.value.get("metadata") or {}).get("name", "")) for each in experiments]
    if not experiments:
        raise ForeignFileError("this has no Experiment of kubeflow.org/v1beta1", str(path))
    if options.pick and options.pick not in names:
        raise ForeignFileError(f"there is no Experiment {options.pick!r}; {suggestion(options.pick, names)}", str(path))
    if len(experiments) > 1 and not options.pick:
        raise ForeignFileError(f"there are several Experiments; choose one with --pick: {', '.join(names)}", str(path))
    return experiments[names.index(options.pick)] if options.pick else experiments[0]


# -- the search --------------------------------------------------------------------------------------------------------


def _parameters(draft: Draft, spec: Node) -> None:
    template = spec.value.get("trialTemplate") or {}
    given = spec.get("parameters")
    if given is None:
        raise spec.fail("an Experiment needs parameters to become a study; nasConfig is for Katib only")
    for each in given.each():
        raw = {"parameters": [_texts(each.mapping())], "trialTemplate": template}
        try:
            [parameter], notes = parameters_of(raw)
        except (KftuneError, KeyError, AttributeError, TypeError) as error:
            raise each.fail(f"it cannot be read: {error}") from error
        draft.search(parameter.name, each, _space(parameter.domain, str(each.value.get("parameterType", ""))))
        for note in notes:
            draft.converted(each, note)


def _texts(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a parameter with texts in place of numbers, as Katib has them."""
    space = {key: _text(inner) for key, inner in (parameter.get("feasibleSpace") or {}).items()}
    return {**parameter, "feasibleSpace": space}


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(each) for each in value]
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _space(domain: Domain, kind: str) -> Space:
    spec = domain.to_spec()
    if kind in ("categorical", "discrete"):
        made = choice([*next(iter(spec.values()))], texts=True)
        name = "discrete" if kind == "discrete" and made.annotation in ("int", "float") else "choice"
        return made._replace(spec={name: made.spec["choice"]}, converted="")
    points = (domain.quantile(0), domain.quantile(1))
    whole = kind == "int" or (domain.size < float("inf") and all(isinstance(each, int) for each in points))
    return Space(spec, "int" if whole else "float")


def _objective(draft: Draft, spec: Node) -> None:
    objective = spec.get("objective")
    if objective is None:
        return
    metric = objective.need("objectiveMetricName", "an objective")
    direction = objective.need("type", "an objective").one_of(("minimize", "maximize"))
    draft.objective(metric, metric.text(), direction)
    draft.carry(objective.get("goal"), "objective", "goal")
    more = objective.get("additionalMetricNames")
    strategies = objective.get("metricStrategies")
    how = {}
    for each in strategies.each() if strategies is not None else ():
        how[each.need("name").text()] = each.need("value").one_of(("min", "max", "latest"))
    default = "min" if direction == "minimize" else "max"
    own = how.get(metric.text(), default)
    if own != default:
        draft.put("objective", "reduce", value=own)
    if more is not None and more.value:
        # Katib reduces each metric as the objective, if nothing is said about it.
        names = {str(name): metric_name(str(name)) for name in more.values()}
        metrics = [{"name": new, "reduce": how.get(name, default)} for name, new in names.items()]
        draft.carry(more, "metrics", value=metrics)
        for name, new in names.items():
            if name != new:
                draft.lost(more, f"a metric line cannot carry the name {name!r}: report it as {new}")


def _algorithm(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    name = node.need("algorithmName", "an algorithm")
    if name.text() not in ALGORITHMS:
        draft.lost(name, f"a study has no algorithm {name.text()!r}; the study uses its default, multivariate-tpe")
        return
    if name.text() == "grid":
        draft.grid(name)
    else:
        draft.carry(name, "algorithm", "name")
    known = engine_of(name.text()).settings
    settings = node.get("algorithmSettings")
    for each in settings.each() if settings is not None else ():
        key, value = each.need("name").text(), number_of(each.need("value").value)
        value = each.value["value"] if value is None else value
        if key == SEED:
            draft.carry(each, "algorithm", "seed", value=value)
        elif key in known:
            draft.carry(each, "algorithm", "settings", key, value=value)
        else:
            draft.lost(each, f"{name.text()} has no setting {key!r}")


def _early_stopping(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    name = node.need("algorithmName", "early stopping")
    keys = {"min_trials_required": "min_trials", "start_step": "start_step"}
    settings = node.get("algorithmSettings")
    if name.text() != "medianstop":
        draft.lost(name, f"{name.text()}: docs/guides/stopping.md has the rules")
        return
    rule = {}
    for each in settings.each() if settings is not None else ():
        key = each.need("name").text()
        if key in keys:
            rule[keys[key]] = each.need("value").integer()
    draft.carry(node, "stopping", "median", value=rule)


def _collector(draft: Draft, node: Node | None) -> None:
    if node is None:
        return
    collector = node.get("collector")
    kind = "StdOut" if collector is None else str(collector.value.get("kind", "StdOut"))
    if kind not in ("StdOut", "File"):
        draft.lost(node, f"the collector {kind}: a study reads what trials print: kftune.report, or objective.regex")
        return
    source = node.get("source")
    patterns = None if source is None else source.value.get("filter")
    if patterns:
        draft.lost(
            node, "its filter has a group for the name: a study has one pattern for each metric: objective.regex"
        )
    elif kind == "File":
        draft.lost(node, "the script writes metrics into a file: a study reads what trials print")
    else:
        draft.exact(node, "lines such as loss=0.5 are read")


# -- the trial ---------------------------------------------------------------------------------------------------------


def _template(draft: Draft, template: Node) -> None:
    references = {}
    given = template.get("trialParameters")
    for each in given.each() if given is not None else ():
        references[str(each.value.get("name"))] = str(each.value.get("reference"))
    trial = template.get("trialSpec")
    if trial is None:
        draft.lost(template, "the trial is in a ConfigMap: write step.command and step.image")
        return
    kind = str(trial.value.get("kind", "Job"))
    pod, container = _container(trial, str(template.value.get("primaryContainerName", "")))
    if kind == "TrainJob":
        pod, container = None, _train_job(draft, trial)
    if container is None:
        draft.lost(trial, f"the {kind} has no container that can be read: write step.command and step.image")
        return
    _object(draft, trial, kind, pod)
    draft.carry(container.get("image"), "step", "image")
    _command(draft, container, references)
    resources = container.get("resources") or container.get("resourcesPerNode")
    if resources is not None:
        _resources(draft, resources)
    _env(draft, container)
    if "securityContext" not in container and (pod is None or "securityContext" not in pod):
        draft.to_fill(
            "step.security", "trials of a study do not run as root; {run_as_non_root: false} allows it, as here"
        )
    draft.carry(container.get("workingDir"), "step", "working_dir")
    draft.carry(container.get("imagePullPolicy"), "step", "image_pull_policy")
    container.ignore(["name", "resourcesPerNode"])
    draft.leave(container, {"volumeMounts": "write step.volumes", "ports": "a study opens no ports"})
    template.ignore(
        [
            "trialSpec",
            "trialParameters",
            "primaryContainerName",
            "primaryPodLabels",
            "successCondition",
            "failureCondition",
        ]
    )
    retain = template.get("retain")
    if retain is not None and retain.value is True:
        draft.carry(retain, "targets", "katib", "retain", value=True)
    draft.leave(template, {})


def _container(trial: Node, primary: str) -> tuple[Node | None, Node | None]:
    """Returns the pod and the container that trains: the primary one, or the first of the object."""
    found: list[tuple[Node, Node]] = []

    def visit(value: Any, path: Path) -> None:
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            if key == "containers" and isinstance(inner, list):
                pod = Node(trial.source, value, path, trial.known_line)
                found.extend((pod, each) for each in pod.need("containers").each() if isinstance(each.value, Mapping))
            elif isinstance(inner, Mapping | list):
                visit(inner, (*path, key))

    visit(trial.value, trial.path)
    named = [each for each in found if each[1].value.get("name") == primary]
    return next(iter(named or found), (None, None))


def _train_job(draft: Draft, trial: Node) -> Node | None:
    """Returns the trainer of a TrainJob, which has what a container has."""
    spec = trial.get("spec")
    trainer = None if spec is None else spec.get("trainer")
    if spec is None or trainer is None:
        return None
    for key, target in (("numNodes", "nodes"), ("numProcPerNode", "procs_per_node")):
        count = trainer.get(key)
        if count is not None and str(count.value).isdigit():
            draft.carry(count, "step", "resources", target, value=count.integer())
    runtime = spec.get("runtimeRef")
    if runtime is not None:
        draft.carry(runtime.get("name"), "targets", "katib", "runtime")
        draft.carry(runtime.get("kind"), "targets", "katib", "runtime_kind")
    draft.leave(spec, {"suspend": "Katib starts the trials"})
    return trainer


def _object(draft: Draft, trial: Node, kind: str, pod: Node | None) -> None:
    """Takes what the object around the container says."""
    spec = trial.get("spec")
    if spec is None:
        return
    if kind == "PyTorchJob":
        replicas = spec.value.get("pytorchReplicaSpecs") or {}
        nodes = sum(number_of(each.get("replicas", 1)) or 0 for each in replicas.values() if isinstance(each, Mapping))
        draft.put("step", "resources", "nodes", value=int(nodes))
    if kind in ("PyTorchJob", "TrainJob"):
        draft.carry(trial, "targets", "katib", "trial_kind", value=kind)
    elif kind != "Job":
        draft.lost(trial, f"trials of kind {kind}: a study has Job, PyTorchJob and TrainJob")
    if kind == "Job":
        draft.carry(spec.get("activeDeadlineSeconds"), "budget", "trial_timeout")
        if spec.value.get("backoffLimit") == 0:
            spec.get("backoffLimit")
        spec.ignore(["template"])
        draft.leave(spec, {"backoffLimit": "write budget.retries"})
    if pod is not None:
        pod.ignore(["restartPolicy"])
        draft.leave(pod, _POD_REASONS)
        others = len(pod.value["containers"]) - 1
        if others:
            draft.lost(pod, f"{others} more containers: write step.pod")


def _command(draft: Draft, container: Node, references: Mapping[str, str]) -> None:
    command, arguments = container.get("command"), container.get("args")
    place = command or arguments
    if place is None:
        draft.to_fill("step.command", "the image has its own command: write it")
        return
    tokens = [str(each) for part in (command, arguments) if part is not None for each in part.values()]
    if command is None:
        draft.to_fill("step.command", "the image has its own command: write it before these arguments")

    def marked(text: str) -> str:
        return _PARAMETER.sub(lambda found: mark(references.get(found[1], found[1])), text)

    tokens = [marked(each) for each in tokens]
    if len(tokens) > 2 and tokens[0] in _SHELLS and tokens[1] in ("-c", "-ec", "-lc"):
        line = read_command(tokens[2], draft.fields.__contains__)
    else:
        line = read_command(tokens, draft.fields.__contains__)
    draft.command(line, place)


def _resources(draft: Draft, node: Node) -> None:
    limits, requests = node.get("limits"), node.get("requests")
    found: dict[str, Any] = {}
    for given, suffix in ((requests, ""), (limits, "_limit")):
        for key, each in given.items() if given is not None else ():
            if key in ("cpu", "memory"):
                found[f"{key}{suffix}"] = each.value
            elif key.endswith("/gpu"):
                found |= {"gpu": each.integer(), **({} if key == "nvidia.com/gpu" else {"gpu_resource": key})}
            else:
                draft.lost(each, "write step.resources.extra")
    for key in ("cpu", "memory"):
        if f"{key}_limit" in found:
            limit = found.pop(f"{key}_limit")
            # Without a request, Kubernetes asks for the limit.
            found |= {key: limit} if found.get(key, limit) == limit else {f"{key}_limit": limit}
    for key, value in found.items():
        draft.carry(node, "step", "resources", key, value=value)


def _env(draft: Draft, container: Node) -> None:
    env = container.get("env")
    for each in env.each() if env is not None else ():
        name, value = each.need("name").text(), each.get("value")
        if value is None:
            draft.lost(each, f"the variable {name}: write step.secrets or step.config_maps")
        elif _PARAMETER.search(str(value.value)):
            draft.lost(each, f"the variable {name} has a value of the trial: see step.arguments.as")
        else:
            draft.carry(each, "step", "env", name, value=str(value.value))
