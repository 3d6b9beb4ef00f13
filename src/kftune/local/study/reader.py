"""Reads what a study's trial prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kftune.local.study.missing_objective import why_diverged, why_missing
from kftune.local.study.plan import Reader
from kftune.metrics.reduction import Reducer
from kftune.metrics.values import MetricValues
from kftune.stopping import Report
from kftune.study import Study


class StudyReader(Reader):
    """Reads metric lines, and lines in the formats that a study gives, from what a trial prints.

    Args:
        study: The study.
    """

    def __init__(self, study: Study) -> None:
        self._objective = study.objective
        definitions = study.metric_definitions
        self._definition = next((each for each in definitions if each.name == study.objective.metric), None)
        self._reducer = Reducer(tuple(study.reductions), definitions, keep_new=bool(study.stopping))
        self.feed = self._reducer.feed  # type: ignore[method-assign]  # called with each piece of output

    def latest(self, metric: str) -> MetricValues | None:
        """The values so far of a metric; None if its latest report is not a finite number."""
        values = self._reducer.result(metric)
        return None if values is None or values.number("latest") is None else values

    def reports(self) -> Sequence[Report]:
        """The finite values that were reported since the last call."""
        found = self._reducer.new
        if not found:
            return ()
        reports = [Report(*each) for each in found]
        found.clear()
        return reports

    def close(self) -> None:
        """Reads a last line without a line break."""
        self._reducer.close()

    @property
    def values(self) -> dict[str, MetricValues]:
        """Everything that was reported."""
        return self._reducer.results

    @property
    def objective(self) -> float | None:
        """The trial's value of the objective; None when it has none."""
        reduced = self._reducer.result(self._objective.metric)
        return None if reduced is None else reduced.number(self._objective.reduction)

    def why_unavailable(self, log: Path) -> str:
        """Why the objective was not found; empty when it was."""
        if self.objective is not None:
            return ""
        name, reducer = self._objective.metric, self._reducer
        reduced = reducer.result(name)
        if reduced is not None:
            return why_diverged(name, reduced.latest, self._definition)
        refused = {text: count for (metric, text), count in reducer.refused.items() if metric == name}
        return why_missing(name, log, refused, self._definition)
