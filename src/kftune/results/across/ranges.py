"""Which values the good trials of all entities have in common, and how sure that is.

The good trials are the best quarter of each entity. Every entity has the same weight, however many trials it has. How
sure a range is comes from a permutation test: within each entity, other trials are called good at random. That keeps
the number of trials and the values that were tried, so it also fits few trials, and algorithms that learn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from kftune.results.across.coordinates import Coordinate
from kftune.results.across.entities import Entity

GOOD = 0.25
"""The share of an entity's trials that are its good ones."""
CLEAR = 0.01
"""The chance below which a range is one that the search can be narrowed to."""
_ENDS = (0.1, 0.9)
_FEW_ENTITIES = 5
_PERMUTATIONS, _ENOUGH = 199, 20
# Of more trials, those of evenly spaced entities are tested.
_MOST_TESTED = 2000
# A listed value stays when it is good at least this often, compared with how often it was tried.
_LEAST_LIFT = 0.5


class Range(NamedTuple):
    """What good trials have in common in one hyperparameter."""

    coordinate: Coordinate
    low: Any
    """The lowest value; None for a listed hyperparameter."""
    high: Any
    values: Sequence[Any]
    """The listed values that are good; empty for a number."""
    agree: int
    """Entities with a best trial that has a value in it."""
    of: int
    """Entities with a best trial that has a value."""
    tried: float
    """The share of all trials that have a value in it."""
    chance: float
    """How probably good trials are as far from all others by chance."""

    def holds(self, value: Any) -> bool:
        """Returns whether a value is in the range."""
        if self.coordinate.options is not None:
            return any(self.coordinate.distance(value, each) == 0 for each in self.values)
        return bool(self.low <= value <= self.high)


class _Row(NamedTuple):
    value: Any
    weight: float
    """Of the trial among all trials."""
    good: float
    """Of the trial among the good ones; 0 if it is not one."""


def ranges(entities: Sequence[Entity], coordinates: Sequence[Coordinate]) -> list[Range]:
    """Returns the range of each hyperparameter that has good trials.

    Args:
        entities: The entities.
        coordinates: What they search.
    """
    found = (_range(entities, each) for each in coordinates)
    return [each for each in found if each is not None]


def _range(entities: Sequence[Entity], coordinate: Coordinate) -> Range | None:
    name = coordinate.name
    groups = [[*_rows(entity, name)] for entity in entities]
    groups = [rows for rows in groups if any(row.good for row in rows)]
    if not groups:
        return None
    rows = [row for group in groups for row in group]
    good = [row for row in rows if row.good]
    best = [entity.scored[0].point[name] for entity in entities if entity.scored and name in entity.scored[0].point]
    chance = _chance(groups, coordinate)
    low = high = None
    values: list[Any] = []
    if coordinate.options is None:
        low, high = _ends(good, few=len(groups) < _FEW_ENTITIES)
    else:
        values = _values(rows, coordinate)
    known = Range(
        coordinate=coordinate, low=low, high=high, values=values, agree=0, of=len(best), tried=0.0, chance=chance
    )
    whole = sum(row.weight for row in rows)
    return known._replace(
        agree=sum(known.holds(value) for value in best),
        tried=sum(row.weight for row in rows if known.holds(row.value)) / whole,
    )


def _rows(entity: Entity, name: str) -> Iterator[_Row]:
    """Yields the values of an entity's trials: its trials together have the weight 1, and so have its good ones."""
    scored = entity.scored
    if len(scored) < 2:
        return
    count = max(1, round(GOOD * len(entity.tried)))
    chosen = {each.trial for each in scored[:count]}
    known = [each for each in entity.tried if name in each.point]
    good = sum(each.trial in chosen for each in known)
    for each in known:
        yield _Row(each.point[name], 1 / len(known), 1 / good if each.trial in chosen else 0.0)


def _ends(good: Sequence[_Row], *, few: bool) -> tuple[Any, Any]:
    ordered = sorted(good, key=lambda row: row.value)
    if few:
        return ordered[0].value, ordered[-1].value
    whole = sum(row.good for row in ordered)
    sums = [*accumulate(row.good for row in ordered)]
    low, high = (
        next(row.value for row, reached in zip(ordered, sums, strict=True) if reached >= share * whole - 1e-9)
        for share in _ENDS
    )
    return low, high


def _values(rows: Sequence[_Row], coordinate: Coordinate) -> list[Any]:
    whole, good = sum(row.weight for row in rows), sum(row.good for row in rows)
    found = []
    for option in coordinate.options or ():
        own = [row for row in rows if coordinate.distance(row.value, option) == 0]
        tried, chosen = sum(row.weight for row in own) / whole, sum(row.good for row in own) / good
        if own and chosen >= _LEAST_LIFT * tried:
            found.append(option)
    return found


def _chance(groups: Sequence[Sequence[_Row]], coordinate: Coordinate) -> float:
    """Returns how often good trials that are chosen at random differ as much from all trials as the good ones do.

    Source: J. Besag and P. Clifford, "Sequential Monte Carlo p-values", 1991: the test ends when enough of them do.
    """
    groups = groups[:: 1 + sum(map(len, groups)) // _MOST_TESTED]
    rows = [row for group in groups for row in group]
    listed = coordinate.options is not None
    places = [(coordinate.index(row.value) or 0) if listed else coordinate.share(row.value) for row in rows]
    order = sorted(range(len(places)), key=places.__getitem__)
    ends = [number for number, place in enumerate(order[:-1]) if places[order[number + 1]] != places[place]]

    def difference(good: Sequence[float]) -> float:
        sums = [*accumulate(good[place] - rows[place].weight for place in order)]
        reached = [0.0, *(sums[end] for end in ends), 0.0]
        if not listed:
            return max(reached) - min(reached)  # Kuiper's statistic: as good in the middle as at the ends
        return sum(abs(after - before) for before, after in pairwise(reached))

    rng = random.Random(f"kftune:across:{coordinate.name}")
    found, equal = difference([row.good for row in rows]) - 1e-12, 0
    for count in range(1, _PERMUTATIONS + 1):
        mixed = [good for group in groups for good in rng.sample([row.good for row in group], len(group))]
        equal += difference(mixed) >= found
        if equal == _ENOUGH:
            return equal / count
    return (equal + 1) / (_PERMUTATIONS + 1)
