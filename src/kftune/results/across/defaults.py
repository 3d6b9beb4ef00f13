"""The point that is best for all entities.

Each trial has a rank within its entity: the share of the others that are better. A response surface of these ranks says
how good a point is in an entity that has not tried it. The proposed point is the tried one with the lowest expected
rank; where several entities have tried a point, their own ranks count too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kftune.results.across.coordinates import Coordinate, features
from kftune.results.across.entities import Entity, Tried
from kftune.results.across.surface import Fit, fitted

# A point's own ranks count as much as the surface when this many entities have tried it.
_AS_MUCH = 5


class Proposed(NamedTuple):
    """The point that is best for all entities."""

    values: Mapping[str, Any]
    trial: str
    entity: str
    rank: float
    """The expected share of an entity's trials that are better."""
    entities: int
    """How many have tried it."""
    own_rank: float | None
    """Its mean rank in these; None if fewer than two have."""


def rank_surface(entities: Sequence[Entity], coordinates: Sequence[Coordinate]) -> Fit | None:
    """Returns the surface of ranks; None with too few trials.

    Args:
        entities: The entities.
        coordinates: What they search.
    """
    groups = [
        [(features(coordinates, each.point), each.rank) for each in entity.tried]
        for entity in entities
        if len(entity.tried) > 1
    ]
    return fitted(groups)


def proposed(entities: Sequence[Entity], coordinates: Sequence[Coordinate], fit: Fit | None) -> list[Proposed]:
    """Returns the tried points, the best one for all entities first.

    Args:
        entities: The entities.
        coordinates: What they search.
        fit: The surface of ranks.
    """
    names = [each.name for each in coordinates]
    found: dict[str, list[tuple[Entity, Tried]]] = {}
    for entity in entities:
        for each in entity.scored:
            key = json.dumps({name: each.point.get(name) for name in names}, sort_keys=True)
            found.setdefault(key, []).append((entity, each))
    points = [_point(own, names) for own in found.values()]
    if not points:
        return []
    heights = [fit.surface.at(features(coordinates, each.values)) if fit else 0.0 for each in points]
    shift = _shift(entities, coordinates, fit)
    expected = [
        each._replace(rank=_rank(each, height + shift, known=fit is not None))
        for each, height in zip(points, heights, strict=True)
    ]
    return sorted(expected, key=lambda each: each.rank)


def _point(own: Sequence[tuple[Entity, Tried]], names: Sequence[str]) -> Proposed:
    entity, first = own[0]
    values = {name: first.point[name] for name in names if name in first.point}
    by_entity: dict[str, list[float]] = {}
    for its, each in own:
        by_entity.setdefault(its.label, []).append(each.rank)
    ranks = [sum(each) / len(each) for each in by_entity.values()]
    mean = sum(ranks) / len(ranks)
    return Proposed(
        values=values,
        trial=first.trial,
        entity=entity.label,
        rank=0.5,
        entities=len(ranks),
        own_rank=mean if len(ranks) > 1 else None,
    )


def _shift(entities: Sequence[Entity], coordinates: Sequence[Coordinate], fit: Fit | None) -> float:
    """Returns what makes the surface's mean over all trials that of ranks, a half."""
    if fit is None:
        return 0.5
    heights = [fit.surface.at(features(coordinates, each.point)) for entity in entities for each in entity.tried]
    return 0.5 - sum(heights) / max(len(heights), 1)


def _rank(point: Proposed, expected: float, *, known: bool) -> float:
    if point.own_rank is None:
        return expected
    weight = point.entities / (point.entities + _AS_MUCH) if known else 1.0
    return weight * point.own_rank + (1 - weight) * expected
