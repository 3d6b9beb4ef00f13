"""The page of an Experiment's trials, from the objects that Katib stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kftune.launcher.objects import assignments, condition_of, number_of, objective_value
from kftune.results.page import TrialRow, trials_page


def report_page(experiment: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> str:
    """Returns the page.

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
        title=str(experiment["metadata"]["name"]),
        summary=f"{metric}, {objective['type']}d: the best is {found}, of {best}, among {len(ordered)} trials",
        metric=metric,
        names=[str(parameter["name"]) for parameter in experiment["spec"].get("parameters", [])],
        rows=[_row(trial, objective) for trial in ordered],
        best=[best],
    )


def _row(trial: Mapping[str, Any], objective: Mapping[str, Any]) -> TrialRow:
    value = objective_value(trial.get("status", {}).get("observation"), objective)
    return TrialRow(
        name=str(trial["metadata"]["name"]),
        state=str(condition_of(trial).get("type", "Pending")),
        shown=value or "",
        objective=number_of(value),
        values=assignments(trial["spec"].get("parameterAssignments", [])),
    )
