"""What the trials of a study have reported so far, in the form that stopping rules ask for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kftune.stopping.columns import Columns, Leaders


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
        ended: Whether the trial has succeeded.
        running: Whether it runs.
    """

    __slots__ = ("_highs", "_lows", "_minimize", "_sums", "count", "ended", "positions", "running", "values")

    def __init__(self, *, minimize: bool) -> None:
        self._minimize = minimize
        self.positions: list[int] = []
        self.values: list[float] = []
        self._lows: list[float] = []
        self._highs: list[float] = []
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
            for each in (self.positions, self.values, self._lows, self._highs, self._sums):
                del each[kept:]
        lows, highs = self._lows, self._highs
        self.positions.append(position)
        self.values.append(value)
        lows.append(lows[-1] if lows and lows[-1] <= value else value)
        highs.append(highs[-1] if highs and highs[-1] >= value else value)
        self._sums.append(value + (self._sums[-1] if self._sums else 0.0))

    @property
    def position(self) -> int:
        """The position of the last report; 0 when there is none."""
        return self.positions[-1] if self.positions else 0

    @property
    def best(self) -> float | None:
        """The best value so far; None when there is none."""
        bests = self.bests()
        return bests[-1] if bests else None

    @property
    def best_position(self) -> int | None:
        """The position at which the best value was reported first; None when there is none."""
        bests = self.bests()
        return self.positions[self.values.index(bests[-1])] if bests else None

    def bests(self, *, minimize: bool | None = None) -> Sequence[float]:
        """Returns the best value so far at each report.

        Args:
            minimize: Whether lower values are better; None for what the objective has.
        """
        return self._lows if (self._minimize if minimize is None else minimize) else self._highs

    def best_at(self, position: int) -> float | None:
        """Returns the best value up to a position; None when nothing was reported up to it."""
        count = bisect_right(self.positions, position)
        return self.bests()[count - 1] if count else None

    def value_at(self, position: int) -> float | None:
        """Returns the latest value up to a position; None when nothing was reported up to it."""
        count = bisect_right(self.positions, position)
        return self.values[count - 1] if count else None

    def mean_at(self, position: int) -> float | None:
        """Returns the mean of the values up to a position; None when nothing was reported up to it."""
        count = bisect_right(self.positions, position)
        return self._sums[count - 1] / count if count else None

    def mean_of_first(self, count: int) -> float | None:
        """Returns the mean of the first values; None when there are none.

        Args:
            count: How many count at most, from 1.
        """
        found = min(count, len(self.values))
        return self._sums[found - 1] / found if found else None

    def value_from(self, position: int) -> float | None:
        """Returns the value of the first report at a position or after it; None while there is none."""
        index = bisect_left(self.positions, position)
        return self.values[index] if index < len(self.values) else None

    @property
    def position_before(self) -> int:
        """The position of the report before the last one; 0 when there is none."""
        return self.positions[-2] if len(self.positions) > 1 else 0

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
        self._running: set[int] = set()
        self._leaders: Leaders | None = None
        self._reached, self._succeeded = Columns(), Columns()

    def of(self, trial: int, metric: str | None = None) -> History:
        """Returns the history of one metric of one trial. Reports are added with `add`.

        Args:
            trial: The number of the trial.
            metric: The metric; None for the objective.
        """
        metrics = self._trials.get(trial)
        if metrics is None:
            metrics = self._trials[trial] = {self.objective: History(minimize=self.minimize)}
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
        history = self.of(trial, report.metric)
        after, before = history.position, history.values[-1] if history.values else None
        history.add(report.value, report.step)
        self._running.add(trial)
        if report.metric != self.objective:
            return
        if history.ended or (before is not None and history.position <= after):  # it replaces earlier reports
            self._drop_caches()
            return
        if self._leaders is not None:
            self._leaders.add(history.position, report.value)
        self._reached.reached(after, history.position, before, report.value)

    def end(self, trial: int, *, succeeded: bool) -> None:
        """Notes that a trial has ended.

        Args:
            trial: Its number.
            succeeded: Whether it was not stopped, and has a value of the objective.
        """
        own = self.of(trial)
        if not own.running:  # said before, perhaps otherwise
            self._drop_caches()
        self._running.discard(trial)
        for history in self._trials[trial].values():
            history.running = False
            history.ended = succeeded
        if succeeded:
            for position, column in self._succeeded.values.items():
                value = own.value_at(position)
                if own.reaches(position) and value is not None:
                    insort(column, value)

    def forget(self, trial: int) -> None:
        """Drops the reports of a trial that starts again."""
        self._trials.pop(trial, None)
        self._running.discard(trial)
        self._drop_caches()

    def others(self, trial: int) -> Iterator[History]:
        """Yields the histories of the objective of all other trials, in the order of their numbers."""
        for number, history in self.all():
            if number != trial:
                yield history

    def all(self) -> Iterator[tuple[int, History]]:
        """Yields the number and the history of the objective of each trial, in the order of their numbers."""
        for number in sorted(self._trials):
            yield number, self._trials[number][self.objective]

    def running(self) -> Iterator[History]:
        """Yields the histories of the objective of all trials that have reported and not ended, in any order."""
        return map(self.of, self._running)

    def leader_at(self, position: int) -> float | None:
        """Returns the best value of the objective that any trial has reported up to a position; None without one."""
        if self._leaders is None:
            self._leaders = Leaders(minimize=self.minimize)
            for _, history in self.all():
                for each, value in zip(history.positions, history.values, strict=True):
                    self._leaders.add(each, value)
        return self._leaders.at(position)

    def values_at(self, position: int, *, succeeded: bool = False) -> Sequence[float]:
        """Returns the values of the objective of all trials that reach a position, in ascending order.

        Args:
            position: The position.
            succeeded: Whether only trials count that have succeeded.
        """
        columns = (self._succeeded if succeeded else self._reached).values
        if position not in columns:
            values = (
                history.value_at(position)
                for _, history in self.all()
                if history.reaches(position) and (history.ended or not succeeded)
            )
            columns[position] = sorted(value for value in values if value is not None)
        return columns[position]

    def _drop_caches(self) -> None:
        self._leaders = None
        self._reached, self._succeeded = Columns(), Columns()

    def better(self, value: float, than: float) -> bool:
        """Whether one value of the objective is better than another.

        Args:
            value: The value.
            than: The other.
        """
        return value < than if self.minimize else value > than
