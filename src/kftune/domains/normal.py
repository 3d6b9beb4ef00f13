"""Normal and log-normal domains, cut off where bounds are given, and their quantised forms."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

from kftune.domains.domain import (
    STEP_TOLERANCE,
    Domain,
    assign,
    decimals,
    finite,
    is_number,
    on_point,
    require,
    require_distinct,
)

# The least share of a distribution that its bounds must leave; below it the quantile loses its digits.
_LEAST_MASS = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Normal(Domain):
    """Normally distributed values, cut off at `low` and `high` where these are given."""

    kind: ClassVar[str] = "normal"
    positional: ClassVar[tuple[str, ...]] = ("mean", "std")
    mean: float
    std: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        _normal_arguments(self)

    def contains(self, value: object) -> bool:
        return is_number(value) and _within(value, self.low, self.high)

    def quantile(self, u: float) -> float:
        end = _end(self.low, self.high, u)
        return _clamped(_truncated_normal(self, self.low, self.high, u), self.low, self.high) if end is None else end


@dataclass(frozen=True, slots=True, eq=False)
class LogNormal(Domain):
    """Values whose natural logarithm is normal with `mean` and `std`; `low` and `high` cut off values."""

    kind: ClassVar[str] = "lognormal"
    positional: ClassVar[tuple[str, ...]] = ("mean", "std")
    mean: float
    std: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        _normal_arguments(self, log=True)

    def contains(self, value: object) -> bool:
        return is_number(value) and value > 0 and _within(value, self.low, self.high)

    def quantile(self, u: float) -> float:
        low = self.low if self.low and self.low > 0 else None
        end = _end(low, self.high, u)
        drawn = math.exp(_truncated_normal(self, _log(low), _log(self.high), u)) if end is None else end
        return _clamped(drawn, low, self.high)


@dataclass(frozen=True, slots=True, eq=False)
class QNormal(Domain):
    """A normal draw, brought to the nearest multiple of `q` (within [low, high] where these are given)."""

    kind: ClassVar[str] = "qnormal"
    positional: ClassVar[tuple[str, ...]] = ("mean", "std")
    mean: float
    std: float
    q: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        _normal_arguments(self)
        _multiples(self)

    @property
    def size(self) -> float:
        return _count_multiples(self)

    def contains(self, value: object) -> bool:
        return _is_multiple(self, value)

    def quantile(self, u: float) -> float:
        return _nearest_multiple(self, _truncated_normal(self, self.low, self.high, u))

    def grid(self) -> tuple[float, ...]:
        return _all_multiples(self)


@dataclass(frozen=True, slots=True, eq=False)
class QLogNormal(Domain):
    """A log-normal draw, brought to the nearest multiple of `q` (within [low, high] where these are given)."""

    kind: ClassVar[str] = "qlognormal"
    positional: ClassVar[tuple[str, ...]] = ("mean", "std")
    mean: float
    std: float
    q: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        _normal_arguments(self, log=True)
        _multiples(self)

    @property
    def size(self) -> float:
        return _count_multiples(self)

    def contains(self, value: object) -> bool:
        return is_number(value) and value >= 0 and _is_multiple(self, value)

    def quantile(self, u: float) -> float:
        drawn = math.exp(_truncated_normal(self, _log(self.low), _log(self.high), u))
        return _nearest_multiple(self, drawn)

    def grid(self) -> tuple[float, ...]:
        return _all_multiples(self)


def _log(bound: float | None) -> float | None:
    return None if bound is None else math.log(bound) if bound > 0 else -math.inf


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _end(low: float | None, high: float | None, u: float) -> float | None:
    """The bound that a quantile of 0 or 1 is, free of rounding."""
    return low if u == 0 else high if u == 1 else None


def _clamped(value: float, low: float | None, high: float | None) -> float:
    if low is not None:
        value = max(value, low)
    return value if high is None else min(value, high)


def _normal_arguments(domain: Any, *, log: bool = False) -> None:
    for name in ("mean", "std", "low", "high"):
        if getattr(domain, name) is not None or name in ("mean", "std"):
            assign(domain, name, finite(domain, name, getattr(domain, name)))
    require(domain, domain.std > 0, "0 < std", "std")
    low, high = domain.low, domain.high
    if low is not None and high is not None:
        require(domain, low < high, "low < high", "low", "high")
    if log and high is not None:
        require(domain, high > 0, "0 < high", "high")
    below, above = _share_below(domain, _log(low) if log else low, _log(high) if log else high)
    rule = f"bounds that keep at least {_LEAST_MASS} of the distribution"
    require(domain, above - below >= _LEAST_MASS, rule, "low", "high")
    least, most = _extremes(domain, log=log)
    limits = (math.log(sys.float_info.min), math.log(sys.float_info.max)) if log else (-math.inf, math.inf)
    holds = limits[0] < least and most < limits[1]
    require(domain, holds, "draws within the range of a float", "mean", "std")


def _standard_normal() -> Any:
    # Imported where used: `statistics` costs more start-up than all of this module, and few spaces are normal.
    from statistics import NormalDist  # noqa: PLC0415

    return NormalDist()


def _share_below(domain: Any, low: float | None, high: float | None) -> tuple[float, float]:
    if low is None and high is None:
        return 0.0, 1.0
    cdf = _standard_normal().cdf
    below = 0.0 if low is None else cdf((low - domain.mean) / domain.std)
    above = 1.0 if high is None else cdf((high - domain.mean) / domain.std)
    return below, above


def _truncated_normal(domain: Any, low: float | None, high: float | None, u: float) -> float:
    below, above = _share_below(domain, low, high)
    share = min(max(below + (above - below) * u, 2.0**-53), 1 - 2.0**-53)
    return float(domain.mean + domain.std * _standard_normal().inv_cdf(share))


def _extremes(domain: Any, *, log: bool = False) -> tuple[float, float]:
    """The least and the greatest draw (of the logarithm, with `log`)."""
    low, high = (_log(domain.low), _log(domain.high)) if log else (domain.low, domain.high)
    return _truncated_normal(domain, low, high, 0), _truncated_normal(domain, low, high, 1)


def _multiples(domain: Any) -> None:
    assign(domain, "q", finite(domain, "q", domain.q))
    require(domain, domain.q > 0, "0 < q", "q")
    log = isinstance(domain, QLogNormal)
    draws = map(math.exp, _extremes(domain, log=True)) if log else _extremes(domain)
    require_distinct(domain, *draws, domain.low or 0.0, domain.high or 0.0)
    rule = "a multiple of q within [low, high]"
    require(domain, _count_multiples(domain) >= 1, rule, "q", "low", "high")
    ends = (domain.quantile(0), domain.quantile(1))
    require(domain, all(map(math.isfinite, ends)), "multiples of q within the range of a float", "mean", "std", "q")


def _index_range(domain: Any) -> tuple[float, float]:
    low = -math.inf if domain.low is None else math.ceil(domain.low / domain.q - STEP_TOLERANCE)
    if isinstance(domain, QLogNormal):
        low = max(low, 0)
    high = math.inf if domain.high is None else math.floor(domain.high / domain.q + STEP_TOLERANCE)
    return low, high


def _count_multiples(domain: Any) -> float:
    low, high = _index_range(domain)
    return math.inf if math.isinf(high - low) else int(high - low) + 1


def _multiple(domain: Any, index: int) -> float:
    return _clamped(float(round(index * domain.q, decimals(domain.q))), domain.low, domain.high)


def _nearest_multiple(domain: Any, value: float) -> float:
    low, high = _index_range(domain)
    return _multiple(domain, int(min(max(round(value / domain.q), low), high)))


def _is_multiple(domain: Any, value: object) -> bool:
    if not is_number(value) or math.isinf(value / domain.q):
        return False
    low, high = _index_range(domain)
    index = round(value / domain.q)
    return low <= index <= high and on_point(value, _multiple(domain, index), domain.q)


def _all_multiples(domain: Any) -> tuple[float, ...]:
    low, high = _index_range(domain)
    if math.isinf(high - low):
        return Domain.grid(domain)
    return tuple(_multiple(domain, index) for index in range(int(low), int(high) + 1))
