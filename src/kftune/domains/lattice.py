"""Ranges with steps: numbers ``low + k * q``, and integers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from kftune.domains.domain import (
    STEP_TOLERANCE,
    Domain,
    assign,
    between_logs,
    decimals,
    finite,
    is_number,
    on_point,
    require,
    require_distinct,
)
from kftune.errors import DomainError


@dataclass(frozen=True, slots=True, eq=False)
class Lattice(Domain):
    """The points ``low + k * q`` that lie within [low, high]."""

    low: float
    high: float
    q: float

    def __post_init__(self) -> None:
        for name in ("low", "high", "q"):
            assign(self, name, finite(self, name, getattr(self, name)))
        require(self, self.low < self.high, "low < high", "low", "high")
        require(self, self.high - self.low < math.inf, "a finite high - low", "low", "high")
        holds = self.q > 0 and (self.high - self.low) / self.q > 1 - STEP_TOLERANCE
        require(self, holds, "0 < q <= high - low", "q")
        require_distinct(self, self.low, self.high)

    @property
    def size(self) -> int:
        return int((self.high - self.low) / self.q + STEP_TOLERANCE) + 1

    def point(self, index: int) -> float:
        """The lattice's point number `index`, rounded to the decimals of `low` and `q`."""
        places = max(decimals(self.low), decimals(self.q))
        return min(round(self.low + index * self.q, places) + 0.0, self.high)  # + 0.0 makes 0.0 of -0.0

    def contains(self, value: object) -> bool:
        if not is_number(value) or not self.low - self.q < value < self.high + self.q:
            return False
        index = round((value - self.low) / self.q)
        return 0 <= index < self.size and on_point(value, self.point(index), self.q)

    def grid(self) -> tuple[float, ...]:
        return tuple(self.point(index) for index in range(self.size))


class QUniform(Lattice):
    """Every point ``low + k * q`` up to `high` alike."""

    __slots__ = ()
    kind = "quniform"

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: [self.low, self.high], "q": self.q}

    def quantile(self, u: float) -> float:
        return self.point(min(int(u * self.size), self.size - 1))


class QLogUniform(Lattice):
    """A log-uniform draw from [low, high], brought to the nearest point ``low + k * q``; ``0 < low``."""

    __slots__ = ()
    kind = "qloguniform"

    def __post_init__(self) -> None:
        Lattice.__post_init__(self)
        require(self, self.low > 0, "0 < low (bounds are values, not exponents)", "low")

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: [self.low, self.high], "q": self.q}

    def quantile(self, u: float) -> float:
        drawn = between_logs(self.low, self.high, u)
        return self.point(min(round((drawn - self.low) / self.q), self.size - 1))


@dataclass(frozen=True, slots=True, eq=False)
class IntUniform(Domain):
    """Every integer ``low + k * step`` up to `high` alike, or every order of magnitude alike with `log`."""

    kind: ClassVar[str] = "int"
    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise DomainError(f"IntUniform: {name} must be an integer, but got {value!r}")
            require(self, abs(value) < 2**63, "an integer of 64 bits", name)
        if not isinstance(self.log, bool):
            raise DomainError(f"IntUniform: log must be true or false, but got {self.log!r}")
        require(self, self.low <= self.high, "low <= high", "low", "high")
        require(self, self.step >= 1, "step >= 1", "step")
        require(self, not self.log or self.low >= 1, "low >= 1 with log", "low")

    @property
    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    def contains(self, value: object) -> bool:
        # A whole float counts: a field of floats may be searched over integers.
        return is_number(value) and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def quantile(self, u: float) -> int:
        if not self.log:
            return self.low + min(int(u * self.size), self.size - 1) * self.step
        # Each integer owns the half unit on both sides, so that the ends are as likely as their neighbours.
        top = self.low + (self.size - 1) * self.step
        if u in (0, 1):  # beyond 2^53 a float may not tell them apart
            return top if u else self.low
        drawn = between_logs(self.low - 0.5, top + 0.5, u)
        index = round((drawn - self.low) / self.step)
        return self.low + min(max(index, 0), self.size - 1) * self.step

    def grid(self) -> tuple[int, ...]:
        return tuple(range(self.low, self.high + 1, self.step))
