"""Conditions in the status of an Experiment or a Trial.

Source: katib v0.19.0, pkg/apis/controller/experiments/v1beta1/util.go, pkg/controller.v1beta1/experiment/util.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
