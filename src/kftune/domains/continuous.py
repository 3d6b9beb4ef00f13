"""Continuous ranges: uniform, and uniform in the logarithm of the value or of its distance to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kftune.domains.domain import Domain, assign, between_logs, finite, is_number, require


@dataclass(frozen=True, slots=True, eq=False)
class Interval(Domain):
    """A continuous range of values, both ends included."""

    low: float
    high: float

    def __post_init__(self) -> None:
        low, high = finite(self, "low", self.low), finite(self, "high", self.high)
        assign(self, "low", low)
        assign(self, "high", high)
        require(self, low < high, "low < high", "low", "high")
        require(self, high - low < math.inf, "a finite high - low", "low", "high")

    def contains(self, value: object) -> bool:
        return is_number(value) and self.low <= value <= self.high

    def _clamp(self, value: float) -> float:
        return min(max(value, self.low), self.high)


class Uniform(Interval):
    """Every value from `low` to `high` alike."""

    __slots__ = ()
    kind = "uniform"

    def quantile(self, u: float) -> float:
        return self._clamp(self.low + (self.high - self.low) * u)


class LogUniform(Interval):
    """Every order of magnitude from `low` to `high` alike; ``0 < low``."""

    __slots__ = ()
    kind = "loguniform"

    def __post_init__(self) -> None:
        Interval.__post_init__(self)
        require(self, self.low > 0, "0 < low (bounds are values, not exponents)", "low")

    def quantile(self, u: float) -> float:
        return self._clamp(between_logs(self.low, self.high, u))


class ReverseLogUniform(Interval):
    """Values close to 1 in steps as fine as `LogUniform` gives those close to 0; ``0 <= low < high < 1``.

    The distance to 1 is log-uniform, as for a momentum or a discount (0.9, 0.99, 0.999).

    Source: SageMaker's ReverseLogarithmic scaling, defined on 0 <= x < 1.
    """

    __slots__ = ()
    kind = "reverse_loguniform"

    def __post_init__(self) -> None:
        Interval.__post_init__(self)
        require(self, 0 <= self.low and self.high < 1, "0 <= low < high < 1", "low", "high")

    def quantile(self, u: float) -> float:
        return self._clamp(1 - between_logs(1 - self.low, 1 - self.high, u))
