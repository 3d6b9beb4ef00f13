"""Normal and log-normal domains, truncated where bounds are given, and their quantised forms."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

from kftune.domains.domain import Domain, is_number
from kftune.domains.lattice import Stepped, clamped

# The least share of a distribution that its bounds must leave; below it the quantile loses its digits.
_LEAST_MASS = 1e-9


class Bell(Domain):
    """A normal distribution of the value or, with `is_log`, of its natural logarithm; `low` and `high` bound values."""

    __slots__ = ()
    positional: ClassVar = ("mean", "std")
    is_log: ClassVar[bool] = False
    mean: float
    std: float
    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        given = (name for name in ("low", "high") if getattr(self, name) is not None)
        self._assign_finite("mean", "std", *given)
        self._require(self.std > 0, "0 < std", "std")
        if self.low is not None and self.high is not None:
            self._require(self.low < self.high, "low < high", "low", "high")
        if self.is_log and self.high is not None:
            self._require(self.high > 0, "0 < high", "high")
        below, above = self._shares()
        rule = f"bounds that keep at least {_LEAST_MASS} of the distribution"
        self._require(above - below >= _LEAST_MASS, rule, "low", "high")
        limits = (math.log(sys.float_info.min), math.log(sys.float_info.max)) if self.is_log else (-math.inf, math.inf)
        holds = limits[0] < self._normal_draw(0) and self._normal_draw(1) < limits[1]
        self._require(holds, "draws within the range of a float", "mean", "std")

    def _draw(self, u: float) -> float:
        """Returns the quantile, which rounding may have moved beyond the bounds."""
        drawn = self._normal_draw(u)
        return math.exp(drawn) if self.is_log else drawn

    def _normal_draw(self, u: float) -> float:
        below, above = self._shares()
        share = min(max(below + (above - below) * u, 2.0**-53), 1 - 2.0**-53)
        return float(self.mean + self.std * _standard_normal().inv_cdf(share))

    def _shares(self) -> tuple[float, float]:
        """Returns the shares of the whole distribution that are below `low` and below `high`."""
        if self.low is None and self.high is None:
            return 0.0, 1.0
        return self._share(self.low, 0.0), self._share(self.high, 1.0)

    def _share(self, bound: float | None, default: float) -> float:
        if bound is None:
            return default
        if self.is_log:
            bound = math.log(bound) if bound > 0 else -math.inf
        return float(_standard_normal().cdf((bound - self.mean) / self.std))


@dataclass(frozen=True, slots=True, eq=False)
class _Smooth(Bell):
    mean: float
    std: float
    low: float | None = None
    high: float | None = None

    def contains(self, value: object) -> bool:
        return is_number(value) and (value > 0 or not self.is_log) and clamped(value, self.low, self.high) == value

    def quantile(self, u: float) -> float:
        low = self.low if not self.is_log or (self.low or 0) > 0 else None
        end = low if u == 0 else self.high if u == 1 else None  # free of rounding
        return clamped(self._draw(u), low, self.high) if end is None else end


class Normal(_Smooth):
    """Normally distributed values, truncated at `low` and `high` if given."""

    __slots__ = ()
    kind = "normal"


class LogNormal(_Smooth):
    """Values with a normally distributed natural logarithm, truncated at the values `low` and `high` if given."""

    __slots__ = ()
    kind = "lognormal"
    is_log = True


@dataclass(frozen=True, slots=True, eq=False)
class _Quantised(Bell, Stepped):
    mean: float
    std: float
    q: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        Bell.__post_init__(self)
        self._assign_finite("q")
        self._require(self.q > 0, "0 < q", "q")
        self._require_distinct(self._draw(0), self._draw(1), self.low or 0.0, self.high or 0.0)
        self._require(self.size >= 1, "a multiple of q within [low, high]", "q", "low", "high")
        ends = (self.quantile(0), self.quantile(1))
        self._require(all(map(math.isfinite, ends)), "multiples of q within the range of a float", "mean", "std", "q")

    def contains(self, value: object) -> bool:
        return Stepped.contains(self, value) and (not self.is_log or value >= 0)  # type: ignore[operator]  # a number

    def quantile(self, u: float) -> float:
        return self._nearest(self._draw(u))

    def _indices(self) -> tuple[float, float]:
        first, last = Stepped._indices(self)
        return max(first, 0) if self.is_log else first, last


class QNormal(_Quantised):
    """A normal draw, rounded to the nearest multiple of `q` (within `low` and `high` if given)."""

    __slots__ = ()
    kind = "qnormal"


class QLogNormal(_Quantised):
    """A log-normal draw, rounded to the nearest multiple of `q` (within `low` and `high` if given)."""

    __slots__ = ()
    kind = "qlognormal"
    is_log = True


def _standard_normal() -> Any:
    # Imported where used: `statistics` costs more start-up than all of this module, and few spaces are normal.
    from statistics import NormalDist  # noqa: PLC0415

    return NormalDist()
