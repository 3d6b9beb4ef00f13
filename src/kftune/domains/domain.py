"""`Domain`: what every domain can do, and the checks that domains share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypeGuard

from kftune.errors import DomainError, UnknownNameError

if TYPE_CHECKING:
    import random

# The types of the values of most lists. Checks need not look at each value of such a list.
ONE_PLAIN_TYPE = ({int}, {str})

# Sets an attribute of a frozen domain while it is made.
assign = object.__setattr__

# The domains that a study file can name, by kind.
KINDS: dict[str, type[Domain]] = {}

EXAMPLE = "for example {loguniform: [1.0e-4, 1.0e-2]}"


class Domain(ABC):
    """What a field may take in a search.

    A subclass with a `kind` can be named in study files. If it is a dataclass, its fields define how a file writes it
    and its JSON Schema; the first paragraph of its docstring describes it there.

    Attributes:
        kind: The key that names the domain in a study file.
        positional: The fields that a study file lists under that key; the other fields are further keys.
    """

    __slots__ = ()
    kind: ClassVar[str]
    positional: ClassVar[tuple[str, ...]] = ("low", "high")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in vars(cls):  # a dataclass with slots comes twice: the second class replaces the first
            KINDS[cls.kind] = cls
        if "__setattr__" in vars(cls):  # set by `dataclass(frozen=True)`, which raises another error
            cls.__setattr__ = Domain.__setattr__  # type: ignore[method-assign]
            cls.__delattr__ = Domain.__delattr__  # type: ignore[method-assign]

    if not TYPE_CHECKING:  # or mypy would let any attribute be set

        def __setattr__(self, name: str, value: object) -> None:
            self._refuse_change(name)

        def __delattr__(self, name: str) -> None:
            self._refuse_change(name)

    def _refuse_change(self, name: str) -> NoReturn:
        raise DomainError(f"{self!r} is frozen: {name} cannot be changed; make a new {type(self).__name__}(...)")

    @abstractmethod
    def quantile(self, u: float) -> Any:
        """Returns the value below which a share `u` (from 0 to 1) of the distribution lies."""

    @abstractmethod
    def contains(self, value: object) -> bool:
        """Returns whether `value` is one of the domain's points."""

    @property
    def size(self) -> float:
        """The number of points: an int, or `math.inf`."""
        return math.inf

    def sample(self, rng: random.Random) -> Any:
        """Returns a value drawn from the domain with `rng`."""
        return self.quantile(rng.random())

    def grid(self) -> tuple[Any, ...]:
        """Returns all points, in order.

        Raises:
            DomainError: The number of points is infinite.
        """
        raise DomainError(
            f"a grid needs a domain with a finite number of points, but {self!r} is continuous; "
            f"give it a step (QUniform, QLogUniform, IntUniform) or list its values (Choice)"
        )

    def to_spec(self) -> dict[str, Any]:
        """Returns the domain as a study file writes it, e.g. ``{"loguniform": [0.0001, 0.01]}``."""
        spec: dict[str, Any] = {self.kind: [getattr(self, name) for name in self.positional]}
        for field in fields(self):  # type: ignore[arg-type]  # every domain that does not override this is a dataclass
            value = getattr(self, field.name)
            if field.name not in self.positional and value != field.default:
                spec[field.name] = value
        return spec

    @classmethod
    def from_arguments(cls, arguments: object, options: Mapping[str, Any]) -> Self:
        """Returns the domain that a study file writes as ``{kind: arguments, **options}``.

        Args:
            arguments: The list of the positional fields, or a mapping of fields by name.
            options: Further fields by name.

        Raises:
            DomainError: The arguments are not of that form, or the domain is invalid.
            UnknownNameError: The domain has no such field.
        """
        positional, named = cls._split(arguments)
        twice = named.keys() & options.keys()
        if twice:
            raise DomainError(f"{cls.kind} takes each argument once, but got {min(twice)!r} twice")
        known = cls._option_names()
        for name in (*named, *options):
            if name not in known:
                raise UnknownNameError(f"option of {cls.kind}", str(name), known)
        try:
            return cls(*positional, **named, **options)
        except TypeError as error:
            given = f"{arguments!r} {options or ''}".rstrip()
            raise DomainError(f"{cls.kind} takes {', '.join(known)}; but got {given}") from error

    @classmethod
    def _option_names(cls) -> Sequence[str]:
        return [field.name for field in fields(cls)]  # type: ignore[arg-type]  # as in `to_spec`

    @classmethod
    def _split(cls, arguments: object) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Returns the arguments that are given by position, and those by name."""
        if isinstance(arguments, Mapping):
            return (), arguments
        listed = cls._listed(arguments)
        if len(listed) > len(cls.positional):
            names = ", ".join(cls.positional)
            raise DomainError(f"{cls.kind} takes [{names}], and options by name; but got {arguments!r}")
        return listed, {}

    @classmethod
    def _listed(cls, arguments: object) -> Sequence[Any]:
        if not isinstance(arguments, (list, tuple)):
            raise DomainError(f"{cls.kind} takes a list, {EXAMPLE}; but got {arguments!r}")
        return arguments

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)  # as text, True differs from 1

    def __hash__(self) -> int:
        return hash(repr(self))

    def _require(self, holds: bool, rule: str, *names: str) -> None:
        """Raises unless the rule about the arguments `names` holds."""
        if not holds:
            given = ", ".join(f"{name}={getattr(self, name)}" for name in names)
            raise DomainError(f"{type(self).__name__}: {rule} must hold, but got {given}")

    def _assign_finite(self, *names: str) -> None:
        """Makes floats of the arguments `names`, which must be finite numbers."""
        for name in names:
            assign(self, name, self._finite(name, getattr(self, name)))

    def _finite(self, name: str, value: object) -> float:
        if not is_number(value):
            raise DomainError(f"{type(self).__name__}: {name} must be a finite number, but got {value!r}")
        return float(value)

    def _plain(self, value: object) -> Any:
        """Returns `value` as JSON has it: the value of an enum member, a list for a tuple."""
        if isinstance(value, Enum):
            return self._plain(value.value)
        if value is None or isinstance(value, (str, int)) or is_number(value):
            return value
        if isinstance(value, (list, tuple)):
            return [self._plain(item) for item in value]
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: self._plain(item) for key, item in value.items()}
        raise DomainError(
            f"{type(self).__name__}: a value must be text, a finite number, true, false, null, or a list or mapping "
            f"of these, but got {value!r}"
        )


def is_number(value: object) -> TypeGuard[float]:
    """Returns whether `value` is an int or a float (not a bool) that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def same(one: object, other: object) -> bool:
    """Returns whether two values are equal, where True differs from 1.

    Args:
        one: A value.
        other: The value to compare it with.
    """
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def between_logs(low: float, high: float, u: float) -> float:
    """Returns the value between two bounds at a share of the way, measured in logarithms.

    Args:
        low: The value at 0; above 0.
        high: The value at 1.
        u: The share, from 0 to 1.
    """
    if u in (0, 1):
        return high if u else low
    return math.exp(math.log(low) + (math.log(high) - math.log(low)) * u)
