"""A study as the engine runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kftune.local.study.missing import why_missing
from kftune.local.study.plan import Plan
from kftune.metrics.reduction import Reducer
from kftune.metrics.values import MetricValues
from kftune.results import State, TrackedMetric
from kftune.study import Study


def study_plan(study: Study) -> Plan:
    """What the engine has to know of a study."""
    budget, objective = study.budget, study.objective
    return Plan(
        metrics=tuple(TrackedMetric(name, how) for name, how in study.reductions.items()),
        direction=objective.direction,
        goal=objective.goal,
        max_trials=budget.max_trials,
        max_failed=budget.failures_allowed,
        reader=lambda trial: StudyReader(study),
        wall_clock=budget.wall_clock,
        grace=study.step.grace_period,
    )


class StudyReader:
    """Reads metric lines, and lines in formats of their own, from what a trial prints.

    Args:
        study: The study.
    """

    stop = ""
    next_look: float | None = None

    def __init__(self, study: Study) -> None:
        self._objective = study.objective
        self._reducer = Reducer(tuple(study.reductions), study.metric_definitions)
        self.feed = self._reducer.feed

    def look(self) -> Sequence[str]:
        """Nothing comes from elsewhere."""
        return ()

    def latest(self, metric: str) -> MetricValues | None:
        """What was reported of a metric so far."""
        return self._reducer.result(metric)

    def close(self) -> None:
        """Reads a last line without its end."""
        self._reducer.close()

    @property
    def values(self) -> dict[str, MetricValues]:
        """What was reported."""
        return self._reducer.results

    @property
    def objective(self) -> float | None:
        """The objective's value that stands for the trial."""
        reduced = self._reducer.result(self._objective.metric)
        return None if reduced is None else reduced.number(self._objective.reduction)

    def why_failed(self) -> str:
        """Nothing that is printed makes a trial fail."""
        return ""

    def why_unavailable(self, log: Path) -> str:
        """Why the objective was not found."""
        name, reducer = self._objective.metric, self._reducer
        if reducer.result(name) is not None:
            return ""
        refused = {text: count for (metric, text), count in reducer.refused.items() if metric == name}
        return why_missing(name, log, refused, self._objective.regex)

    def ended(self, state: State) -> None:
        """A trial's end changes nothing for the others."""
