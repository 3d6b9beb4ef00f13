"""The Pareto set: the trials that no other trial is better than in one objective and at least as good as in all."""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import takewhile
from operator import le
from typing import Generic, TypeVar

from kftune.metrics.values import MetricValues
from kftune.results.records import SCORED, Meta, TrackedObjective, Trial

Score = tuple[float, ...]
"""A trial's value of each objective."""

Key = TypeVar("Key", int, str)


def score_of(
    objective: float | None, metrics: Mapping[str, MetricValues], others: Iterable[TrackedObjective]
) -> Score | None:
    """Returns a trial's value of each objective; None if one of them is missing.

    Args:
        objective: The value of the first objective.
        metrics: What the trial reported.
        others: The further objectives.
    """
    score = [objective]
    for other in others:
        values = metrics.get(other.name)
        score.append(None if values is None else values.number(other.reduce))
    found = tuple([value for value in score if value is not None])
    return found if len(found) == len(score) else None


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Returns whether scores that are to be minimized are as good in all objectives and better in one."""
    return one != other and all(map(le, one, other))


class Front(Generic[Key]):
    """The Pareto set of the trials that were added so far. Trials with equal scores are all in it.

    Args:
        directions: minimize or maximize, of each objective.
    """

    def __init__(self, directions: Iterable[str]) -> None:
        self._signs = [1 if direction == "minimize" else -1 for direction in directions]
        # Sorted, with the sign that makes less better: only a score before another one can beat it.
        self._scores: list[Score] = []
        self._keys: dict[Score, list[Key]] = {}

    def add(self, key: Key, score: Score) -> bool:
        """Adds a trial.

        Args:
            key: Its number, or its name.
            score: Its value of each objective.

        Returns:
            Whether it is in the set now.
        """
        signed = tuple([sign * value for sign, value in zip(self._signs, score, strict=True)])
        if signed in self._keys:
            insort(self._keys[signed], key)
            return True
        place = bisect(self._scores, signed)
        before, after = self._scores[:place], self._scores[place:]
        # With two objectives, each score is better in the second than all before it: the nearest ones decide.
        is_plane = len(signed) == 2
        if any(_dominates(other, signed) for other in (before[-1:] if is_plane else before)):
            return False
        beats = partial(_dominates, signed)
        for other in list(takewhile(beats, after) if is_plane else filter(beats, after)):
            self._scores.remove(other)
            del self._keys[other]
        self._scores.insert(place, signed)
        self._keys[signed] = [key]
        return True

    def members(self) -> list[Key]:
        """Returns the trials in the set: the best in the first objective first, and of equal ones the lowest key."""
        return [key for score in self._scores for key in self._keys[score]]

    def best(self, objective: int = 0) -> Key | None:
        """Returns the trial that is the best in one objective, of equal ones that with the lowest key; None if empty.

        Args:
            objective: Its place among the objectives.
        """
        best = min(self._keys.items(), key=lambda item: (item[0][objective], item[1][0]), default=None)
        return None if best is None else best[1][0]


def front_of(trials: Iterable[Trial], meta: Meta) -> Front[int]:
    """Returns the Pareto set of a study's trials, by their numbers.

    Args:
        trials: The trials; those without a value of each objective are not in it.
        meta: The study.
    """
    objectives = meta.objectives
    front: Front[int] = Front([objective.direction for objective in objectives])
    for trial in trials:
        score = score_of(trial.objective, trial.metrics, objectives[1:])
        if trial.state in SCORED and score is not None:
            front.add(trial.number, score)
    return front
