"""`Domain`: what every domain can do, and the checks that they share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

from kftune.errors import DomainError

if TYPE_CHECKING:
    import random


class Domain(ABC):
    """What a field may take in a search.

    Attributes:
        kind: The key that names the domain in a study file.
        positional: Names of the arguments that a study file lists by position.
    """

    __slots__ = ()
    kind: ClassVar[str]
    positional: ClassVar[tuple[str, ...]] = ("low", "high")

    @abstractmethod
    def quantile(self, u: float) -> Any:
        """The value below which a share `u` (from 0 to 1) of the distribution lies."""

    @abstractmethod
    def contains(self, value: object) -> bool:
        """Whether `value` is one of the domain's points."""

    @property
    def size(self) -> float:
        """The number of points: an int, or `math.inf`."""
        return math.inf

    def sample(self, rng: random.Random) -> Any:
        """A value drawn from the domain with `rng`."""
        return self.quantile(rng.random())

    def grid(self) -> tuple[Any, ...]:
        """All points, in order.

        Raises:
            DomainError: The domain has no end of points.
        """
        raise DomainError(
            f"a grid needs a domain with a finite number of points, but {self!r} is continuous; "
            f"give it a step (QUniform, QLogUniform, IntUniform) or list its values (Choice)"
        )

    def to_spec(self) -> dict[str, Any]:
        """The domain as a study file writes it, e.g. ``{"loguniform": [0.0001, 0.01]}``."""
        spec: dict[str, Any] = {self.kind: [getattr(self, name) for name in self.positional]}
        for field in fields(self):  # type: ignore[arg-type]  # every concrete domain is a dataclass
            value = getattr(self, field.name)
            if field.name not in self.positional and value != field.default:
                spec[field.name] = value
        return spec


def finite(domain: object, name: str, value: object) -> float:
    """`value` as a float; the argument `name` of `domain` must be a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DomainError(f"{type(domain).__name__}: {name} must be a finite number, but got {value!r}")
    return float(value)


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is an int or a float, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def assign(domain: object, name: str, value: object) -> None:
    """Sets an attribute of a frozen domain while it is being made."""
    object.__setattr__(domain, name, value)


def require(domain: object, holds: bool, rule: str, given: str) -> None:
    """Refuses a domain for which `rule` does not hold."""
    if not holds:
        raise DomainError(f"{type(domain).__name__}: {rule} must hold, but got {given}")


def same(one: object, other: object) -> bool:
    """Equality of two values in which True is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def between_logs(low: float, high: float, u: float) -> float:
    """The value at share `u` of the way from `low` to `high`, measured in logarithms."""
    return math.exp(math.log(low) + (math.log(high) - math.log(low)) * u)


def decimals(number: float) -> int:
    """How many decimals the shortest text of `number` has."""
    mantissa, _, exponent = repr(number).partition("e")
    _whole, _, decimals = mantissa.partition(".")
    return max(0, (len(decimals) if decimals.strip("0") else 0) - int(exponent or 0))
