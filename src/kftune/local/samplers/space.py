"""A study's space as samplers see it: names with parents first, and points without what is switched off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, Protocol

from kftune.domains import Conditional, Domain

Point = dict[str, Any]
"""Searched values by dotted name; a value whose condition does not hold is left out."""

LARGEST_LISTED = 100_000
"""A space of more points than this is not listed to find those that are left."""


class Suggestion(NamedTuple):
    """What a trial shall try."""

    point: Point
    assignment: dict[str, str]

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Equal for suggestions that would run the same command."""
        return tuple(self.assignment.items())


class Searched(Protocol):
    """What is searched: a study, or the parameters of an Experiment."""

    @property
    def space(self) -> Mapping[str, Domain]:
        """Name -> domain, in the order in which numbers are drawn."""

    @property
    def size(self) -> float:
        """The number of different points, conditions aside, or `math.inf`."""

    def active(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """`point` without the values whose condition does not hold."""

    def assignment(self, point: Mapping[str, Any]) -> dict[str, str]:
        """The texts that a trial gets."""

    def first_points(self) -> list[dict[str, Any]]:
        """What to try first."""


class Space:
    """The searched hyperparameters of a study or of an Experiment.

    Attributes:
        domains: Name -> domain without its condition; a name stands behind those that its condition names.
        conditional: The names that have a condition.
    """

    def __init__(self, searched: Searched) -> None:
        self._searched = searched
        space = searched.space
        self.conditional = frozenset(name for name, domain in space.items() if isinstance(domain, Conditional))
        self.domains: dict[str, Domain] = {}
        # A class takes a conditional parent only above its child, so this order has parents first.
        for name in sorted(space, key=self.conditional.__contains__):
            domain = space[name]
            inner = domain.domain if isinstance(domain, Conditional) else domain
            if inner is not None:
                self.domains[name] = inner

    @property
    def listable(self) -> bool:
        """Whether the points are few enough to go through them all."""
        return self._searched.size <= LARGEST_LISTED

    def is_active(self, name: str, point: Point) -> bool:
        """Whether a name's condition holds, given the values of the names before it."""
        return name not in self.conditional or name in self._searched.active({**point, name: None})

    @property
    def dimensions(self) -> int:
        """How many uniform numbers a draw takes."""
        return sum(domain.size > 1 for domain in self.domains.values())

    def draw(self, uniform: Callable[[], float]) -> Point:
        """A point made of one uniform number for each name, active or not.

        A domain of one value takes none: rendered for Katib, it is no parameter, and the others shall draw the same.
        """
        point: Point = {}
        for name, domain in self.domains.items():
            u = uniform() if domain.size > 1 else 0.5
            if self.is_active(name, point):
                point[name] = domain.quantile(u)
        return point

    def reduced(self, point: Point) -> Point:
        """`point` without what is switched off."""
        kept: Point = {}
        for name in self.domains:
            if name in point and self.is_active(name, kept):
                kept[name] = point[name]
        return kept

    def suggestion(self, point: Point) -> Suggestion:
        """A point with the texts that its trial gets."""
        return Suggestion(point, self._searched.assignment(point))

    def first_points(self) -> list[Point]:
        """What the study says to try first."""
        return [self.reduced(point) for point in self._searched.first_points()]

    def all_points(self) -> Iterator[Point]:
        """Every point once.

        Raises:
            DomainError: There is no end of them.
        """
        return self._below({}, list(self.domains))

    def count(self) -> float:
        """The number of different points, conditions counted, as far as they can be listed; else infinity."""
        return sum(1 for _ in islice(self.all_points(), LARGEST_LISTED)) if self.listable else math.inf

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
