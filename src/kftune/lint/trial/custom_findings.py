"""Findings about a trial's object of a custom kind: TrainJob, PyTorchJob, and others with a known schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.reason import field_text
from kftune.katib.crd import INITIALIZER_RUNTIMES, TRAINER_VARIABLES
from kftune.katib.crd.objects import is_known, judge_object
from kftune.katib.go.names import SUBDOMAIN
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import PlacedMap, as_map, maps
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding, Severity
from kftune.lint.trial.conditions import cluster_runtime
from kftune.lint.trial.pod_findings import patch_findings, problem_findings, setting_findings
from kftune.lint.trial.pods import TEMPLATE, TRIAL, PodTemplate
from kftune.lint.trial.root_images import forbids_root, image_findings
from kftune.lint.trial.run_object import RunObject

_TRIAL_NAME = "-bcdfghjk"  # Katib appends eight letters and digits to the Experiment's name
_MANAGER = re.compile(SUBDOMAIN.pattern + r"/[A-Za-z0-9/_.~%!$&'()*+,;=:-]+")
_TRAINER_CONTAINERS = frozenset({"node", "dataset-initializer", "model-initializer"})


def custom_findings(run: RunObject, experiment: str, primary: str) -> Iterator[Finding]:
    """Yields what the API server, and the webhooks of the kind, reject when the trial creates its object.

    Args:
        run: The trial's object.
        experiment: The Experiment's name, from which the trial's name is made.
        primary: The name of the container that Katib looks for.
    """
    if not is_known(run.value):
        return
    example = run.example()
    verdict = judge_object(example, name=experiment + _TRIAL_NAME)
    kind = run.kind[1]
    # Argo has CRDs that check everything, or, as KFP installs them, nothing.
    severity: Severity | None = "advice" if run.kind[0].startswith("argoproj.io/") else None
    for problem in verdict.problems:
        detail = f"{field_text(problem.path) or kind}: {problem.detail}"
        yield finding("KT274", (*TRIAL, *problem.path), f"the API server rejects this {kind}: {detail}", severity)
    for path in verdict.pruned:
        yield finding("KT275", (*TRIAL, *path), f"unknown field {field_text(path)} of {kind}; the API server drops it")
    if verdict.stored and kind == "TrainJob":
        yield from _train_job_findings(example)
        yield from _trainer_findings(run.value, primary)
    elif verdict.stored and kind == "PyTorchJob":
        yield from _pytorch_job_findings(example)


def _train_job_findings(job: Mapping[str, Any]) -> Iterator[Finding]:
    """Source: kubeflow/trainer 8c0f5059b, pkg/runtime/framework/plugins (jobset, torch), read."""
    spec, path = as_map(job.get("spec")), (*TRIAL, "spec")
    refused = "Trainer's webhook rejects the TrainJob"
    if not spec:
        yield finding("KT274", path, f"a TrainJob needs runtimeRef: {refused}")
    runtime = str(as_map(spec.get("runtimeRef")).get("name"))
    if "${" not in runtime and not SUBDOMAIN.fullmatch(runtime):
        message = f"{runtime[:60]!r} is not a valid name of a runtime: {refused}"
        yield finding("KT274", (*path, "runtimeRef", "name"), message)
    for variable, at in maps(as_map(spec.get("trainer")), "env", (*path, "trainer")):
        if variable.get("name") in TRAINER_VARIABLES and "torch" in runtime:
            yield finding("KT274", (*at, "name"), f"the torch runtime sets {variable['name']} itself: {refused}")
    for patch, at in maps(spec, "runtimePatches", path):
        manager = str(patch.get("manager", ""))
        if not _MANAGER.fullmatch(manager):
            message = f"manager must be a name with a domain, such as example.org/me, not {manager!r}: {refused}"
            yield finding("KT274", (*at, "manager"), message)
        pods = _patched_pods(patch, at)
        for pod in pods:
            yield from patch_findings(pod, refused)
            yield from problem_findings(pod, "JobSet creates no Job")
        if any(
            container.get("name") in _TRAINER_CONTAINERS and container.get("env")
            for pod in pods
            for container, _ in pod.maps("containers")
        ):
            message = f"set the variables of node and the initializers in spec.trainer and spec.initializer: {refused}"
            yield finding("KT274", at, message)


def _patched_pods(patch: Mapping[str, Any], path: Path) -> list[PodTemplate]:
    """Returns the parts of pods in one of a TrainJob's runtimePatches."""
    runtime_spec, place = _inside(patch, path, "trainingRuntimeSpec", "template", "spec")
    jobs = maps(runtime_spec, "replicatedJobs", place)
    return [PodTemplate(*_inside(job, path_of_job, "template", "spec", "template")) for job, path_of_job in jobs]


def _patched_root_findings(job: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields a finding if a patch forbids root to a trainer whose image runs as root."""
    spec, path = as_map(job.get("spec")), (*TRIAL, "spec")
    image = as_map(spec.get("trainer")).get("image")
    for patch, at in maps(spec, "runtimePatches", path):
        for pod in _patched_pods(patch, at):
            shared = as_map(pod.spec.get("securityContext"))
            for container, place in pod.maps("containers"):
                own = as_map(container.get("securityContext"))
                if container.get("name") == "node" and isinstance(image, str) and forbids_root(shared, own):
                    yield from image_findings(image, {**shared, **own}, place, (*path, "trainer", "image"))


def _trainer_findings(job: Mapping[str, Any], primary: str) -> Iterator[Finding]:
    """Yields what is wrong with spec.trainer, which Trainer copies into the container `node` of the runtime's pods."""
    spec = as_map(job.get("spec"))
    trainer = trainer_container(job)
    yield from setting_findings(trainer, (*TRIAL, "spec", "trainer"), "no pod is created")
    yield from _patched_root_findings(job)
    if primary != "node":
        message = f"the training's container in a TrainJob is called node, not {primary!r}: Katib's webhook rejects it"
        yield finding("KT233", (*TEMPLATE, "primaryContainerName"), message)
    runtime = cluster_runtime(job)
    if runtime in INITIALIZER_RUNTIMES:
        message = f"Katib's webhook rejects the initializers' pods of {runtime}, which have no {primary!r}"
        yield finding("KT233", (*TRIAL, "spec", "runtimeRef", "name"), message)
    if as_map(spec.get("initializer")):
        path = (*TRIAL, "spec", "initializer")
        yield finding("KT233", path, f"Katib's webhook rejects the initializers' pods, which have no {primary!r}")


def trainer_container(job: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the container `node` with the fields of a TrainJob's spec.trainer."""
    trainer = as_map(as_map(job.get("spec")).get("trainer"))
    fields = {name: trainer[name] for name in ("image", "command", "args", "env") if trainer.get(name) is not None}
    return {"name": "node", **fields, "resources": trainer.get("resourcesPerNode")}


def _inside(parent: Mapping[str, Any], path: Path, *fields: str) -> PlacedMap:
    """Returns the map below some fields, empty if it is missing, and its path."""
    for field in fields:
        parent = as_map(parent.get(field))
    return parent, (*path, *fields)


def _pytorch_job_findings(job: Mapping[str, Any]) -> Iterator[Finding]:
    """Source: kubeflow/training-operator v1.8.1, pkg/webhooks/pytorch/pytorchjob_webhook.go, read."""
    refused = "the training operator's webhook rejects the PyTorchJob"
    policy, at = _inside(job, TRIAL, "spec", "runPolicy")
    deadline = policy.get("activeDeadlineSeconds")
    if deadline is not None and deadline <= 0:
        yield finding("KT276", (*at, "activeDeadlineSeconds"), f"{deadline} stops each trial immediately", "fails")
    replicas, path = _inside(job, TRIAL, "spec", "pytorchReplicaSpecs")
    for name, replica in replicas.items():
        if name not in ("Master", "Worker"):
            yield finding("KT274", (*path, name), f"a replica must be Master or Worker, not {name!r}: {refused}")
        count = as_map(replica).get("replicas")
        if name == "Master" and count is not None and count != 1:
            yield finding("KT274", (*path, name, "replicas"), f"there must be one Master, not {count}: {refused}")
        restart = as_map(replica).get("restartPolicy") or "Never"
        if restart not in ("Always", "OnFailure", "Never", "ExitCode"):
            message = f"restartPolicy must be Always, OnFailure, Never or ExitCode, not {restart!r}: no pod is created"
            yield finding("KT277", (*path, name, "restartPolicy"), message)
        pod = PodTemplate(*_inside(as_map(replica), (*path, name), "template"))
        if not any(container.get("name") == "pytorch" for container, _ in pod.maps("containers")):
            yield finding("KT274", (*path, name), f"{name} has no container pytorch: {refused}")
