"""What a hyperparameter may take in a search: frozen, validated domains.

Every domain turns a uniform number into a value through one function, `Domain.quantile`. Sampling on this machine
and decoding of a surrogate inside a container both go through it, so both follow one distribution.
Bounds are values, never exponents.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar

from kftune.errors import DomainError, UnknownNameError

if TYPE_CHECKING:
    import random

# The least share of a normal distribution that its bounds must leave; below it the quantile loses its digits.
_LEAST_MASS = 1e-9


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


def _number(domain: object, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DomainError(f"{type(domain).__name__}: {name} must be a finite number, but got {value!r}")
    return float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _set(domain: object, name: str, value: object) -> None:
    object.__setattr__(domain, name, value)


def _check(domain: object, holds: bool, rule: str, given: str) -> None:
    if not holds:
        raise DomainError(f"{type(domain).__name__}: {rule} must hold, but got {given}")


@dataclass(frozen=True, slots=True)
class _Interval(Domain):
    """A continuous range of values, both ends included."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _set(self, "low", _number(self, "low", self.low))
        _set(self, "high", _number(self, "high", self.high))
        _check(self, self.low < self.high, "low < high", f"low={self.low}, high={self.high}")

    def contains(self, value: object) -> bool:
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]

    def _clamp(self, value: float) -> float:
        return min(max(value, self.low), self.high)


class Uniform(_Interval):
    """Every value from `low` to `high` alike."""

    __slots__ = ()
    kind = "uniform"

    def quantile(self, u: float) -> float:
        return self._clamp(self.low + (self.high - self.low) * u)


class LogUniform(_Interval):
    """Every order of magnitude from `low` to `high` alike; ``0 < low``."""

    __slots__ = ()
    kind = "loguniform"

    def __post_init__(self) -> None:
        _Interval.__post_init__(self)
        _check(self, self.low > 0, "0 < low (bounds are values, not exponents)", f"low={self.low}")

    def quantile(self, u: float) -> float:
        return self._clamp(_between_logs(self.low, self.high, u))


class ReverseLogUniform(_Interval):
    """Values close to 1 in steps as fine as `LogUniform` gives those close to 0; ``0 <= low < high < 1``.

    The distance to 1 is log-uniform, as for a momentum or a discount (0.9, 0.99, 0.999).

    Source: SageMaker's ReverseLogarithmic scaling, defined on 0 <= x < 1.
    """

    __slots__ = ()
    kind = "reverse_loguniform"

    def __post_init__(self) -> None:
        _Interval.__post_init__(self)
        given = f"low={self.low}, high={self.high}"
        _check(self, 0 <= self.low and self.high < 1, "0 <= low < high < 1", given)

    def quantile(self, u: float) -> float:
        return self._clamp(1 - _between_logs(1 - self.low, 1 - self.high, u))


@dataclass(frozen=True, slots=True)
class _Lattice(Domain):
    """The points ``low + k * q`` that lie within [low, high]."""

    low: float
    high: float
    q: float

    def __post_init__(self) -> None:
        for name in ("low", "high", "q"):
            _set(self, name, _number(self, name, getattr(self, name)))
        _check(self, self.low < self.high, "low < high", f"low={self.low}, high={self.high}")
        _check(self, 0 < self.q <= self.high - self.low, "0 < q <= high - low", f"q={self.q}")

    @property
    def size(self) -> int:
        return int((self.high - self.low) / self.q + 1e-9) + 1

    def point(self, index: int) -> float:
        """The lattice's point number `index`, rounded to the decimals of `low` and `q`."""
        places = max(_decimals(self.low), _decimals(self.q))
        return round(self.low + index * self.q, places)

    def contains(self, value: object) -> bool:
        if not _is_number(value):
            return False
        index = round((value - self.low) / self.q)  # type: ignore[operator]
        return 0 <= index < self.size and math.isclose(
            value,  # type: ignore[arg-type]
            self.point(index),
            abs_tol=self.q * 1e-9,
        )

    def grid(self) -> tuple[float, ...]:
        return tuple(self.point(index) for index in range(self.size))


class QUniform(_Lattice):
    """Every point ``low + k * q`` up to `high` alike."""

    __slots__ = ()
    kind = "quniform"

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: [self.low, self.high], "q": self.q}

    def quantile(self, u: float) -> float:
        return self.point(min(int(u * self.size), self.size - 1))


class QLogUniform(_Lattice):
    """A log-uniform draw from [low, high], brought to the nearest point ``low + k * q``; ``0 < low``."""

    __slots__ = ()
    kind = "qloguniform"

    def __post_init__(self) -> None:
        _Lattice.__post_init__(self)
        _check(self, self.low > 0, "0 < low (bounds are values, not exponents)", f"low={self.low}")

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: [self.low, self.high], "q": self.q}

    def quantile(self, u: float) -> float:
        drawn = _between_logs(self.low, self.high, u)
        return self.point(min(round((drawn - self.low) / self.q), self.size - 1))


@dataclass(frozen=True, slots=True)
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
        return _is_number(value) and _within(value, self.low, self.high)  # type: ignore[arg-type]

    def quantile(self, u: float) -> float:
        return _clamped(_truncated_normal(self, self.low, self.high, u), self.low, self.high)


@dataclass(frozen=True, slots=True)
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
        return _is_number(value) and value > 0 and _within(value, self.low, self.high)  # type: ignore[operator,arg-type]

    def quantile(self, u: float) -> float:
        drawn = math.exp(_truncated_normal(self, _log(self.low), _log(self.high), u))
        return _clamped(drawn, self.low, self.high)


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
        return _is_multiple(self, value) and value >= 0  # type: ignore[operator]

    def quantile(self, u: float) -> float:
        drawn = math.exp(_truncated_normal(self, _log(self.low), _log(self.high), u))
        return _nearest_multiple(self, drawn)

    def grid(self) -> tuple[float, ...]:
        return _all_multiples(self)


@dataclass(frozen=True, slots=True)
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
        _check(self, self.low <= self.high, "low <= high", f"low={self.low}, high={self.high}")
        _check(self, self.step >= 1, "step >= 1", f"step={self.step}")
        _check(self, not self.log or self.low >= 1, "low >= 1 with log", f"low={self.low}")

    @property
    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    def contains(self, value: object) -> bool:
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and (value - self.low) % self.step == 0
        )

    def quantile(self, u: float) -> int:
        if not self.log:
            return self.low + min(int(u * self.size), self.size - 1) * self.step
        # Each integer owns the half unit on both sides, so that the ends are as likely as their neighbours.
        top = self.low + (self.size - 1) * self.step
        drawn = _between_logs(self.low - 0.5, top + 0.5, u)
        index = round((drawn - self.low) / self.step)
        return self.low + min(max(index, 0), self.size - 1) * self.step

    def grid(self) -> tuple[int, ...]:
        return tuple(range(self.low, self.high + 1, self.step))


class _Listed(Domain):
    """A domain that lists its points."""

    __slots__ = ()
    options: tuple[Any, ...]

    @property
    def size(self) -> int:
        return len(self.options)

    def contains(self, value: object) -> bool:
        return any(same(option, value) for option in self.options)

    def quantile(self, u: float) -> Any:
        return self.options[min(int(u * len(self.options)), len(self.options) - 1)]

    def grid(self) -> tuple[Any, ...]:
        return self.options

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: list(self.options)}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.options))})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; make a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; make a new one")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.options

    def _set_options(self, options: tuple[Any, ...]) -> None:
        if not options:
            raise DomainError(f"{type(self).__name__}: needs at least one value, but got none")
        for index, option in enumerate(options):
            if any(same(option, earlier) for earlier in options[:index]):
                raise DomainError(f"{type(self).__name__}: values must differ, but {option!r} is there twice")
        _set(self, "options", options)


class Choice(_Listed):
    """One of `options`, which have no order; with `weights` (positive, one an option) not all alike."""

    __slots__ = ("options", "weights")
    kind = "choice"
    weights: tuple[float, ...] | None

    def __init__(self, *options: Any, weights: tuple[float, ...] | list[float] | None = None) -> None:
        self._set_options(options)
        if weights is not None:
            weights = tuple(_number(self, "each weight", weight) for weight in weights)
            given = f"weights={list(weights)} for {len(options)} values"
            holds = len(weights) == len(options) and min(weights, default=0) > 0
            _check(self, holds, "one weight above 0 for each value", given)
        _set(self, "weights", weights)

    def quantile(self, u: float) -> Any:
        if self.weights is None:
            return _Listed.quantile(self, u)
        bounds = list(accumulate(self.weights))
        return self.options[min(bisect_right(bounds, u * bounds[-1]), len(self.options) - 1)]

    def to_spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {self.kind: list(self.options)}
        return spec if self.weights is None else {**spec, "weights": list(self.weights)}

    def __repr__(self) -> str:
        listed = ", ".join(map(repr, self.options))
        return f"Choice({listed})" if self.weights is None else f"Choice({listed}, weights={self.weights})"

    def __reduce__(self) -> tuple[Any, ...]:
        return domain_from_spec, (self.to_spec(),)


class Ordinal(_Listed):
    """One of `options`, whose order means something (small, medium, large)."""

    __slots__ = ("options",)
    kind = "ordinal"

    def __init__(self, *options: Any) -> None:
        self._set_options(options)


class Discrete(_Listed):
    """One of the numbers `options`."""

    __slots__ = ("options",)
    kind = "discrete"

    def __init__(self, *options: float) -> None:
        for option in options:
            _number(self, "each value", option)
        self._set_options(options)


@dataclass(frozen=True, slots=True)
class Constant(Domain):
    """One value."""

    kind: ClassVar[str] = "constant"
    value: Any

    @property
    def size(self) -> int:
        return 1

    def contains(self, value: object) -> bool:
        return same(self.value, value)

    def quantile(self, u: float) -> Any:  # noqa: ARG002  # one value, whatever the draw
        return self.value

    def grid(self) -> tuple[Any, ...]:
        return (self.value,)

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: self.value}


@dataclass(frozen=True, slots=True)
class Conditional(Domain):
    """A domain, or with no domain a whole group of fields, that matters only for some choice.

    Where the condition does not hold, the field keeps its default.

    Attributes:
        domain: What the field may take when the condition holds; None on a group, whose fields have their own.
        when: Name of another field -> the values of it for which this one is active. All must hold.
    """

    kind: ClassVar[str] = "conditional"
    domain: Domain | None = None
    when: Any = ()

    def __post_init__(self) -> None:
        pairs = self.when.items() if isinstance(self.when, Mapping) else self.when
        when = tuple(
            (name, tuple(values) if isinstance(values, (list, tuple)) else (values,)) for name, values in pairs
        )
        _check(self, bool(when) and all(values for _, values in when), "at least one condition", repr(self.when))
        _set(self, "when", when)

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the fields that decide whether this one is active."""
        return tuple(name for name, _ in self.when)

    @property
    def size(self) -> float:
        return 1 if self.domain is None else self.domain.size

    def active(self, values: Mapping[str, Any]) -> bool:
        """Whether the condition holds for the values of the other fields."""
        return all(any(same(option, values.get(name)) for option in options) for name, options in self.when)

    def contains(self, value: object) -> bool:
        return self.domain is None or self.domain.contains(value)

    def quantile(self, u: float) -> Any:
        return self._inner().quantile(u)

    def grid(self) -> tuple[Any, ...]:
        return self._inner().grid()

    def to_spec(self) -> dict[str, Any]:
        inner = {} if self.domain is None else self.domain.to_spec()
        return {**inner, "when": {name: list(options) for name, options in self.when}}

    def _inner(self) -> Domain:
        if self.domain is None:
            raise DomainError("Conditional without a domain marks a group of fields; it has no values of its own")
        return self.domain


_KINDS: dict[str, type[Domain]] = {
    domain.kind: domain
    for domain in (
        *(Uniform, LogUniform, ReverseLogUniform, QUniform, QLogUniform),
        *(Normal, LogNormal, QNormal, QLogNormal, IntUniform),
        *(Choice, Ordinal, Discrete, Constant),
    )
}


def domain_from_spec(spec: object) -> Domain:
    """The domain that a study file describes.

    Args:
        spec: One key that names the domain, with a list of its arguments (or a mapping of them by name), and further
            keys for options: ``{"int": [1, 9], "step": 2}``; ``when`` makes it conditional.

    Raises:
        DomainError: The description is not of that form, or the domain it describes cannot be.
        UnknownNameError: No domain has that name.
    """
    if not isinstance(spec, Mapping):
        raise DomainError(f"a domain is written as one key with its arguments, {_EXAMPLE}; but got {spec!r}")
    options = dict(spec)
    when = options.pop("when", None)
    kinds = [key for key in options if key in _KINDS]
    if not kinds and when is not None and not options:
        return Conditional(None, when)
    if not kinds and options:
        raise UnknownNameError("domain", str(next(iter(options))), _KINDS)
    if len(kinds) != 1:
        raise DomainError(f"a domain has exactly one of {', '.join(_KINDS)}, {_EXAMPLE}; but got {dict(spec)!r}")
    domain = _domain(kinds[0], options.pop(kinds[0]), options)
    return domain if when is None else Conditional(domain, when)


_EXAMPLE = "for example {loguniform: [1.0e-4, 1.0e-2]}"


def _domain(kind: str, arguments: object, options: dict[str, Any]) -> Domain:
    make = _KINDS[kind]
    if make is Constant:
        positional: list[Any] = [arguments]
    elif isinstance(arguments, Mapping) and not issubclass(make, _Listed):
        positional, options = [], {**arguments, **options}
    elif isinstance(arguments, (list, tuple)):
        positional = list(arguments)
    else:
        raise DomainError(f"{kind} takes a list, {_EXAMPLE}; but got {arguments!r}")
    if not issubclass(make, _Listed) and len(positional) > len(make.positional) and make is not Constant:
        names = ", ".join(make.positional)
        raise DomainError(f"{kind} takes [{names}], and options by name; but got {positional!r}")
    known = ("weights",) if make is Choice else () if issubclass(make, _Listed) else _argument_names(make)
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {kind}", str(name), known)
    try:
        return make(*positional, **options)
    except TypeError as error:
        wanted = ", ".join(known)
        raise DomainError(f"{kind} takes {wanted}; but got {arguments!r} {options or ''}".rstrip()) from error


def _argument_names(make: type[Domain]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(make))  # type: ignore[arg-type]


def same(one: object, other: object) -> bool:
    """Equality of two values in which True is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _between_logs(low: float, high: float, u: float) -> float:
    return math.exp(math.log(low) + (math.log(high) - math.log(low)) * u)


def _decimals(number: float) -> int:
    """How many decimals the shortest text of `number` has."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, decimals = mantissa.partition(".")
    return max(0, (len(decimals) if decimals.strip("0") else 0) - int(exponent or 0))


def _log(bound: float | None) -> float | None:
    return None if bound is None else math.log(bound) if bound > 0 else -math.inf


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _clamped(value: float, low: float | None, high: float | None) -> float:
    if low is not None:
        value = max(value, low)
    return value if high is None else min(value, high)


def _normal_arguments(domain: Any, *, log: bool = False) -> None:
    for name in ("mean", "std", "low", "high"):
        if getattr(domain, name) is not None or name in ("mean", "std"):
            _set(domain, name, _number(domain, name, getattr(domain, name)))
    _check(domain, domain.std > 0, "0 < std", f"std={domain.std}")
    low, high = domain.low, domain.high
    if low is not None and high is not None:
        _check(domain, low < high, "low < high", f"low={low}, high={high}")
    if log and high is not None:
        _check(domain, high > 0, "0 < high", f"high={high}")
    below, above = _share_below(domain, _log(low) if log else low, _log(high) if log else high)
    rule = f"bounds that keep at least {_LEAST_MASS} of the distribution"
    _check(domain, above - below >= _LEAST_MASS, rule, f"low={low}, high={high}")


def _standard_normal() -> Any:
    # Imported where used: `statistics` costs more start-up than all of this module, and few spaces are normal.
    from statistics import NormalDist

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


def _multiples(domain: Any) -> None:
    _set(domain, "q", _number(domain, "q", domain.q))
    _check(domain, domain.q > 0, "0 < q", f"q={domain.q}")
    rule = "a multiple of q within [low, high]"
    _check(domain, _count_multiples(domain) >= 1, rule, f"q={domain.q}, low={domain.low}, high={domain.high}")


def _index_range(domain: Any) -> tuple[float, float]:
    low = -math.inf if domain.low is None else math.ceil(domain.low / domain.q - 1e-9)
    if isinstance(domain, QLogNormal):
        low = max(low, 0)
    high = math.inf if domain.high is None else math.floor(domain.high / domain.q + 1e-9)
    return low, high


def _count_multiples(domain: Any) -> float:
    low, high = _index_range(domain)
    return math.inf if math.isinf(high - low) else int(high - low) + 1


def _multiple(domain: Any, index: int) -> float:
    return round(index * domain.q, _decimals(domain.q))


def _nearest_multiple(domain: Any, value: float) -> float:
    low, high = _index_range(domain)
    return _multiple(domain, int(min(max(round(value / domain.q), low), high)))


def _is_multiple(domain: Any, value: object) -> bool:
    if not _is_number(value):
        return False
    low, high = _index_range(domain)
    index = round(value / domain.q)  # type: ignore[operator]
    return low <= index <= high and math.isclose(value, _multiple(domain, index), abs_tol=domain.q * 1e-9)  # type: ignore[arg-type]


def _all_multiples(domain: Any) -> tuple[float, ...]:
    low, high = _index_range(domain)
    if math.isinf(high - low):
        return Domain.grid(domain)
    return tuple(_multiple(domain, index) for index in range(int(low), int(high) + 1))
