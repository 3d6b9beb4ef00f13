"""`Conditional`: a domain, or a group of fields, that matters only for some choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kftune.domains.domain import Domain, assign, require, same
from kftune.errors import DomainError


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
        require(self, bool(when) and all(values for _, values in when), "at least one condition", repr(self.when))
        assign(self, "when", when)

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
