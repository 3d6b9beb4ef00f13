"""`Sampler`: chooses the next trial. A strategy proposes points; points that were already tried are skipped."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import count

from kftune.local.samplers.space import Point, Space, Suggestion
from kftune.local.samplers.strategy import MOST_REFUSED, Strategy
from kftune.results.past import PastPoint

_RANDOM_DRAWS = 32


class Sampler:
    """Chooses the trials of one study.

    Args:
        space: What is searched.
        strategy: How the algorithm chooses.
        seed: The study's seed.
        tried: The assignments of all earlier trials.
        repeats: Whether a point may be tried twice.
        past: Points of past trials, which are tried after those of the study and before any others.

    Attributes:
        notes: Notes about the algorithm for the user.
        repeat: Notes that an interrupted trial of an earlier run runs again (number, point).
        tell: Notes that a trial has ended (number, objective or None).
        tell_score: The same with a value of each objective.
        parent_of: Returns the trial that a trial resumes from (number); None to start from scratch.
        suggestion: Returns a point with the texts that its trial gets (point).
    """

    def __init__(
        self,
        space: Space,
        strategy: Strategy,
        seed: int,
        tried: Iterable[dict[str, str]] = (),
        *,
        repeats: bool = False,
        past: Iterable[PastPoint] = (),
    ) -> None:
        self._space = space
        self._strategy = strategy
        self._seed = seed
        self._repeats = repeats
        self._tried = {tuple(assignment.items()) for assignment in tried}
        self._first = [space.suggestion(point) for point in space.first_points()]
        self._first += [space.suggestion(each.point)._replace(past=each.origin) for each in past]
        self._left: list[Suggestion] | None = None
        self.notes = strategy.notes
        self.repeat = strategy.accept
        self.tell = strategy.tell
        self.tell_score = strategy.tell_score
        self.parent_of = strategy.parent_of
        self.suggestion = space.suggestion

    def ask(self, number: int) -> Suggestion | None:
        """Returns what trial `number` tries; None when nothing is left, or nothing until a running trial has ended."""
        for suggestion in self._candidates(number):
            if self._repeats or suggestion.key not in self._tried:
                self._tried.add(suggestion.key)
                self._strategy.accept(number, suggestion.drawn)
                return suggestion
        return None

    def claim(self, suggestion: Suggestion) -> bool:
        """Notes that a trial tries values that were not asked for; returns whether no trial has tried them before."""
        is_new = suggestion.key not in self._tried
        self._tried.add(suggestion.key)
        return is_new

    def total(self, budget: int) -> int:
        """Returns how many trials a run can have: fewer than its budget where there are fewer points.

        Args:
            budget: The most that may run.
        """
        if self._repeats:
            return min(budget, self._strategy.size or budget)
        if not self._space.listable:
            return budget
        found = {*self._tried, *(suggestion.key for suggestion in self._first)}
        for suggestion in self._allowed_points():
            if len(found) >= budget:
                return budget
            found.add(suggestion.key)
        return min(budget, len(found))

    def _candidates(self, number: int) -> Iterator[Suggestion]:
        yield from self._first
        strategy = self._strategy
        yield from self._allowed(strategy.proposals(number), strategy.patience, strategy.most_refused)
        if self._repeats or self._strategy.exclusive:
            return
        rng = _random_draws(self._seed, number)
        if self._strategy.patience is not None:
            draws = (self._space.draw(rng.random) for _ in count())
            yield from self._allowed(draws, _RANDOM_DRAWS, MOST_REFUSED)
        yield from self._untried(rng)

    def _allowed(self, points: Iterable[Point], most: int | None, most_refused: int | None) -> Iterator[Suggestion]:
        """Yields points that may be tried.

        Args:
            points: Points that are proposed.
            most: How many are yielded at most; None: no limit.
            most_refused: How many are passed over at most because the study refuses them; None: no limit.
        """
        refused = yielded = 0
        for point in points:
            if self._space.refusal(point) is None:
                yield self._space.suggestion(point)
                yielded += 1
            else:
                refused += 1
            if yielded == most or refused == most_refused:
                return

    def _untried(self, rng: random.Random) -> Iterator[Suggestion]:
        """Yields one of the remaining points, if they can be listed."""
        if self._left is None:
            self._left = [*self._allowed_points()] if self._space.listable else []
        self._left = [suggestion for suggestion in self._left if suggestion.key not in self._tried]
        if self._left:
            yield rng.choice(self._left)

    def _allowed_points(self) -> Iterator[Suggestion]:
        """Yields every point that may be tried."""
        points = (point for point in self._space.all_points() if self._space.refusal(point) is None)
        yield from map(self._space.suggestion, points)


def _random_draws(seed: int, number: int) -> random.Random:
    """Returns random numbers that no strategy has drawn before: they begin other than those of `numbered_rng`."""
    return random.Random(f"kftune:{seed}:{number}:fallback")
