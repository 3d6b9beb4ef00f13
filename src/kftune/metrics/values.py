"""What one trial reported of one metric. The reducer makes these records, and the results store them."""

from __future__ import annotations

import math
from typing import NamedTuple

UNAVAILABLE = "unavailable"
"""Katib's text for a value that was never reported or is not a number."""


class MetricValues(NamedTuple):
    """The smallest, greatest and latest value that a trial reported of one metric, as printed.

    The smallest and the greatest are finite numbers. The latest is nan or infinite if the trial has diverged since.
    """

    min: str
    max: str
    latest: str
    """Of equal values the first one is kept."""
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not needed here
    """How often a finite value was reported."""
    step: int | None = None
    """The step of the latest report; None when it had none."""

    def text(self, reduce: str) -> str:
        """Returns the printed value that counts for the trial.

        Args:
            reduce: ``min``, ``max`` or ``latest``.
        """
        return self.min if reduce == "min" else self.max if reduce == "max" else self.latest

    def number(self, reduce: str) -> float | None:
        """Returns the value that counts for the trial; None when its text is not a finite number.

        Args:
            reduce: ``min``, ``max`` or ``latest``.

        Source: katib, suggestionclient.go: the latest value replaces an unavailable minimum or maximum.
        """
        text = self.text(reduce)
        try:
            number = float(self.latest if text == UNAVAILABLE else text)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
