"""Reads what a study's trial prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kftune.local.study.missing_objective import why_diverged, why_missing
from kftune.local.study.plan import Reader
from kftune.metrics.curves import Curve
from kftune.metrics.reduction import Reducer
from kftune.metrics.values import MetricValues
from kftune.results import Trial
from kftune.stopping import Report
from kftune.study import Objective, Study
from kftune.study.objectives import place_of


class StudyReader(Reader):
    """Reads metric lines, and lines in the formats that a study gives, from what a trial prints.

    Args:
        study: The study.
    """

    def __init__(self, study: Study) -> None:
        self._objective = study.objective
        self._objectives = study.objectives
        self._key = place_of(study.objective.metric, study)[0]
        definitions = study.metric_definitions
        self._definitions = {each.name: each for each in definitions}
        self._reducer = Reducer(
            tuple(study.reductions), definitions, most=study.budget.metrics_per_trial, every=bool(study.stopping)
        )
        self.feed = self._reducer.feed  # type: ignore[method-assign]  # called with each piece of output

    def restore(self, trial: Trial, curves: Mapping[str, Curve]) -> None:
        """Takes what an earlier part of the trial has reported, before anything else.

        Args:
            trial: The trial, as it is stored.
            curves: Its curves.
        """
        self._reducer.restore(trial.metrics, curves, trial.duration or 0.0)

    def latest(self, metric: str) -> MetricValues | None:
        """The values so far of a metric; None if its latest report is not a finite number."""
        values = self._reducer.result(metric)
        return None if values is None or values.number("latest") is None else values

    def reports(self) -> Sequence[Report]:
        """The finite values that were reported since the last call."""
        return [Report(*each) for each in self._reducer.take_new()]

    @property
    def curves(self) -> dict[str, Curve]:
        """What was reported over time."""
        return self._reducer.curves

    def close(self) -> None:
        """Reads a last line without a line break."""
        self._reducer.close()

    @property
    def values(self) -> dict[str, MetricValues]:
        """Everything that was reported."""
        return self._reducer.results

    @property
    def objective(self) -> float | None:
        """The trial's value of the objective, the first one of several; None when it has none."""
        return self._value(self._objective)

    def why_unavailable(self, log: Path) -> str:
        """Why an objective was not found; empty when all were."""
        missing = [objective.metric for objective in self._objectives if self._value(objective) is None]
        if not missing:
            return ""
        why = self._why_missing(missing[0], log)
        if len(self._objectives) == 1:
            return why
        names = " and ".join(missing)
        return f"it has no value of {names}, and only trials with all objectives can be compared; {missing[0]}: {why}"

    def _value(self, objective: Objective) -> float | None:
        reduced = self._reducer.result(objective.metric)
        return None if reduced is None else reduced.number(objective.reduction)

    def _why_missing(self, name: str, log: Path) -> str:
        reduced, definition = self._reducer.result(name), self._definitions.get(name)
        if reduced is not None:
            return why_diverged(name, reduced.latest, definition)
        refused = {text: count for (metric, text), count in self._reducer.refused.items() if metric == name}
        return why_missing(name, log, refused, definition, self._key)
