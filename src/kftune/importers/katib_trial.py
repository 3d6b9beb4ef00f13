"""The trial of a Katib Experiment: its object, its pod and its container.

Source: katib v0.19.0, pkg/apis/controller/experiments/v1beta1; objects of Kubernetes, training-operator and Trainer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kftune.importers.command import mark, read_command
from kftune.importers.draft import Draft
from kftune.importers.node import Node, Path

_PARAMETER = re.compile(r"\$\{trialParameters\.([^{}]+)\}")
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


def take_template(draft: Draft, template: Node) -> None:
    """Takes what runs in each trial.

    Args:
        draft: The import; its hyperparameters are known.
        template: The trialTemplate.
    """
    references = {}
    given = template.get("trialParameters")
    for each in given.each() if given is not None else ():
        references[str(each.mapping().get("name"))] = str(each.mapping().get("reference"))
    trial = template.get("trialSpec")
    if trial is None:
        draft.lost(template, "the trial is in a ConfigMap: write step.command and step.image")
        return
    kind = str(trial.mapping().get("kind", "Job"))
    pod, container = _container(trial, str(template.mapping().get("primaryContainerName", "")))
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
    named = [each for each in found if each[1].mapping().get("name") == primary]
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
        replicas = spec.get("pytorchReplicaSpecs")
        counts = [] if replicas is None else [each.get("replicas") for _, each in replicas.items()]
        nodes = sum(1 if count is None else count.integer() for count in counts)
        draft.put("step", "resources", "nodes", value=max(nodes, 1))
    if kind in ("PyTorchJob", "TrainJob"):
        draft.carry(trial, "targets", "katib", "trial_kind", value=kind)
    elif kind != "Job":
        draft.lost(trial, f"trials of kind {kind}: a study has Job, PyTorchJob and TrainJob")
    if kind == "Job":
        draft.carry(spec.get("activeDeadlineSeconds"), "budget", "trial_timeout")
        if spec.mapping().get("backoffLimit") == 0:
            spec.get("backoffLimit")
        spec.ignore(["template"])
        draft.leave(spec, {"backoffLimit": "write budget.retries"})
    if pod is not None:
        pod.ignore(["restartPolicy"])
        draft.leave(pod, _POD_REASONS)
        others = len(pod.mapping()["containers"]) - 1
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
        draft.to_fill(
            "step.command", "the image has its own command: write it in place of python train.py; its arguments follow"
        )

    def marked(text: str) -> str:
        return _PARAMETER.sub(lambda found: mark(references.get(found[1], found[1])), text)

    tokens = [marked(each) for each in tokens]
    if len(tokens) > 2 and tokens[0] in _SHELLS and tokens[1] in ("-c", "-ec", "-lc"):
        line = read_command(tokens[2], draft.fields.__contains__)
    else:
        line = read_command(tokens, draft.fields.__contains__)
    draft.command(line, place, "args" if command is None else "command")


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
