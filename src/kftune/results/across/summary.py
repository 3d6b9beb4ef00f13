"""Puts together what entities have in common, as `kftune summarise` prints it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from kftune.results.across.coordinates import Common, common_of
from kftune.results.across.defaults import Proposed, proposed, rank_surface
from kftune.results.across.entities import Entity, entities_of
from kftune.results.across.gains import Gain, gains
from kftune.results.across.narrowed import narrowed_space
from kftune.results.across.ranges import Range, ranges
from kftune.results.across.surface import Fit
from kftune.results.trials import Trials

ACROSS_FORMAT = "kftune.across/1"

_FEW_ENTITIES, _FEW_TRIALS, _LEAST_RIGHT = 5, 5, 0.55


def summarise(given: Sequence[Trials], metric: str | None = None) -> dict[str, Any]:
    """Returns what the good trials of entities have in common, and what that means for new ones.

    Args:
        given: The results of each entity, at least two.
        metric: What counts: an objective, or a metric whose minimum or maximum is recorded; None for their objective.

    Returns:
        The keys that docs/results.md describes.

    Raises:
        UsageError: There are fewer than two, or they do not optimize the same.
        UnknownNameError: One has no such metric.
    """
    entities, objective = entities_of(given, metric)
    sign = 1 if objective.direction == "minimize" else -1
    common = common_of([each.meta.space for each in entities], (each.point for one in entities for each in one.tried))
    used = [entity for entity in entities if len(entity.scored) > 1]
    found = ranges(used, common.coordinates)
    fit = rank_surface(used, common.coordinates)
    best = next(iter(proposed(used, common.coordinates, fit)), None) if common.coordinates else None
    own = [] if best is None else gains(used, common.coordinates, best.values)
    narrow = narrowed_space({each.coordinate.name: each for each in found}, {} if best is None else best.values)
    return {
        "format": ACROSS_FORMAT,
        "objective": {"metric": objective.name, "direction": objective.direction},
        "entities": [_entity(each, sign, own) for each in entities],
        "trials": sum(len(each.tried) for each in entities),
        "ranges": [_range(each) for each in found],
        "defaults": None if best is None else _defaults(best),
        "order": None if fit is None else {"right": fit.right, "pairs": fit.pairs},
        "space": {
            each.name: narrow.get(each.name, {} if each.declared is None else each.declared.to_spec())
            for each in common.coordinates
        },
        "narrowed": [*narrow],
        "own": [each.entity.label for each in own if each.worth_it],
        "cautions": [*_cautions(entities, used, common, fit, own)],
    }


def shared_order(given: Sequence[Trials], metric: str | None = None) -> list[tuple[int, str]]:
    """Returns the tried points, the best one for all entities first: the place of its entity, and its trial.

    Args:
        given: The results of each entity, at least two.
        metric: What counts; None for their objective.

    Raises:
        UsageError: There are fewer than two, or they do not optimize the same.
        UnknownNameError: One has no such metric.
    """
    entities, _ = entities_of(given, metric)
    common = common_of([each.meta.space for each in entities], (each.point for one in entities for each in one.tried))
    used = [entity for entity in entities if len(entity.scored) > 1]
    if not common.coordinates or not used:
        return []
    places = {entity.label: place for place, entity in enumerate(entities)}
    found = proposed(used, common.coordinates, rank_surface(used, common.coordinates))
    return [(places[each.entity], each.trial) for each in found]


def _entity(entity: Entity, sign: int, own: Sequence[Gain]) -> dict[str, Any]:
    scored = entity.scored
    gain = next((each for each in own if each.entity is entity), None)
    return {
        "label": entity.label,
        "place": entity.place,
        "trials": len(entity.tried),
        "with_result": len(scored),
        "best": {"trial": scored[0].trial, "value": sign * scored[0].value, "values": dict(scored[0].point)}
        if scored
        else None,
        "gain": None
        if gain is None
        else {"over_defaults": gain.gain, "interval": [gain.low, gain.high], "tried_defaults": gain.tried},
    }


def _range(found: Range) -> dict[str, Any]:
    listed = found.coordinate.options is not None
    return {
        "name": found.coordinate.name,
        **({"values": list(found.values)} if listed else {"low": found.low, "high": found.high}),
        "agree": found.agree,
        "of": found.of,
        "tried": round(found.tried, 4),
        "chance": round(found.chance, 4),
    }


def _defaults(best: Proposed) -> dict[str, Any]:
    return {
        "values": dict(best.values),
        "entity": best.entity,
        "trial": best.trial,
        "rank": round(min(max(best.rank, 0.0), 1.0), 4),
        "entities": best.entities,
        "own_rank": None if best.own_rank is None else round(best.own_rank, 4),
    }


def _cautions(
    entities: Sequence[Entity], used: Sequence[Entity], common: Common, fit: Fit | None, own: Sequence[Gain]
) -> Iterator[str]:
    left = [each.label for each in entities if each not in used]
    if left:
        yield f"with fewer than two trials that have a result, these do not count: {_names(left)}"
    if not common.coordinates:
        yield "all entities search different hyperparameters"
        return
    if common.others:
        said = [f"{name} ({count})" for name, count in common.others.items()]
        yield f"only some of the {len(entities)} entities search {_names(said)}, so it is left out"
    if common.differing:
        yield f"entities have different domains of {_names(common.differing)}, so these are not narrowed"
    if len(used) < _FEW_ENTITIES:
        yield f"{len(used)} entities are few: what they have in common may be chance"
    if fit is not None and fit.pairs and fit.right < _LEAST_RIGHT * fit.pairs:
        yield (
            f"of two trials of an entity, the others say in {fit.right / fit.pairs:.0%} of cases which is better (50 % "
            f"is chance), so these trials show no values that are good for all"
        )
    counts = sorted(len(each.scored) for each in used)
    if counts and counts[len(counts) // 2] < _FEW_TRIALS:
        yield (
            f"half of the entities have {counts[len(counts) // 2]} trials or fewer: many entities show what they have "
            f"in common all the same, but few trials show little of what one gains from its own values"
        )
    if any(not math.isfinite(each.gain) for each in own):
        yield "some values are too great to compare"


def _names(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
