"""The search space for samplers: parents before children, and points without inactive values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from kftune.domains import Conditional, Domain
from kftune.results import Origin
from kftune.study.feasibility import Refusal

Point = dict[str, Any]
"""Searched values by dotted name, without inactive values: those with a condition that does not hold."""

_LARGEST_LISTED = 100_000
"""The points of a larger space are not listed to find the remaining ones."""

_LARGEST_ASKED = 20_000
"""The same for a space of which the study is asked for each point: a class may have a slow validator."""


class Suggestion(NamedTuple):
    """What a trial tries."""

    point: Point
    """The values, with the types that a trial gets."""
    assignment: dict[str, str]
    """The texts that a trial gets."""
    drawn: Point
    """The point as it was proposed; an algorithm knows its own proposals again."""
    past: str = ""
    """The past trial that the point comes from, as `from_past` writes it; empty if it comes from none."""

    def origin(self, own: Origin) -> Origin:
        """Returns what chose the point.

        Args:
            own: What chooses the points of the study.
        """
        return own._replace(algorithm=self.past, settings={}) if self.past else own

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Equal for suggestions that run the same command."""
        return tuple(self.assignment.items())


class Searched(Protocol):
    """What is searched: a study, or the parameters of an Experiment."""

    @property
    def space(self) -> Mapping[str, Domain]:
        """Name -> domain, in the order in which numbers are drawn."""

    def active(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns `point` without inactive values."""

    def typed(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns `point` with the types that a trial gets."""

    def assignment(self, point: Mapping[str, Any]) -> dict[str, str]:
        """Returns the texts that a trial gets."""

    def first_points(self) -> list[dict[str, Any]]:
        """Returns what to try first."""

    @property
    def restricted(self) -> bool:
        """Whether some points may not be tried."""

    def refusal(self, point: Mapping[str, Any]) -> Refusal | None:
        """Returns what refuses a point; None if it may be tried."""


class Space:
    """The searched hyperparameters of a study or of an Experiment.

    Attributes:
        domains: Name -> domain without its condition, after the names that its condition depends on.
        conditional: The names that have a condition.
        restricted: Whether some points may not be tried.
    """

    def __init__(self, searched: Searched) -> None:
        self._searched = searched
        space = searched.space
        self.conditional = frozenset(name for name, domain in space.items() if isinstance(domain, Conditional))
        self.restricted = searched.restricted
        self.domains: dict[str, Domain] = {}
        # A class accepts a conditional parent only above its child, so this order has parents first.
        for name in sorted(space, key=self.conditional.__contains__):
            domain = space[name]
            inner = domain.domain if isinstance(domain, Conditional) else domain
            if inner is not None:
                self.domains[name] = inner

    @property
    def listable(self) -> bool:
        """Whether the points are few enough to list them all."""
        largest = _LARGEST_ASKED if self.restricted else _LARGEST_LISTED
        return math.prod(domain.size for domain in self.domains.values()) <= largest

    def is_active(self, name: str, point: Point) -> bool:
        """Returns whether a name's condition holds.

        Args:
            name: The name.
            point: The values of the names before it.
        """
        return name not in self.conditional or name in self._searched.active({**point, name: None})

    @property
    def dimensions(self) -> int:
        """How many uniform numbers a draw uses."""
        return sum(domain.size > 1 for domain in self.domains.values())

    def draw(self, uniform: Callable[[], float]) -> Point:
        """Returns a point drawn with one uniform number for each name, active or not.

        A domain with one value uses no number. It is not a parameter when rendered for Katib, and the other names must
        draw the same values there.
        """
        point: Point = {}
        for name, domain in self.domains.items():
            u = uniform() if domain.size > 1 else 0.5
            if self.is_active(name, point):
                point[name] = domain.quantile(u)
        return point

    def reduced(self, point: Point) -> Point:
        """Returns `point` without inactive values."""
        kept: Point = {}
        for name in self.domains:
            if name in point and self.is_active(name, kept):
                kept[name] = point[name]
        return kept

    def refusal(self, point: Point) -> Refusal | None:
        """Returns what refuses a point; None if it may be tried."""
        return self._searched.refusal(point) if self.restricted else None

    def suggestion(self, point: Point) -> Suggestion:
        """Returns a point with the texts that its trial gets."""
        return Suggestion(self._searched.typed(point), self._searched.assignment(point), point)

    def first_points(self) -> list[Point]:
        """Returns the points that the study lists to try first."""
        return [self.reduced(point) for point in self._searched.first_points()]

    def all_points(self) -> Iterator[Point]:
        """Returns every point once.

        Raises:
            DomainError: There are infinitely many.
        """
        return self._below({}, list(self.domains))

    def _below(self, point: Point, names: list[str]) -> Iterator[Point]:
        if not names:
            yield point
            return
        name, rest = names[0], names[1:]
        if not self.is_active(name, point):
            yield from self._below(point, rest)
            return
        for value in self.domains[name].grid():
            yield from self._below({**point, name: value}, rest)
