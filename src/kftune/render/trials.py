"""Renders the object that runs one trial, or a step on several nodes: a Job, a PyTorchJob or a TrainJob.

Source: training-operator v1.8.1 and trainer v2.3 (CRDs); katib v0.19.0, pkg/apis/controller/experiments/v1beta1
(Katib's default conditions and labels, written out so that they are the same in every version).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kftune.errors import RenderError
from kftune.katib.crd import INITIALIZER_RUNTIMES, LAUNCHER_RUNTIMES, OTHER_RUNTIMES, TRAINER_VARIABLES
from kftune.katib.crd.schema import fields_of
from kftune.katib.trial.conditions import PRIMARY_LABELS
from kftune.render import pods, trial_pods
from kftune.render.rendering import present
from kftune.study import Step, Study

# The manager of the patches of a TrainJob's runtime; Trainer requires a domain and a path.
_PATCH_MANAGER = "kftune.io/render"


class Work(NamedTuple):
    """What an object runs."""

    step: Step
    """The container of each pod."""
    kind: str
    """The kind of the object."""
    group: str
    """The name of the study or pipeline."""
    runtime: str
    """The training runtime of a TrainJob."""
    runtime_kind: str
    """The kind of that runtime."""
    timeout: float | None = None
    """The longest duration in seconds."""
    retain: bool = False
    """Whether pods are kept when the object has ended."""
    is_trial: bool = True
    """Whether Katib creates the object."""
    key: str = "targets.katib.trial_kind"
    """The key of the kind in the file, for errors."""
    runtime_key: str = "targets.katib.runtime"
    """The key of the runtime in the file, for errors."""


class TrialKind(NamedTuple):
    """What Katib and the launcher need to know about a kind of object, and how to render one."""

    api_version: str
    succeeded: str
    """The condition of an object that has succeeded; all have ``Failed``."""
    container: str | None
    """The required name of the main container; None uses the step's name."""
    spec: Callable[[Work, str, str], dict[str, Any]]
    """Renders the object's spec from the work, the container's name and the script."""
    suffix: int = 0
    """The most characters that the cluster appends to the object's name, without the number of the pod."""
    labels: Mapping[str, str] = {}
    """Labels of the pod whose metrics are collected; empty where there is only one pod."""
    pod_label: str = ""
    """The label of the object's pods that has the object's name."""


def trial_spec(study: Study, script: str) -> dict[str, Any]:
    """Renders the object of one trial; Katib names it.

    Args:
        study: The study.
        script: The command line as one shell command.

    Raises:
        RenderError: The kind cannot express the step.
    """
    target, step = study.targets.katib, study.step
    if target.trial_kind == "Job" and step.resources.nodes > 1:
        raise RenderError(
            f"a Job trains on one node, but resources.nodes={step.resources.nodes}; "
            f"set targets.katib.trial_kind to PyTorchJob or TrainJob"
        )
    work = Work(
        step=step,
        kind=target.trial_kind,
        group=study.name,
        runtime=target.runtime,
        runtime_kind=target.runtime_kind,
        timeout=study.budget.trial_timeout,
        retain=target.retain,
    )
    made = object_of(work, script)
    if target.trial_kind == "TrainJob" and target.version == "0.18":
        raise RenderError(
            "Katib 0.18 does not watch TrainJobs, so its trials never end; set targets.katib.version to 0.19 "
            "if the cluster has it, or targets.katib.trial_kind to PyTorchJob"
        )
    return made


def object_of(work: Work, script: str) -> dict[str, Any]:
    """Renders an object without a name.

    Args:
        work: What it runs.
        script: The command line as one shell command.

    Raises:
        RenderError: The kind cannot express the step.
    """
    kind = KINDS[work.kind]
    container = kind.container or work.step.name
    if work.is_trial:
        trial_pods.check_for_katib(work.step, container)
    if work.kind == "TrainJob":
        _check_train_job(work)
    metadata = _object_metadata(work.step)
    return {
        "apiVersion": kind.api_version,
        "kind": work.kind,
        **({"metadata": metadata} if metadata else {}),
        "spec": kind.spec(work, container, script),
    }


def _object_metadata(step: Step) -> dict[str, Any]:
    """Returns the labels and annotations of the object: queues and cost reports read them there."""
    return present({"labels": {**step.labels, **pods.queue_labels(step)}, "annotations": dict(step.annotations)})


def _check_train_job(work: Work) -> None:
    step = work.step
    _check_runtime(work)
    if step.working_dir is not None:
        raise RenderError(
            f"a TrainJob has no working directory, but step.working_dir is {step.working_dir!r}; "
            f"set it in the image (WORKDIR), or set {work.key} to PyTorchJob"
        )
    taken = sorted(TRAINER_VARIABLES & {*step.env, *step.secrets})
    if taken:
        raise RenderError(f"Trainer sets {taken[0]} and rejects a TrainJob that sets it; remove it from step.env")


def _check_runtime(work: Work) -> None:
    name, resources = work.runtime, work.step.resources
    if work.runtime_kind != "ClusterTrainingRuntime":
        return
    instead = f"set {work.runtime_key} to another one, such as torch-distributed"
    if name in LAUNCHER_RUNTIMES:
        raise RenderError(
            f"the training must run in the replicated job node of its runtime, but {name} starts it in launcher "
            f"with MPI, while node runs sshd; {instead}"
        )
    if name in INITIALIZER_RUNTIMES and work.is_trial:
        raise RenderError(
            f"Katib rejects pods that do not have a trial's container, but {name} has pods that only fetch data or a "
            f"model, so the training never starts; {instead}"
        )
    if name in OTHER_RUNTIMES and (resources.nodes > 1 or resources.procs_per_node > 1):
        raise RenderError(
            f"torchrun starts the processes of resources.nodes={resources.nodes} and "
            f"resources.procs_per_node={resources.procs_per_node}, but {name} does not set the variables that it "
            f"reads; set both to 1, or {instead}"
        )


def _deadline(work: Work) -> dict[str, int]:
    """Returns the deadline of a pod, which counts from its start on a node, or of an object, from its creation."""
    return {} if work.timeout is None else {"activeDeadlineSeconds": math.ceil(work.timeout)}


def _job(work: Work, container: str, script: str) -> dict[str, Any]:
    template = trial_pods.pod_template(work.step, work.group, container, script)
    template["spec"] = {"restartPolicy": "Never", **_deadline(work), **template["spec"]}
    return {"backoffLimit": 0, **_survival(work.step), "template": template}


def _survival(step: Step) -> dict[str, Any]:
    """Returns what lets a Job start its pod again when a node is lost, but not when the program fails."""
    if not step.preemption.retries:
        return {}
    lost = {"type": "DisruptionTarget", "status": "True"}
    return {"podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [lost]}]}}


def _pytorch_job(work: Work, container: str, script: str) -> dict[str, Any]:
    nodes, processes = work.step.resources.nodes, work.step.resources.procs_per_node

    def replica(count: int) -> dict[str, Any]:
        template = trial_pods.pod_template(work.step, work.group, container, script)
        template["spec"] = {**_deadline(work), **template["spec"]}
        return {"replicas": count, "restartPolicy": "Never", "template": template}

    replicas = {"Master": replica(1)}
    if nodes > 1:
        replicas["Worker"] = replica(nodes - 1)
    return {
        # When a pod fails, the others are stopped: they would wait for it and keep their GPUs. Stopped pods are
        # deleted, also the one whose output counts, so `retain` leaves them running.
        "runPolicy": {"backoffLimit": 0, "cleanPodPolicy": "None" if work.retain else "Running"},
        "nprocPerNode": str(processes),
        "pytorchReplicaSpecs": replicas,
    }


def _train_job(work: Work, container: str, script: str) -> dict[str, Any]:
    step = work.step
    trainer = {
        "image": trial_pods.image(step),
        **trial_pods.command(script),
        "numNodes": step.resources.nodes,
        "numProcPerNode": step.resources.procs_per_node,
        "env": trial_pods.environment(step),
        "resourcesPerNode": pods.resources(step),
    }
    return {
        "runtimeRef": _runtime(work),
        **_deadline(work),
        "trainer": present(trainer),
        "runtimePatches": [_patch(work, container)],
    }


def _runtime(work: Work) -> dict[str, str]:
    # ClusterTrainingRuntime is the default.
    kind = {} if work.runtime_kind == "ClusterTrainingRuntime" else {"kind": work.runtime_kind}
    return {"name": work.runtime, **kind}


# What a patch of a TrainJob's runtime can hold: field of a pod -> the setting of the step that it comes from.
# Source: trainer v2.3, PodSpecPatch and ContainerPatch.
_NOT_PATCHED = {
    "priorityClassName": "priority_class",
    "schedulerName": "scheduler",
    "runtimeClassName": "runtime_class",
    "topologySpreadConstraints": "topology_spread",
    "hostNetwork": "host_network",
    "hostIPC": "host_ipc",
}


def _patch(work: Work, container: str) -> dict[str, Any]:
    """Returns a patch of the runtime's pods for what a TrainJob has no fields for.

    Raises:
        RenderError: A patch cannot express a setting.
    """
    step = work.step
    placed = pods.placement(step, work.group)
    lacking = next((setting for field, setting in _NOT_PATCHED.items() if field in placed), None)
    if lacking is None and step.image_pull_policy is not None:
        lacking = "image_pull_policy"
    if lacking is not None:
        raise RenderError(
            f"a TrainJob cannot set {lacking}, which step.{lacking} asks for; set it in the cluster's runtime "
            f"({work.runtime}), or set {work.key} to PyTorchJob"
        )
    _check_patch(work)
    patched = {"name": container, "securityContext": pods.security(step), "volumeMounts": trial_pods.mounts(step)}
    spec = present({**placed, "containers": [present(patched)], "volumes": pods.volumes(step)})
    spec = trial_pods.with_fragments(spec, step)
    pod = {"metadata": pods.metadata(step, work.group), "spec": spec}
    jobs = [{"name": "node", "template": {"spec": {"template": pod}}}]
    return {"manager": _PATCH_MANAGER, "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": jobs}}}}


def _check_patch(work: Work) -> None:
    """Checks that a patch of a runtime has the fields that the file writes in Kubernetes' own words."""
    step = work.step
    for name, given, kind in (("pod", step.pod, "PodSpecPatch"), ("container", step.container, "ContainerPatch")):
        # Trainer refuses variables in a patch of its trainer; a TrainJob has a field for them.
        known = {*fields_of(kind)} - {"!", "name", "containers", "env"} if given else set()
        for field in given:
            if field not in known:
                raise RenderError(
                    f"a TrainJob can change {', '.join(sorted(known))} of its {name}, but step.{name} has {field!r}; "
                    f"set it in the cluster's runtime, or set {work.key} to PyTorchJob"
                )


KINDS = {
    "Job": TrialKind("batch/v1", "Complete", None, _job),
    "PyTorchJob": TrialKind(
        "kubeflow.org/v1",
        "Succeeded",
        "pytorch",
        _pytorch_job,
        suffix=len("-worker-"),
        labels=PRIMARY_LABELS["PyTorchJob"],
        pod_label="training.kubeflow.org/job-name",
    ),
    "TrainJob": TrialKind(
        "trainer.kubeflow.org/v1alpha1",
        "Complete",
        "node",
        _train_job,
        suffix=len("-node-0-") + len("-abcde"),
        labels=PRIMARY_LABELS["TrainJob"],
        pod_label="jobset.sigs.k8s.io/jobset-name",
    ),
}
