"""What a trial of an Experiment reported over time."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable

from kftune.katib.go.numbers import go_float
from kftune.katib.trial.collector import Row
from kftune.metrics.curves import Curve, CurveKeeper, Rows
from kftune.stopping import Report


class ReportedRows:
    """Keeps the curves of one trial, and the reports that nobody has asked for yet.

    A row has no step: the number of the report counts, as for Katib, which counts values that are not finite too.
    """

    def __init__(self) -> None:
        self.began = time.time()
        self._started = time.monotonic()
        self._keepers: dict[str, CurveKeeper] = {}
        self._counts: Counter[str] = Counter()
        self._new: list[Report] = []

    def take(self, rows: Iterable[Row]) -> None:
        """Takes rows that were read now.

        Args:
            rows: They follow those of earlier calls.
        """
        seconds = time.monotonic() - self._started
        for row in rows:
            self._counts[row.name] += 1
            self.add(row.name, row.value, self._counts[row.name], seconds)

    def add(self, metric: str, text: str, step: int, seconds: float) -> None:
        """Takes one report, unless its value is not a finite number.

        Args:
            metric: The metric.
            text: Its value.
            step: Its step.
            seconds: When it was reported, since the trial's start.
        """
        value = go_float(text)
        if value is None or not math.isfinite(value):
            return
        self._keepers.setdefault(metric, CurveKeeper()).add(Rows((value,), (step,)), max(seconds, 0.0))
        self._new.append(Report(metric, value, step))

    def take_new(self) -> list[Report]:
        """Returns the reports since the last call."""
        found, self._new = self._new, []
        return found

    @property
    def curves(self) -> dict[str, Curve]:
        """The curve of each metric."""
        return {metric: keeper.curve() for metric, keeper in self._keepers.items()}
