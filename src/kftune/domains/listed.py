"""Domains that list their points, and the constant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate
from math import isfinite
from typing import Any, ClassVar

from kftune.domains.domain import ONE_PLAIN_TYPE, Domain, assign, same
from kftune.errors import DomainError


class Listed(Domain):
    """A domain that lists its points.

    Attributes:
        arguments_schema: The JSON Schema of what a study file writes under the kind.
        options_schema: The JSON Schema of each further key.
    """

    __slots__ = ("options",)
    arguments_schema: ClassVar[Mapping[str, Any]] = {"type": "array", "minItems": 1}
    options_schema: ClassVar[Mapping[str, Any]] = {}
    options: tuple[Any, ...]

    def __init__(self, *options: Any) -> None:
        if not options:
            raise DomainError(f"{type(self).__name__}: needs at least one value, but got none")
        kinds = set(map(type, options))
        if kinds in ONE_PLAIN_TYPE and len(set(options)) == len(options):  # what most lists are
            assign(self, "options", options)
            return
        options = tuple(self._plain(option) for option in options)
        scalars: set[tuple[bool, Any]] = set()  # for long lists; True differs from 1
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

    @classmethod
    def _split(cls, arguments: object) -> tuple[Sequence[Any], Mapping[str, Any]]:
        return cls._listed(arguments), {}

    @classmethod
    def _option_names(cls) -> Sequence[str]:
        return [*cls.options_schema]

    @property
    def size(self) -> int:
        return len(self.options)

    def contains(self, value: object) -> bool:
        try:
            given = self._plain(value)
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


class Choice(Listed):
    """One of the listed values, which have no order. `weights` (one positive number a value) says how often."""

    __slots__ = ("weights",)
    kind = "choice"
    options_schema: ClassVar = {"weights": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}}}
    weights: tuple[float, ...] | None

    def __init__(self, *options: Any, weights: tuple[float, ...] | list[float] | None = None) -> None:
        super().__init__(*options)
        if weights is not None:
            if not isinstance(weights, (list, tuple)):
                raise DomainError(f"Choice: weights must be a list, one for each value, but got {weights!r}")
            weights = tuple(self._finite("each weight", weight) for weight in weights)
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
        return partial(Choice, weights=self.weights), self.options


class Ordinal(Listed):
    """One of the listed values, which are in order (small, medium, large)."""

    __slots__ = ()
    kind = "ordinal"


class Discrete(Listed):
    """One of the listed numbers."""

    __slots__ = ()
    kind = "discrete"
    arguments_schema: ClassVar = {**Listed.arguments_schema, "items": {"type": "number"}}

    def __init__(self, *options: float) -> None:
        for option in options:
            self._finite("each value", option)
        super().__init__(*options)


class Constant(Listed):
    """One value."""

    __slots__ = ()
    kind = "constant"
    arguments_schema: ClassVar = {}

    def __init__(self, value: Any) -> None:
        super().__init__(value)

    @classmethod
    def _split(cls, arguments: object) -> tuple[Sequence[Any], Mapping[str, Any]]:
        return (arguments,), {}

    @property
    def value(self) -> Any:
        """The value."""
        return self.options[0]

    def to_spec(self) -> dict[str, Any]:
        return {self.kind: self.value}
