"""Findings about queues: what Kueue's webhooks reject, and marks that Kueue, Volcano and KAI do not see.

Source: sigs.k8s.io/kueue v0.17.0, pkg/controller/jobframework (validation.go, defaults.go) and pkg/controller/jobs;
Volcano and KAI, documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.names import SUBDOMAIN
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_map
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import TRIAL, PodTemplate, pods_of

_KUEUE = "kueue.x-k8s.io/"
_QUEUE = f"{_KUEUE}queue-name"
_PRIORITY = f"{_KUEUE}priority-class"
_SECONDS = f"{_KUEUE}max-exec-time-seconds"
_WORKLOAD = f"{_KUEUE}prebuilt-workload-name"
_OF_THE_OBJECT = (_QUEUE, _PRIORITY, _SECONDS)
# What Kueue writes into objects itself.
_OF_KUEUE = (
    "managed",
    "podset",
    "cluster-queue-name",
    "local-queue-name",
    "job-uid",
    "workload",
    "role-hash",
    "stopping",
)
_LEAST_PODS = f"{_KUEUE}job-min-parallelism"
_SYNCHRONOUS = f"{_KUEUE}job-completions-equal-parallelism"
_SUSPEND: Mapping[str, tuple[str, ...]] = {
    "Job": ("suspend",),
    "TrainJob": ("suspend",),
    "PyTorchJob": ("runPolicy", "suspend"),
    "TFJob": ("runPolicy", "suspend"),
    "XGBoostJob": ("runPolicy", "suspend"),
    "MPIJob": ("runPolicy", "suspend"),
}
_TOPOLOGIES = tuple(f"{_KUEUE}podset-{kind}-topology" for kind in ("required", "preferred", "unconstrained"))
# Annotation or label of a pod -> the scheduler that reads it.
_SCHEDULERS = {
    "scheduling.volcano.sh/queue-name": ("annotations", "volcano"),
    "scheduling.k8s.io/group-name": ("annotations", "volcano"),
    "kai.scheduler/queue": ("labels", "kai-scheduler"),
}
_COUNT = re.compile(r"[-+]?[0-9]+")


def queue_findings(trial: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields what keeps a queue from admitting the trial's object.

    Args:
        trial: The trial's object.
    """
    metadata, path = as_map(trial.get("metadata")), (*TRIAL, "metadata")
    labels, annotations = as_map(metadata.get("labels")), as_map(metadata.get("annotations"))
    queue, kind = str(labels.get(_QUEUE) or ""), str(trial.get("kind"))
    rejected = f"Kueue's webhook rejects the {kind}"
    for key in (_QUEUE, _WORKLOAD):
        text = str(labels.get(key, "x"))
        if "${" not in text and not SUBDOMAIN.fullmatch(text):
            yield finding("KT281", (*path, "labels", key), f"{text!r} is not the name of an object: {rejected}")
    if labels.get(_WORKLOAD) and "${" not in str(labels[_WORKLOAD]):
        message = f"all trials name the one workload {labels[_WORKLOAD]}: Kueue admits only one of them"
        yield finding("KT281", (*path, "labels", _WORKLOAD), message)
    seconds = str(labels.get(_SECONDS, 1))
    if "${" not in seconds and (not _COUNT.fullmatch(seconds) or int(seconds) < 1):
        message = f"{_SECONDS} must be a number above 0, not {seconds!r}: {rejected}"
        yield finding("KT281", (*path, "labels", _SECONDS), message)
    if kind == "Job":
        yield from _job_findings(as_map(trial.get("spec")), annotations, (*path, "annotations"))
    yield from _suspended(trial, kind, queue)
    for pod in pods_of(trial):
        given = [name for name in _TOPOLOGIES if name in as_map(pod.metadata.get("annotations"))]
        if len(given) > 1:
            message = f"a pod has one of {' and '.join(given)}: {rejected}"
            yield finding("KT281", (*pod.path, "metadata", "annotations", given[1]), message)


def _job_findings(spec: Mapping[str, Any], annotations: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    pods = spec.get("parallelism", 1)
    least = str(annotations.get(_LEAST_PODS, ""))
    valid = _COUNT.fullmatch(least) and isinstance(pods, int) and 0 < int(least) < pods
    if least and "${" not in least and not valid:
        message = f"{_LEAST_PODS} must be above 0 and below the parallelism {pods}: Kueue's webhook rejects the Job"
        yield finding("KT281", (*path, _LEAST_PODS), message)
    if str(annotations.get(_SYNCHRONOUS, "")).lower() in ("true", "1", "t") and spec.get("completionMode") != "Indexed":
        message = f"{_SYNCHRONOUS} needs completionMode Indexed: Kueue's webhook rejects the Job"
        yield finding("KT281", (*path, _SYNCHRONOUS), message)


def _suspended(trial: Mapping[str, Any], kind: str, queue: str) -> Iterator[Finding]:
    fields = _SUSPEND.get(kind, ())
    value: Any = as_map(trial.get("spec"))
    for field in fields:
        value = as_map(value).get(field)
    if value is True and not queue:
        message = f"the {kind} is suspended, and without {_QUEUE} only a default queue of Kueue resumes it"
        yield finding("KT281", (*TRIAL, "spec", *fields), message)


def queue_advice(trial: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields marks of queues that have no effect where they are.

    Args:
        trial: The trial's object.
    """
    metadata, path = as_map(trial.get("metadata")), (*TRIAL, "metadata")
    labels, kind = as_map(metadata.get("labels")), str(trial.get("kind"))
    queued = bool(labels.get(_QUEUE))
    for key in (_PRIORITY, _SECONDS):
        if labels.get(key) and not queued:
            message = f"without {_QUEUE} Kueue does not take the {kind} in and ignores {key}"
            yield finding("KT309", (*path, "labels", key), message)
    yield from _misplaced(metadata, path)
    for pod in pods_of(trial):
        yield from _misplaced(pod.metadata, (*pod.path, "metadata"))
        yield from _pod_advice(pod, labels, kind)
        if queued:
            yield from _uncounted(pod)


def _misplaced(metadata: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """Yields what only Kueue itself writes, and labels that are written as annotations."""
    for group in ("labels", "annotations"):
        for key in as_map(metadata.get(group)):
            if key.startswith(_KUEUE) and key.removeprefix(_KUEUE) in _OF_KUEUE:
                yield finding("KT309", (*path, group, key), f"Kueue sets {key} itself; remove it")
    for key in as_map(metadata.get("annotations")):
        if key in _OF_THE_OBJECT:
            yield finding("KT309", (*path, "annotations", key), f"Kueue reads {key} as a label, not as an annotation")


def _pod_advice(pod: PodTemplate, labels: Mapping[str, Any], kind: str) -> Iterator[Finding]:
    path = (*pod.path, "metadata")
    for gate, at in pod.maps("schedulingGates"):
        yield finding("KT309", at, f"each pod waits until a controller removes its gate {gate.get('name')}")
    for key in _OF_THE_OBJECT:
        if key in as_map(pod.metadata.get("labels")) and key not in labels:
            message = f"Kueue reads {key} of the {kind}, in trialSpec.metadata.labels; here at most single pods wait"
            yield finding("KT309", (*path, "labels", key), message)
    for key, (group, scheduler) in _SCHEDULERS.items():
        if key in as_map(pod.metadata.get(group)) and pod.spec.get("schedulerName") in (None, "default-scheduler"):
            message = f"only {scheduler} reads {key}, and the pod does not name it in schedulerName"
            yield finding("KT309", (*path, group, key), message)


def _uncounted(pod: PodTemplate) -> Iterator[Finding]:
    for container, path in pod.maps("containers"):
        resources = as_map(container.get("resources"))
        if not as_map(resources.get("requests")) and not as_map(resources.get("limits")):
            message = "Kueue counts requests, or limits without them: this container uses nothing of the quota"
            yield finding("KT309", path, message)
