"""What is wrong with a trial's object of a custom kind: TrainJob, PyTorchJob, and others whose schema is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.reason import field_text
from kftune.katib.crd.objects import is_known, judge_object
from kftune.katib.go.types import Path
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding, Severity
from kftune.lint.trial.pod_findings import patch_findings, setting_findings
from kftune.lint.trial.pods import TRIAL, Pod, as_list, as_map
from kftune.lint.trial.run_object import RunObject

_TRIAL_NAME = "-bcdfghjk"  # Katib appends eight letters and digits to the Experiment's name
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MANAGER = re.compile(_SUBDOMAIN.pattern + r"/[A-Za-z0-9/_.~%!$&'()*+,;=:-]+")
_OWN_VARIABLES = frozenset({"PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT"})
_TRAINERS_OWN = frozenset({"node", "dataset-initializer", "model-initializer"})


def custom_findings(run: RunObject, experiment: str, primary: str) -> Iterator[Finding]:
    """What the API server, and the webhooks of the kind, say when the trial creates its object.

    Args:
        run: The trial's object.
        experiment: The Experiment's name, of which the trial's is made.
        primary: The name of the container that Katib looks for.
    """
    if not is_known(run.value):
        return
    example = run.example()
    verdict = judge_object(example, name=experiment + _TRIAL_NAME)
    kind = run.kind[1]
    # Argo comes with CRDs that look at everything, or, as with KFP, at nothing.
    severity: Severity | None = "advice" if run.kind[0].startswith("argoproj.io/") else None
    for problem in verdict.problems:
        detail = f"{field_text(problem.path) or kind}: {problem.detail}"
        yield finding("KT274", (*TRIAL, *problem.path), f"the API server refuses this {kind}: {detail}", severity)
    for path in verdict.pruned:
        yield finding("KT275", (*TRIAL, *path), f"{field_text(path)} is no field of {kind} and is dropped")
    if verdict.stored and kind == "TrainJob":
        yield from _train_job_findings(example)
        yield from _trainer_findings(run.value, primary)
    elif verdict.stored and kind == "PyTorchJob":
        yield from _pytorch_job_findings(example)


def _train_job_findings(job: Mapping[str, Any]) -> Iterator[Finding]:
    """Source: kubeflow/trainer 8c0f5059b, pkg/runtime/framework/plugins (jobset, torch), read."""
    spec = as_map(job.get("spec"))
    refused = "Trainer's webhook refuses the TrainJob"
    if not spec:
        yield finding("KT274", (*TRIAL, "spec"), f"a TrainJob without runtimeRef names no runtime: {refused}")
    runtime = str(as_map(spec.get("runtimeRef")).get("name"))
    if "${" not in runtime and not _SUBDOMAIN.fullmatch(runtime):
        path = (*TRIAL, "spec", "runtimeRef", "name")
        yield finding("KT274", path, f"no runtime can be called {runtime[:60]!r}: {refused}")
    for index, variable in enumerate(as_list(as_map(spec.get("trainer")).get("env"))):
        if variable.get("name") in _OWN_VARIABLES and "torch" in runtime:
            path = (*TRIAL, "spec", "trainer", "env", index, "name")
            yield finding("KT274", path, f"{variable['name']} is set by the torch runtime: {refused}")
    for index, patch in enumerate(as_list(spec.get("runtimePatches"))):
        path = (*TRIAL, "spec", "runtimePatches", index)
        manager = str(patch.get("manager", ""))
        if not _MANAGER.fullmatch(manager):
            message = f"manager {manager!r} is no name with a domain, such as example.org/me: {refused}"
            yield finding("KT274", (*path, "manager"), message)
        for at, pod in _patched_pods(patch, path):
            yield from patch_findings(Pod(pod, at), refused)
        if _patches_own_variables(patch):
            message = (
                f"the variables of node and the initializers are set in spec.trainer and spec.initializer: {refused}"
            )
            yield finding("KT274", path, message)


def _trainer_findings(job: Mapping[str, Any], primary: str) -> Iterator[Finding]:
    """Trainer puts spec.trainer into the container `node` of the runtime's pods."""
    spec = as_map(job.get("spec"))
    trainer = trainer_container(job)
    yield from setting_findings(trainer, (*TRIAL, "spec", "trainer"), "no pod is created")
    if primary != "node":
        message = f"the training's container in a TrainJob is called node, not {primary!r}: Katib's webhook refuses it"
        yield finding("KT233", ("spec", "trialTemplate", "primaryContainerName"), message)
    if as_map(spec.get("initializer")):
        message = f"the initializers' pods have no container {primary!r}: Katib's webhook refuses them"
        yield finding("KT233", (*TRIAL, "spec", "initializer"), message)


def trainer_container(job: Mapping[str, Any]) -> dict[str, Any]:
    """What a TrainJob's spec.trainer makes of the container `node`."""
    trainer = as_map(as_map(job.get("spec")).get("trainer"))
    fields = {name: trainer[name] for name in ("image", "command", "args", "env") if trainer.get(name) is not None}
    return {"name": "node", **fields, "resources": trainer.get("resourcesPerNode")}


def _patched_pods(patch: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The pod templates in a patch, with their paths."""
    inside = ("trainingRuntimeSpec", "template", "spec", "replicatedJobs")
    spec = as_map(as_map(as_map(patch.get("trainingRuntimeSpec")).get("template")).get("spec"))
    for index, job in enumerate(as_list(spec.get("replicatedJobs"))):
        pod = as_map(as_map(as_map(job.get("template")).get("spec")).get("template"))
        yield (*path, *inside, index, "template", "spec", "template"), pod


def _patches_own_variables(patch: Mapping[str, Any]) -> bool:
    return any(
        container.get("name") in _TRAINERS_OWN and container.get("env")
        for _, pod in _patched_pods(patch, ())
        for container in as_list(as_map(pod.get("spec")).get("containers"))
    )


def _pytorch_job_findings(job: Mapping[str, Any]) -> Iterator[Finding]:
    """Source: kubeflow/training-operator v1.8.1, pkg/webhooks/pytorch/pytorchjob_webhook.go, read."""
    refused = "the training operator's webhook refuses the PyTorchJob"
    path = (*TRIAL, "spec", "pytorchReplicaSpecs")
    deadline = as_map(as_map(job.get("spec")).get("runPolicy")).get("activeDeadlineSeconds")
    if deadline is not None and deadline <= 0:
        at = (*TRIAL, "spec", "runPolicy", "activeDeadlineSeconds")
        yield finding("KT276", at, f"activeDeadlineSeconds is {deadline}: each trial is stopped at once", "fails")
    for name, replica in as_map(as_map(job.get("spec")).get("pytorchReplicaSpecs")).items():
        if name not in ("Master", "Worker"):
            yield finding("KT274", (*path, name), f"{name!r} is neither Master nor Worker: {refused}")
        count = as_map(replica).get("replicas")
        if name == "Master" and count is not None and count != 1:
            yield finding("KT274", (*path, name, "replicas"), f"there is one Master, not {count}: {refused}")
        policy = as_map(replica).get("restartPolicy") or "Never"
        if policy not in ("Always", "OnFailure", "Never", "ExitCode"):
            message = f"restartPolicy is Always, OnFailure, Never or ExitCode, not {policy!r}: no pod is created"
            yield finding("KT277", (*path, name, "restartPolicy"), message)
        pod = as_map(as_map(as_map(replica).get("template")).get("spec"))
        if not any(as_map(container).get("name") == "pytorch" for container in as_list(pod.get("containers"))):
            yield finding("KT274", (*path, name), f"no container of {name} is called pytorch: {refused}")
