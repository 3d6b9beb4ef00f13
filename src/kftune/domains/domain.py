"""`Domain`: what every domain can do, and the checks that they share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeGuard

from kftune.errors import DomainError

if TYPE_CHECKING:
    import random


# How far from a whole number of steps, in steps, rounding may bring a quotient of two numbers as people write them.
STEP_TOLERANCE = 1e-9


class Domain(ABC):
    """What a field may take in a search.

    Attributes:
        kind: The key that names the domain in a study file.
        positional: Names of the arguments that a study file lists by position.
    """

    __slots__ = ()
    kind: ClassVar[str]
    positional: ClassVar[tuple[str, ...]] = ("low", "high")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__setattr__" in vars(cls):  # that of a frozen dataclass, which has an error of its own
            cls.__setattr__ = Domain.__setattr__  # type: ignore[method-assign]
            cls.__delattr__ = Domain.__delattr__  # type: ignore[method-assign]

    if not TYPE_CHECKING:  # or mypy would let any attribute be set

        def __setattr__(self, name: str, value: object) -> None:
            self._refuse_change(name)

        def __delattr__(self, name: str) -> None:
            self._refuse_change(name)

    def _refuse_change(self, name: str) -> NoReturn:
        kind = type(self).__name__
        raise DomainError(f"a domain is frozen, so {name} of {self!r} stays as it is; make a new one: {kind}(...)")

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

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)  # in a text True is not 1

    def __hash__(self) -> int:
        return hash(repr(self))


def finite(domain: object, name: str, value: object) -> float:
    """`value` as a float; the argument `name` of `domain` must be a finite number."""
    if not is_number(value):
        raise DomainError(f"{type(domain).__name__}: {name} must be a finite number, but got {value!r}")
    return float(value)


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is an int or a float (no bool) that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


# The types of the values of most lists: checks that need not look at each value know them by this.
ONE_PLAIN_TYPE = ({int}, {str})

# Sets an attribute of a frozen domain while it is being made.
assign = object.__setattr__


def require(domain: object, holds: bool, rule: str, *names: str) -> None:
    """Refuses a domain for which `rule` does not hold; `names` are the arguments that it is about."""
    if not holds:
        given = ", ".join(f"{name}={getattr(domain, name)}" for name in names)
        raise DomainError(f"{type(domain).__name__}: {rule} must hold, but got {given}")


def require_distinct(domain: Any, *extremes: float) -> None:
    """Refuses a step `q` so small that neighbouring points near `extremes` would be one float."""
    least = 2 * max(map(math.ulp, extremes))
    require(domain, domain.q >= least, f"q >= {least}, twice the distance of floats there", "q")


def on_point(value: float, point: float, q: float) -> bool:
    """Whether `value` is the lattice point `point`, but for rounding."""
    return math.isclose(value, point, rel_tol=1e-15, abs_tol=q * STEP_TOLERANCE)


def plain(domain: object, value: object) -> Any:
    """`value` as JSON has it: an enum member is its value, a tuple a list."""
    if isinstance(value, Enum):
        return plain(domain, value.value)
    if value is None or isinstance(value, (str, int)) or is_number(value):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(domain, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(domain, item) for key, item in value.items()}
    raise DomainError(
        f"{type(domain).__name__}: a value must be text, a finite number, true, false, null, or a list or mapping of "
        f"these, but got {value!r}"
    )


def same(one: object, other: object) -> bool:
    """Equality of two values in which True is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def between_logs(low: float, high: float, u: float) -> float:
    """The value at share `u` of the way from `low` to `high`, measured in logarithms."""
    if u in (0, 1):
        return high if u else low
    return math.exp(math.log(low) + (math.log(high) - math.log(low)) * u)


def decimals(number: float) -> int:
    """How many decimals the shortest text of `number` has."""
    mantissa, _, exponent = repr(number).partition("e")
    _whole, _, decimals = mantissa.partition(".")
    return max(0, (len(decimals) if decimals.strip("0") else 0) - int(exponent or 0))
