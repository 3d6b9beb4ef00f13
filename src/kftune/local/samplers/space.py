"""A study's space as samplers see it: names with parents first, and points without what is switched off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from kftune.domains import Conditional, Domain
from kftune.study import Study

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


class Space:
    """The searched hyperparameters of a study.

    Attributes:
        domains: Name -> domain without its condition; a name stands behind those that its condition names.
        conditional: The names that have a condition.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self.conditional = frozenset(name for name, domain in study.space.items() if isinstance(domain, Conditional))
        self.domains: dict[str, Domain] = {}
        # A class takes a conditional parent only above its child, so this order has parents first.
        for name in sorted(study.space, key=self.conditional.__contains__):
            domain = study.space[name]
            inner = domain.domain if isinstance(domain, Conditional) else domain
            if inner is not None:
                self.domains[name] = inner

    @property
    def listable(self) -> bool:
        """Whether the points are few enough to go through them all."""
        return self._study.size <= LARGEST_LISTED

    def is_active(self, name: str, point: Point) -> bool:
        """Whether a name's condition holds, given the values of the names before it."""
        return name not in self.conditional or name in self._study.active({**point, name: None})

    def draw(self, uniform: Callable[[], float]) -> Point:
        """A point made of one uniform number for each name, active or not."""
        point: Point = {}
        for name, domain in self.domains.items():
            u = uniform()
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
        return Suggestion(point, self._study.assignment(point))

    def first_points(self) -> list[Point]:
        """What the study says to try first."""
        return [self.reduced(point) for point in self._study.first_points()]

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
