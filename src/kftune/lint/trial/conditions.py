"""Findings about how Katib sees the end of a trial's object, and which of its pods gets the collector.

Source: katib v0.19.0, pkg/job/v1beta1 (job_helper.go), pkg/webhook/v1beta1/pod (utils.go); gjson.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.crd import LAUNCHER_RUNTIMES
from kftune.katib.go.unstructured import as_map
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import REPLICAS, TEMPLATE, pods_of
from kftune.lint.trial.run_object import RunObject

_BY_TYPE = re.compile(r'status\.conditions\.#\(type=="(?P<type>\w*)"\)(?P<rest>.*)', re.DOTALL)
_REST = re.compile(r'#?(?:\|#\(status=="(?:True|False|Unknown)"\)#?)?')
_KUBEFLOW_TYPES = frozenset({"Created", "Running", "Restarting", "Suspended", "Succeeded", "Failed"})
_TYPES = {
    "Job": frozenset({"Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"}),
    "TrainJob": frozenset({"Complete", "Failed", "Suspended"}),
    **dict.fromkeys(REPLICAS, _KUBEFLOW_TYPES),
}
_REPLICATED_JOB = "jobset.sigs.k8s.io/replicatedjob-name"
# Labels that the kind's controller adds to pods, with patterns of their values. A Job's own labels come from its pod.
_LABELS = {
    "Job": {
        "batch.kubernetes.io/job-name": ".*",
        "job-name": ".*",
        "batch.kubernetes.io/job-completion-index": r"\d+",
        "batch.kubernetes.io/controller-uid": ".*",
        "controller-uid": ".*",
    },
    "TrainJob": {
        _REPLICATED_JOB: "node|launcher",
        "jobset.sigs.k8s.io/job-index": r"\d+",
        "jobset.sigs.k8s.io/restart-attempt": r"\d+",
        "batch.kubernetes.io/job-completion-index": r"\d+",
        "batch.kubernetes.io/job-name": ".*",
    },
    "PyTorchJob": {
        "training.kubeflow.org/job-role": "master",
        "training.kubeflow.org/replica-type": "master|worker",
        "training.kubeflow.org/replica-index": r"\d+",
        "training.kubeflow.org/operator-name": "pytorchjob-controller",
    },
}


def condition_findings(template: Mapping[str, Any], kind: str) -> Iterator[Finding]:
    """Yields conditions that an object of the kind never has.

    Args:
        template: spec.trialTemplate with its defaults.
        kind: The kind of the trial's object.
    """
    known = _TYPES.get(kind)
    if known is None:
        return
    for name in ("successCondition", "failureCondition"):
        text = template.get(name) or ""
        found = _BY_TYPE.fullmatch(text)
        if found is not None and found["type"] in known and _REST.fullmatch(found["rest"]):
            continue
        if found is None and text.startswith("status."):
            continue  # another GJSON path, which may be correct
        success = name == "successCondition"
        what = "succeeds" if success else "fails"
        message = f"a {kind} never has the condition {text[:80]!r}: Katib does not notice when a trial {what}"
        yield finding("KT237", (*TEMPLATE, name), message, "hangs" if success else "advice")


def label_findings(template: Mapping[str, Any], run: RunObject) -> Iterator[Finding]:
    """Yields labels that match no pod, so that none gets the collector.

    Args:
        template: spec.trialTemplate with its defaults.
        run: The trial's object.
    """
    kind = run.kind[1]
    known = _LABELS.get(kind)
    if known is None:
        return
    own: dict[str, Any] = {}
    for pod in pods_of(run.value):
        own |= as_map(pod.metadata.get("labels"))
    runtime = cluster_runtime(run.value) if kind == "TrainJob" else ""
    for name, text in template.get("primaryPodLabels", {}).items():
        if name == _REPLICATED_JOB and text == "node" and runtime in LAUNCHER_RUNTIMES:
            message = (
                f"the training runs in the pods of launcher with {runtime}, not in those of node: they have no "
                f"collector, and the trial waits forever"
            )
            yield finding("KT239", (*TEMPLATE, "primaryPodLabels", name), message)
        given = own.get(name)
        if name.startswith("katib.kubeflow.org/") or (given is not None and (given == text or "${" in str(given))):
            continue
        if given is not None or not re.fullmatch(known.get(name, "(?!)"), text):
            effect = "no pod gets the collector, and the trial waits forever"
            message = f"no pod of this {kind} has the label {name}: {text!r}: {effect}"
            yield finding("KT239", (*TEMPLATE, "primaryPodLabels", name), message)


def cluster_runtime(job: Mapping[str, Any]) -> str:
    """Returns the name of a TrainJob's ClusterTrainingRuntime; empty where it has one of its namespace.

    Args:
        job: The TrainJob.
    """
    reference = as_map(as_map(job.get("spec")).get("runtimeRef"))
    return str(reference.get("name")) if reference.get("kind") in (None, "ClusterTrainingRuntime") else ""
