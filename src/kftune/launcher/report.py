"""The page of an Experiment's trials, from what Katib keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kftune.launcher.reading import assignments, condition_of, number_of, objective_value
from kftune.results.page import Row, trials_page


def report_page(experiment: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        experiment: The Experiment, succeeded.
        trials: Its trials.
    """
    objective = experiment["spec"]["objective"]
    metric = str(objective["objectiveMetricName"])
    optimal = experiment["status"]["currentOptimalTrial"]
    best, found = str(optimal["bestTrialName"]), objective_value(optimal.get("observation"), objective)
    ordered = sorted(trials, key=lambda trial: str(trial["metadata"].get("creationTimestamp", "")))
    return trials_page(
        str(experiment["metadata"]["name"]),
        f"{metric}, {objective['type']}d: the best is {found}, of {best}, among {len(ordered)} trials",
        metric,
        [str(parameter["name"]) for parameter in experiment["spec"].get("parameters", [])],
        [_row(trial, objective) for trial in ordered],
        best,
    )


def _row(trial: Mapping[str, Any], objective: Mapping[str, Any]) -> Row:
    value = objective_value(trial.get("status", {}).get("observation"), objective)
    return Row(
        str(trial["metadata"]["name"]),
        str(condition_of(trial).get("type", "Pending")),
        value or "",
        number_of(value),
        assignments(trial["spec"].get("parameterAssignments", [])),
    )
