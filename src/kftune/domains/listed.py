"""Domains that list their points, and the constant."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from math import isfinite
from typing import Any

from kftune.domains.domain import ONE_PLAIN_TYPE, Domain, assign, finite, plain, same
from kftune.errors import DomainError


class Listed(Domain):
    """A domain that lists its points."""

    __slots__ = ()
    options: tuple[Any, ...]

    @property
    def size(self) -> int:
        return len(self.options)

    def contains(self, value: object) -> bool:
        try:
            given = plain(self, value)
        except DomainError:
            return False
        return any(same(option, given) for option in self.options)

    def quantile(self, u: float) -> Any:
        return self.options[min(int(u * len(self.options)), len(self.options) - 1)]

    def grid(self) -> tuple[Any, ...]:
        return self.options

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: list(self.options)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.options))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.options

    def _set_options(self, options: tuple[Any, ...]) -> None:
        if not options:
            raise DomainError(f"{type(self).__name__}: needs at least one value, but got none")
        kinds = set(map(type, options))
        if kinds in ONE_PLAIN_TYPE and len(set(options)) == len(options):  # what most lists are
            assign(self, "options", options)
            return
        options = tuple(plain(self, option) for option in options)
        scalars: set[tuple[bool, Any]] = set()  # a list may be long; True is not 1
        others: list[Any] = []
        for option in options:
            if isinstance(option, (list, dict)):
                is_known = option in others
                others.append(option)
            else:
                is_known = (isinstance(option, bool), option) in scalars
                scalars.add((isinstance(option, bool), option))
            if is_known:
                raise DomainError(f"{type(self).__name__}: values must differ, but {option!r} is there twice")
        assign(self, "options", options)


class Choice(Listed):
    """One of `options`, which have no order; with `weights` (positive, one an option) not all alike."""

    __slots__ = ("options", "weights")
    kind = "choice"
    weights: tuple[float, ...] | None

    def __init__(self, *options: Any, weights: tuple[float, ...] | list[float] | None = None) -> None:
        self._set_options(options)
        if weights is not None:
            if not isinstance(weights, (list, tuple)):
                raise DomainError(f"Choice: weights must be a list, one for each value, but got {weights!r}")
            weights = tuple(finite(self, "each weight", weight) for weight in weights)
            if len(weights) != len(options) or min(weights) <= 0 or not isfinite(sum(weights)):
                given = f"weights={list(weights)} for {len(options)} values"
                raise DomainError(f"Choice: one weight above 0 for each value must hold, but got {given}")
        assign(self, "weights", weights)

    def quantile(self, u: float) -> Any:
        if self.weights is None:
            return Listed.quantile(self, u)
        bounds = list(accumulate(self.weights))
        return self.options[min(bisect_right(bounds, u * bounds[-1]), len(self.options) - 1)]

    def to_spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {self.kind: list(self.options)}
        return spec if self.weights is None else {**spec, "weights": list(self.weights)}

    def __repr__(self) -> str:
        listed = ", ".join(map(repr, self.options))
        return f"Choice({listed})" if self.weights is None else f"Choice({listed}, weights={self.weights})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _choice, (self.options, self.weights)


def _choice(options: tuple[Any, ...], weights: tuple[float, ...] | None) -> Choice:
    return Choice(*options, weights=weights)


class Ordinal(Listed):
    """One of `options`, whose order means something (small, medium, large)."""

    __slots__ = ("options",)
    kind = "ordinal"

    def __init__(self, *options: Any) -> None:
        self._set_options(options)


class Discrete(Listed):
    """One of the numbers `options`."""

    __slots__ = ("options",)
    kind = "discrete"

    def __init__(self, *options: float) -> None:
        for option in options:
            finite(self, "each value", option)
        self._set_options(options)


class Constant(Listed):
    """One value."""

    __slots__ = ("options",)
    kind = "constant"

    def __init__(self, value: Any) -> None:
        self._set_options((value,))

    @property
    def value(self) -> Any:
        """The value."""
        return self.options[0]

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: self.value}
