"""The reports of one metric in a block of a log, as curves take them."""

from __future__ import annotations

from collections.abc import Sequence

from kftune.metrics.curves import Reported
from kftune.metrics.log_scanner import Reports, Scanner, TokenScanner, step_before

_FEW = 4
"""From one in this number of reports on, each report is matched; of fewer, those nearby are taken."""


class LogBlock:
    """The reports of one metric in a block of whole lines. It finds the steps of those reports only that are asked for.

    Args:
        scanner: What found the reports.
        text: The lines.
        found: The reports.
        values: Their values.
        last_step: The step of the last one.
        stepped: Whether some may have a step.
    """

    __slots__ = ("_found", "_last_step", "_scanner", "_stepped", "_text", "high", "low", "span", "values")

    def __init__(
        self,
        scanner: Scanner,
        text: bytes,
        found: Reports,
        values: Sequence[float],
        *,
        last_step: int | None,
        stepped: bool,
    ) -> None:
        self.values = values
        self.low = min(values)
        self.high = max(values)
        self.span = len(text)
        self._scanner = scanner
        self._text = text
        self._found = found
        self._last_step = last_step
        # With one report, which is the rule while a trial runs, its step is known; the place does not matter.
        self._stepped = len(values) > 1 and stepped

    def one(self, index: int) -> Reported:
        """Returns the last report, or the first one with its value."""
        last = index == len(self.values) - 1
        if not self._stepped:
            return index, self._last_step if last else None, self.values[index]
        if last:
            return self._found.last, self._last_step, self.values[index]
        offset = self._offset(index)
        return offset, step_before(self._text, offset), self.values[index]

    def _offset(self, index: int) -> int:
        if self._found.offsets is None and isinstance(self._scanner, TokenScanner):
            return self._scanner.offset(self._text, self._found, index)
        return self.offsets[index]

    def spread(self, wanted: Sequence[int]) -> Sequence[Reported]:
        """Returns some reports, or those nearby, in ascending order."""
        if not self._stepped:
            return [self.one(index) for index in wanted]
        if self._found.offsets is None and len(wanted) * _FEW < len(self.values):
            near = self._near(wanted)
            # The number of a report nearby is not known, so it needs its step.
            if len(near) == len(wanted) and all(step is not None for _, step, _ in near):
                return near
        offsets = self.offsets
        return [(offsets[each], step_before(self._text, offsets[each]), self.values[each]) for each in wanted]

    def _near(self, wanted: Sequence[int]) -> list[Reported]:
        if not isinstance(self._scanner, TokenScanner):
            return []
        return [
            (offset, step_before(self._text, offset), float(text))
            for offset, text in self._scanner.near(self._text, self._found, wanted)
        ]

    @property
    def offsets(self) -> list[int]:
        """Where each report is."""
        if self._found.offsets is not None:
            return self._found.offsets
        return [offset for offset, _ in self._scanner.find_places(self._text)]
