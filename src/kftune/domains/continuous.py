"""Continuous ranges: uniform, and uniform in the logarithm of the value or of its distance to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kftune.domains.domain import Domain, between_logs, is_number


@dataclass(frozen=True, slots=True, eq=False)
class Interval(Domain):
    """A continuous range of values, including both ends."""

    low: float
    high: float

    def __post_init__(self) -> None:
        self._assign_finite("low", "high")
        self._require(self.low < self.high, "low < high", "low", "high")
        self._require(self.high - self.low < math.inf, "a finite high - low", "low", "high")

    def contains(self, value: object) -> bool:
        return is_number(value) and self.low <= value <= self.high

    def _clamp(self, value: float) -> float:
        return min(max(value, self.low), self.high)


class Uniform(Interval):
    """All values from `low` to `high` are equally likely."""

    __slots__ = ()
    kind = "uniform"

    def quantile(self, u: float) -> float:
        return self._clamp(self.low + (self.high - self.low) * u)


class LogUniform(Interval):
    """All orders of magnitude from `low` to `high` are equally likely. The bounds are values above 0, not exponents."""

    __slots__ = ()
    kind = "loguniform"

    def __post_init__(self) -> None:
        Interval.__post_init__(self)
        self._require(self.low > 0, "0 < low (bounds are values, not exponents)", "low")

    def quantile(self, u: float) -> float:
        return self._clamp(between_logs(self.low, self.high, u))


class ReverseLogUniform(Interval):
    """The distance to 1 is log-uniform, as for a momentum or a discount (0.9, 0.99, 0.999); ``0 <= low < high < 1``.

    Source: SageMaker's ReverseLogarithmic scaling, defined on 0 <= x < 1.
    """

    __slots__ = ()
    kind = "reverse_loguniform"

    def __post_init__(self) -> None:
        Interval.__post_init__(self)
        self._require(0 <= self.low and self.high < 1, "0 <= low < high < 1", "low", "high")

    def quantile(self, u: float) -> float:
        return self._clamp(1 - between_logs(1 - self.low, 1 - self.high, u))
