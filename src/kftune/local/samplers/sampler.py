"""`Sampler`: what to try next, never the same twice. The strategy proposes; what was tried already is passed over."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

from kftune.local.samplers.space import Point, Space, Suggestion

_RANDOM_DRAWS = 32


class Strategy(Protocol):
    """How an algorithm chooses.

    Attributes:
        patience: How many of its proposals may turn out as tried already before others are asked; None means all.
        only_its_own: Whether nothing but its proposals may be tried; it may have none until running trials have ended.
        notes: What the user should know of it.
    """

    patience: int | None
    only_its_own: bool
    notes: list[str]

    def proposals(self, number: int) -> Iterator[Point]:
        """Points for trial `number`, the most wanted first; whoever takes another one did not want the one before."""

    def accept(self, number: int, point: Point) -> None:
        """Trial `number` runs with `point`, whoever proposed it."""

    def tell(self, number: int, value: float | None) -> None:
        """Trial `number` has ended with that objective; None when it has none."""

    def parent_of(self, number: int) -> int | None:
        """The trial from whose checkpoint trial `number` goes on; None where it begins anew."""

    def learn(self, results: Iterable[tuple[Point, float]]) -> None:
        """Points and objectives of earlier runs, in the order of their numbers; called before anything else."""


class Sampler:
    """Chooses the trials of one study.

    Args:
        space: What is searched.
        strategy: How the algorithm chooses.
        seed: The study's seed.
        tried: The assignments of all earlier trials.
        repeats: Whether a point may come twice.
    """

    def __init__(
        self,
        space: Space,
        strategy: Strategy,
        seed: int,
        tried: Iterable[dict[str, str]] = (),
        *,
        repeats: bool = False,
    ) -> None:
        self._space = space
        self._strategy = strategy
        self._seed = seed
        self._repeats = repeats
        self._tried = {tuple(assignment.items()) for assignment in tried}
        self._first = [space.suggestion(point) for point in space.first_points()]
        self._left: list[Suggestion] | None = None

    @property
    def notes(self) -> list[str]:
        """What the user should know of the algorithm."""
        return self._strategy.notes

    def ask(self, number: int) -> Suggestion | None:
        """What trial `number` shall try; None when nothing is left, or nothing until a running trial has ended."""
        for suggestion in self._candidates(number):
            if self._repeats or suggestion.key not in self._tried:
                self._tried.add(suggestion.key)
                self._strategy.accept(number, suggestion.point)
                return suggestion
        return None

    def repeat(self, number: int, point: Point) -> None:
        """Trial `number` of an earlier run, which was cut short, runs again."""
        self._strategy.accept(number, point)

    def tell(self, number: int, value: float | None) -> None:
        """Trial `number` has ended with that objective; None when it has none."""
        self._strategy.tell(number, value)

    def parent_of(self, number: int) -> int | None:
        """The trial from whose checkpoint trial `number` goes on; None where it begins anew."""
        return self._strategy.parent_of(number)

    def _candidates(self, number: int) -> Iterator[Suggestion]:
        yield from self._first
        for point in islice(self._strategy.proposals(number), self._strategy.patience):
            yield self._space.suggestion(point)
        if self._repeats or self._strategy.only_its_own:
            return
        rng = numbered_rng(self._seed, number)
        if self._strategy.patience is not None:
            for _ in range(_RANDOM_DRAWS):
                yield self._space.suggestion(self._space.draw(rng.random))
        yield from self._untried(rng)

    def _untried(self, rng: random.Random) -> Iterator[Suggestion]:
        """One of the points that are left, where they can be listed."""
        if self._left is None:
            points = self._space.all_points() if self._space.listable else ()
            self._left = [self._space.suggestion(point) for point in points]
        self._left = [suggestion for suggestion in self._left if suggestion.key not in self._tried]
        if self._left:
            yield rng.choice(self._left)


def numbered_rng(seed: int, number: int) -> random.Random:
    """The random numbers of trial `number`: they depend on nothing else but the seed."""
    return random.Random(f"kftune:{seed}:{number}")
