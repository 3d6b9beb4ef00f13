"""What all trials have reported at one position, kept up to date with each report, so that no rule reads all curves."""

from __future__ import annotations

from bisect import bisect_right, insort


class Leaders:
    """The best value of all trials up to each position.

    Args:
        minimize: Whether lower values are better.
    """

    __slots__ = ("_positions", "_sign", "_values")

    def __init__(self, *, minimize: bool) -> None:
        self._sign = 1 if minimize else -1
        # Only positions at which the best value changes; the values get better.
        self._positions: list[int] = []
        self._values: list[float] = []

    def add(self, position: int, value: float) -> None:
        """Adds a value.

        Args:
            position: Where it was reported.
            value: The value.
        """
        value *= self._sign
        start = bisect_right(self._positions, position)
        if start and self._values[start - 1] <= value:
            return
        end = start
        while end < len(self._values) and self._values[end] >= value:
            end += 1
        if start and self._positions[start - 1] == position:
            start -= 1
        self._positions[start:end] = [position]
        self._values[start:end] = [value]

    def at(self, position: int) -> float | None:
        """Returns the best value up to a position; None when there is none."""
        index = bisect_right(self._positions, position)
        return self._values[index - 1] * self._sign if index else None


class Columns:
    """The values that trials have at some positions, in ascending order. A position is added when a rule asks for it.

    Attributes:
        values: Position -> the values.
    """

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[int, list[float]] = {}

    def reached(self, after: int, position: int, before: float | None, value: float) -> None:
        """Adds the values of a trial that has come to a position.

        Args:
            after: Where it was before.
            position: Where it is now.
            before: Its value before; None when it had none.
            value: Its value now.
        """
        if position - after == 1:  # as in nearly every study, so the other positions need no look
            if position in self.values:
                insort(self.values[position], value)
            return
        for each, column in self.values.items():
            if each == position:
                insort(column, value)
            elif after < each < position and before is not None:
                insort(column, before)
