"""Conditions in the status of an Experiment, a Trial or a trial's object, and the pod whose metrics are collected.

Source: katib v0.19.0, pkg/apis/controller/experiments/v1beta1/util.go, pkg/controller.v1beta1/experiment/util.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KUBEFLOW_JOBS = ("TFJob", "PyTorchJob", "XGBoostJob", "MPIJob")

PRIMARY_LABELS: Mapping[str, Mapping[str, str]] = {
    "TrainJob": {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": "0"},
    **{kind: {"training.kubeflow.org/job-role": "master"} for kind in KUBEFLOW_JOBS},
}
"""Kind of a trial's object -> the labels of the pod whose metrics are collected; a Job has one pod."""


def expression(kind: str) -> str:
    """Returns the GJSON expression with which Katib checks that an object has a condition."""
    return f'status.conditions.#(type=="{kind}")#|#(status=="True")#'


def is_completed(status: Mapping[str, Any]) -> bool:
    """Whether the Experiment has succeeded or failed."""
    return holds(status, "Succeeded") or holds(status, "Failed")


def is_restartable(spec: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether a higher maxTrialCount lets a completed Experiment resume.

    Args:
        spec: The Experiment's spec.
        status: Its status.
    """
    succeeded = condition(status, "Succeeded")
    return (
        succeeded is not None
        and succeeded.get("status") == "True"
        and succeeded.get("reason") == "ExperimentMaxTrialsReached"
        and spec.get("resumePolicy") in ("LongRunning", "FromVolume")
    )


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """Returns the first condition of a type, or None.

    Args:
        status: The status of an Experiment or a Trial.
        kind: The condition's type.
    """
    return next((each for each in status.get("conditions") or () if each.get("type") == kind), None)


def holds(status: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition of a type is true.

    Args:
        status: The status of an Experiment or a Trial.
        kind: The condition's type.
    """
    return any(each.get("type") == kind and each.get("status") == "True" for each in status.get("conditions") or ())


def without_condition(status: Mapping[str, Any], kind: str) -> list[Any]:
    """Returns the conditions of all other types.

    Args:
        status: The status of an Experiment or a Trial.
        kind: The condition's type.
    """
    return [each for each in status.get("conditions") or () if each.get("type") != kind]
