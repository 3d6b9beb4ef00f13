"""Numbers at a fixed distance from each other, and integers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from kftune.domains.domain import Domain, between_logs, is_number
from kftune.errors import DomainError

# Numbers as people write them make a quotient that rounding moves this far, in steps, from a whole number.
STEP_TOLERANCE = 1e-9

LARGEST_INTEGER = 2**63
"""Integers are smaller than this: Katib reads them as 64 bits."""


class Stepped(Domain):
    """A domain of the points ``origin + k * q`` for integers k, within the bounds that are given."""

    __slots__ = ()
    low: float | None
    high: float | None
    q: float

    @property
    def origin(self) -> float:
        """The point with index 0; need not be within the bounds."""
        return 0.0

    @property
    def size(self) -> float:
        first, last = self._indices()
        return math.inf if math.isinf(last - first) else int(last - first) + 1

    @property
    def is_whole(self) -> bool:
        """Whether each point is a whole number of at most 64 bits."""
        ends = (self.quantile(0), self.quantile(1))
        return self.origin.is_integer() and self.q.is_integer() and max(map(abs, ends)) < LARGEST_INTEGER

    def point(self, index: int) -> float:
        """Returns ``origin + index * q``, rounded to the decimals that these two have."""
        places = max(_decimals(self.origin), _decimals(self.q))
        return clamped(round(self.origin + index * self.q, places) + 0.0, self.low, self.high)  # 0.0 in place of -0.0

    def contains(self, value: object) -> bool:
        if not is_number(value) or math.isinf(steps := (value - self.origin) / self.q):
            return False
        first, last = self._indices()
        index = round(steps)
        return first <= index <= last and math.isclose(
            value, self.point(index), rel_tol=1e-15, abs_tol=self.q * STEP_TOLERANCE
        )

    def grid(self) -> tuple[float, ...]:
        first, last = self._indices()
        if math.isinf(last - first):
            return Domain.grid(self)
        return tuple(self.point(index) for index in range(int(first), int(last) + 1))

    def _indices(self) -> tuple[float, float]:
        """Returns the first and the last index; infinite without bounds."""
        first = -math.inf if self.low is None else math.ceil(self.low / self.q - STEP_TOLERANCE)
        last = math.inf if self.high is None else math.floor(self.high / self.q + STEP_TOLERANCE)
        return first, last

    def _nearest(self, value: float) -> float:
        first, last = self._indices()
        return self.point(int(min(max(round((value - self.origin) / self.q), first), last)))

    def _require_distinct(self, *extremes: float) -> None:
        """Rejects a step so small that neighbouring points near `extremes` would be one float."""
        least = 2 * max(map(math.ulp, extremes))
        self._require(self.q >= least, f"q >= {least}, twice the distance of floats there", "q")


@dataclass(frozen=True, slots=True, eq=False)
class Lattice(Stepped):
    """The points ``low + k * q`` up to `high`."""

    low: float
    high: float
    q: float

    def __post_init__(self) -> None:
        self._assign_finite("low", "high", "q")
        self._require(self.low < self.high, "low < high", "low", "high")
        self._require(self.high - self.low < math.inf, "a finite high - low", "low", "high")
        holds = self.q > 0 and (self.high - self.low) / self.q > 1 - STEP_TOLERANCE
        self._require(holds, "0 < q <= high - low", "q")
        self._require_distinct(self.low, self.high)

    @property
    def origin(self) -> float:
        return self.low

    @property
    def size(self) -> int:
        return int((self.high - self.low) / self.q + STEP_TOLERANCE) + 1

    def _indices(self) -> tuple[int, int]:
        return 0, self.size - 1


class QUniform(Lattice):
    """All points ``low + k * q`` up to `high` are equally likely."""

    __slots__ = ()
    kind = "quniform"

    def quantile(self, u: float) -> float:
        return self.point(min(int(u * self.size), self.size - 1))

    def integers(self) -> IntUniform:
        """Returns the same points as integers; `is_whole` must hold."""
        return IntUniform(int(self.low), int(self.point(self.size - 1)), int(self.q))


class QLogUniform(Lattice):
    """A log-uniform draw from `low` to `high`, rounded to the nearest point ``low + k * q``; ``0 < low``."""

    __slots__ = ()
    kind = "qloguniform"

    def __post_init__(self) -> None:
        Lattice.__post_init__(self)
        self._require(self.low > 0, "0 < low (bounds are values, not exponents)", "low")

    def quantile(self, u: float) -> float:
        return self._nearest(between_logs(self.low, self.high, u))


@dataclass(frozen=True, slots=True, eq=False)
class IntUniform(Domain):
    """All integers ``low + k * step`` up to `high` are equally likely; with `log`, all orders of magnitude are."""

    kind: ClassVar[str] = "int"
    low: int
    high: int
    step: int = field(default=1, metadata={"minimum": 1})
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise DomainError(f"IntUniform: {name} must be an integer, but got {value!r}")
            self._require(abs(value) < LARGEST_INTEGER, "an integer of 64 bits", name)
        if not isinstance(self.log, bool):
            raise DomainError(f"IntUniform: log must be true or false, but got {self.log!r}")
        self._require(self.low <= self.high, "low <= high", "low", "high")
        self._require(self.step >= 1, "step >= 1", "step")
        self._require(not self.log or self.low >= 1, "low >= 1 with log", "low")

    @property
    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    def contains(self, value: object) -> bool:
        # A whole float counts: a field of floats may be searched over integers.
        return is_number(value) and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def quantile(self, u: float) -> int:
        if not self.log:
            return self.low + min(int(u * self.size), self.size - 1) * self.step
        # Each integer has the half unit on both sides, so that the ends are as likely as their neighbours.
        top = self.low + (self.size - 1) * self.step
        if u in (0, 1):  # beyond 2^53 the two may be the same float
            return top if u else self.low
        drawn = between_logs(self.low - 0.5, top + 0.5, u)
        index = round((drawn - self.low) / self.step)
        return self.low + min(max(index, 0), self.size - 1) * self.step

    def grid(self) -> tuple[int, ...]:
        return tuple(range(self.low, self.high + 1, self.step))


def clamped(value: float, low: float | None, high: float | None) -> float:
    """Returns `value` within the bounds.

    Args:
        value: A number.
        low: The least allowed; None for no lower bound.
        high: The greatest allowed; None for no upper bound.
    """
    if low is not None:
        value = max(value, low)
    return value if high is None else min(value, high)


def _decimals(number: float) -> int:
    """Returns how many decimals the shortest text of `number` has."""
    mantissa, _, exponent = repr(number).partition("e")
    _whole, _, decimals = mantissa.partition(".")
    return max(0, (len(decimals) if decimals.strip("0") else 0) - int(exponent or 0))
