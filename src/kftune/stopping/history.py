"""What the trials of a study have reported so far, in the form that stopping rules ask for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple


class Report(NamedTuple):
    """One finite value that a trial reported of one metric."""

    metric: str
    value: float
    step: int | None = None
    """The step that the script gave; None when it gave none."""


class History:
    """The values of one metric of one trial, in the order of their reports.

    The position of a report is its step if the script gives steps, otherwise its number, from 1. Values of different
    trials are compared at the same position. A report with a lower position than one before it, as after a restart
    from a checkpoint, replaces what was reported from there on.

    Args:
        minimize: Whether lower values are better.

    Attributes:
        positions: The position of each report, in ascending order.
        values: The value of each report.
        ended: Whether the trial has ended by itself: it succeeded.
        running: Whether it runs.
    """

    __slots__ = ("_bests", "_minimize", "_sums", "count", "ended", "positions", "running", "values")

    def __init__(self, *, minimize: bool) -> None:
        self._minimize = minimize
        self.positions: list[int] = []
        self.values: list[float] = []
        self._bests: list[float] = []
        self._sums: list[float] = []
        self.count = 0
        self.running = True
        self.ended = False

    def add(self, value: float, step: int | None = None) -> None:
        """Adds a report.

        Args:
            value: A finite number.
            step: The step that the script gave.
        """
        self.count += 1
        position = self.count if step is None else step
        if self.positions and position <= self.positions[-1]:
            kept = bisect_left(self.positions, position)
            for each in (self.positions, self.values, self._bests, self._sums):
                del each[kept:]
        best = self._bests[-1] if self._bests else value
        self.positions.append(position)
        self.values.append(value)
        self._bests.append(min(best, value) if self._minimize else max(best, value))
        self._sums.append(value + (self._sums[-1] if self._sums else 0.0))

    @property
    def position(self) -> int:
        """The position of the last report; 0 when there is none."""
        return self.positions[-1] if self.positions else 0

    @property
    def best(self) -> float | None:
        """The best value so far; None when there is none."""
        return self._bests[-1] if self._bests else None

    def best_at(self, position: int) -> float | None:
        """Returns the best value up to a position; None when nothing was reported up to it."""
        count = bisect_right(self.positions, position)
        return self._bests[count - 1] if count else None

    def value_at(self, position: int) -> float | None:
        """Returns the latest value up to a position; None when nothing was reported up to it."""
        count = bisect_right(self.positions, position)
        return self.values[count - 1] if count else None

    def mean_at(self, position: int) -> float | None:
        """Returns the mean of the values up to a position; None when nothing was reported up to it."""
        count = bisect_right(self.positions, position)
        return self._sums[count - 1] / count if count else None

    def reaches(self, position: int) -> bool:
        """Whether the trial has reported at this position or later."""
        return bool(self.positions) and self.positions[-1] >= position


class Histories:
    """The histories of all trials of a study.

    Args:
        objective: The name of the objective.
        minimize: Whether lower values of the objective are better.
    """

    def __init__(self, objective: str, *, minimize: bool) -> None:
        self.objective = objective
        self.minimize = minimize
        self._trials: dict[int, dict[str, History]] = {}

    def of(self, trial: int, metric: str | None = None) -> History:
        """Returns the history of one metric of one trial.

        Args:
            trial: The number of the trial.
            metric: The metric; None for the objective.
        """
        metrics = self._trials.setdefault(trial, {})
        name = metric or self.objective
        if name not in metrics:
            # Which values of another metric are better is not known; a rule that needs it says so itself.
            metrics[name] = History(minimize=self.minimize)
        return metrics[name]

    def add(self, trial: int, report: Report) -> None:
        """Adds a report.

        Args:
            trial: The number of the trial.
            report: What it reported.
        """
        self.of(trial, report.metric).add(report.value, report.step)

    def end(self, trial: int, *, succeeded: bool) -> None:
        """Notes that a trial has ended.

        Args:
            trial: Its number.
            succeeded: Whether it ended by itself, with a value of the objective.
        """
        for history in (self.of(trial), *self._trials[trial].values()):
            history.running = False
            history.ended = succeeded

    def forget(self, trial: int) -> None:
        """Drops the reports of a trial that starts again."""
        self._trials.pop(trial, None)

    def others(self, trial: int) -> Iterator[History]:
        """Yields the histories of the objective of all other trials, in the order of their numbers."""
        for number in sorted(self._trials):
            if number != trial:
                yield self.of(number)

    def all(self) -> Iterator[tuple[int, History]]:
        """Yields the number and the history of the objective of each trial, in the order of their numbers."""
        for number in sorted(self._trials):
            yield number, self.of(number)

    def better(self, value: float, than: float) -> bool:
        """Whether one value of the objective is better than another.

        Args:
            value: The value.
            than: The other.
        """
        return value < than if self.minimize else value > than
