"""Keeps what a trial reported of a metric over time: each value, or evenly spaced ones when there are many."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple, Protocol

MOST = 10_000
"""How many reports of each metric of a trial are kept, unless a study says another number."""

LEAST = 4
"""Room for the first, the last, the lowest and the highest one."""


class Curve(NamedTuple):
    """The finite values that a trial reported of one metric, in the order of the reports."""

    steps: array[int]
    """The step of each one as the trial gave it; without one the number of the report, from 1."""
    values: array[float]
    times: array[float]
    """Seconds from the trial's start until its output with the report was read."""
    reported: int
    """How many there were; more than are here if they were thinned."""


# A plain tuple: many are made while a long log is read.
Reported = tuple[int, int | None, float]
"""A report: its place, its step (None without one) and its value.

The place grows with each report of a block, from 0; it is below the block's span.
"""


class Block(Protocol):
    """Reports of one metric that were read together, at least one."""

    values: Sequence[float]
    """All finite."""
    low: float
    """The lowest of them."""
    high: float
    """The highest."""
    span: int
    """More than the place of each report."""

    def one(self, index: int) -> Reported:
        """Returns the last report, or the first one with its value."""

    def spread(self, wanted: Sequence[int]) -> Sequence[Reported]:
        """Returns some reports, or with steps those nearby, in ascending order."""


class Rows:
    """A block of reports that are all known already.

    Args:
        values: The values.
        steps: The step of each one.
    """

    def __init__(self, values: Sequence[float], steps: Sequence[int | None]) -> None:
        self.values = values
        self.low = min(values)
        self.high = max(values)
        self.span = len(values)
        self._steps = steps

    def one(self, index: int) -> Reported:
        """Returns a report."""
        return index, self._steps[index], self.values[index]

    def spread(self, wanted: Sequence[int]) -> list[Reported]:
        """Returns some reports."""
        return [self.one(index) for index in wanted]


class _Point(NamedTuple):
    place: int
    step: int
    value: float
    time: float


class CurveKeeper:
    """Takes the reports of one metric, block by block, and keeps at most a number of them.

    It keeps the first report, and from there on every second, fourth, eighth, ... one, so that about half of the
    allowed number or more are kept; and also the last, the lowest and the highest one.

    Args:
        most: How many to keep.
    """

    __slots__ = (
        "_base",
        "_every",
        "_high",
        "_last",
        "_low",
        "_most",
        "_places",
        "_steps",
        "_times",
        "_values",
        "count",
    )

    def __init__(self, most: int = MOST) -> None:
        self._most = max(most, LEAST) - 3
        self._every = 1
        self._base = 0
        self._places = array("q")
        self._steps = array("q")
        self._values = array("d")
        self._times = array("d")
        self._low: _Point | None = None
        self._high: _Point | None = None
        self._last: _Point | None = None
        self.count = 0

    def restore(self, curve: Curve) -> None:
        """Takes the curve of an earlier part of the trial, before anything else.

        Args:
            curve: The curve.
        """
        for step, value, time in zip(curve.steps, curve.values, curve.times, strict=True):
            self.add(Rows([value], [step]), time)
        self.count = curve.reported

    def add(self, block: Block, time: float) -> None:
        """Takes the reports of one block.

        Args:
            block: The reports.
            time: Seconds since the trial's start.
        """
        size, before, base = len(block.values), self.count, self._base
        self.count += size
        self._base += block.span

        def point(index: int) -> _Point:
            place, step, value = block.one(index)
            return _Point(base + place, before + index + 1 if step is None else step, value, time)

        self._last = point(size - 1)
        if self._low is None or block.low < self._low.value:
            self._low = point(block.values.index(block.low))
        if self._high is None or block.high > self._high.value:
            self._high = point(block.values.index(block.high))
        even = range(-before % self._every, size, self._every)
        if even:
            found = block.spread(even)
            self._places.extend([base + place for place, _, _ in found])
            numbered = zip(even, found, strict=True)
            self._steps.extend([before + index + 1 if step is None else step for index, (_, step, _) in numbered])
            self._values.extend([value for _, _, value in found])
            self._times.extend([time] * len(found))
            self._thin()

    def _thin(self) -> None:
        while len(self._places) > self._most:
            self._every *= 2
            for column in (self._places, self._steps, self._values, self._times):
                del column[1::2]

    def curve(self) -> Curve:
        """Returns what is kept."""
        places = self._places[:]
        curve = Curve(self._steps[:], self._values[:], self._times[:], self.count)
        for each in (self._low, self._high, self._last):
            if each is not None:
                index = bisect_left(places, each.place)
                if index == len(places) or places[index] != each.place:
                    places.insert(index, each.place)
                    curve.steps.insert(index, each.step)
                    curve.values.insert(index, each.value)
                    curve.times.insert(index, each.time)
        return curve


def thinned(curve: Curve, most: int) -> Curve:
    """Returns a curve with at most a number of its points, chosen as `CurveKeeper` does.

    Args:
        curve: The curve.
        most: How many points; at least `LEAST`.
    """
    values, size, every, most = curve.values, len(curve.values), 1, max(most, LEAST)
    if size <= most:
        return curve
    while (size - 1) // every + 1 > most - 3:
        every *= 2
    kept = sorted({*range(0, size, every), size - 1, values.index(min(values)), values.index(max(values))})
    steps, values, times = (array(column.typecode, [column[index] for index in kept]) for column in curve[:3])
    return Curve(steps, values, times, curve.reported)
