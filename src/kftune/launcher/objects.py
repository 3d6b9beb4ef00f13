"""Reads Katib's objects and jobs: conditions, assignments, metrics and the objective of a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.metrics.values import UNAVAILABLE


def condition_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the last condition of an Experiment, trial or job that holds; empty when none does."""
    conditions = found.get("status", {}).get("conditions") or []
    held = [condition for condition in conditions if condition.get("status") == "True"]
    return dict(held[-1]) if held else {}


def reason_of(condition: Mapping[str, Any]) -> str:
    """Returns why a condition holds."""
    return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))


def assignments(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Returns Katib's list of names and values as a mapping."""
    return {str(pair["name"]): str(pair.get("value", "")) for pair in given}


def metric_values(observation: Mapping[str, Any] | None) -> dict[str, float]:
    """Returns the latest value of each metric, without values that are not finite numbers."""
    found = {str(metric["name"]): number_of(metric.get("latest")) for metric in (observation or {}).get("metrics", [])}
    return {name: value for name, value in found.items() if value is not None}


def objective_value(observation: Mapping[str, Any] | None, objective: Mapping[str, Any]) -> str | None:
    """Returns the text of the objective that counts for a trial; None when the trial reported none.

    Args:
        observation: The trial's observation, if it has one.
        objective: The objective of the Experiment.

    Source: katib v0.19.0, experiment controller (getObjectiveMetricValue): min and max fall back to latest.
    """
    name = objective["objectiveMetricName"]
    strategies = {entry["name"]: entry["value"] for entry in objective.get("metricStrategies", [])}
    default = "min" if objective["type"] == "minimize" else "max"
    for metric in (observation or {}).get("metrics", []):
        if metric["name"] == name:
            text = str(metric.get(strategies.get(name, default), UNAVAILABLE))
            return str(metric["latest"]) if text == UNAVAILABLE else text
    return None


def number_of(text: str | None) -> float | None:
    """Returns the finite number in a text; None for any other text."""
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
