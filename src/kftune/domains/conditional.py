"""`Conditional`: a domain, or a group of fields, that is active only for some values of other fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kftune.domains.domain import Domain, assign, same
from kftune.errors import DomainError


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Domain):
    """A domain that is active only for some values of other fields; without a domain, a condition on a group of fields.

    While the condition does not hold, the field keeps its default.

    Attributes:
        domain: What the field may take while the condition holds; None on a group, as its fields have domains.
        when: Name of another field -> the values of it for which this one is active. All conditions must hold.
    """

    domain: Domain | None = None
    when: Any = ()

    def __post_init__(self) -> None:
        if self.domain is not None and (isinstance(self.domain, Conditional) or not isinstance(self.domain, Domain)):
            raise DomainError(f"Conditional: domain must be a domain without conditions, but got {self.domain!r}")
        when: dict[str, tuple[Any, ...]] = {}
        for name, values in _pairs(self.when):
            options = tuple(self._plain(value) for value in values)
            # Two conditions on one field both hold for the values that they share.
            when[name] = tuple(option for option in options if _among(option, when.get(name, options)))
        self._require(bool(when) and all(when.values()), "at least one condition, with a value", "when")
        assign(self, "when", tuple(when.items()))

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the fields that decide whether this one is active."""
        return tuple(name for name, _ in self.when)

    @property
    def size(self) -> float:
        return 1 if self.domain is None else self.domain.size

    def active(self, values: Mapping[str, Any]) -> bool:
        """Returns whether the condition holds for the values of the other fields."""
        return all(_among(values.get(name), options) for name, options in self.when)

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
            raise DomainError("Conditional without a domain marks a group of fields; it has no values")
        return self.domain


def _among(value: object, options: tuple[Any, ...]) -> bool:
    return any(same(option, value) for option in options)


def _pairs(when: object) -> Iterable[tuple[str, tuple[Any, ...]]]:
    """Yields name and values of each condition, from a mapping or from the pairs of another `Conditional`."""
    pairs = tuple(when.items()) if isinstance(when, Mapping) else when
    if not isinstance(pairs, tuple):
        raise DomainError(f"Conditional: when must be a mapping of names to values, but got {when!r}")
    for name, values in pairs:
        yield name, tuple(values) if isinstance(values, (list, tuple)) else (values,)
