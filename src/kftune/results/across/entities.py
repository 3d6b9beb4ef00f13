"""The trials of each entity, in one form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import UsageError
from kftune.results.records import FINISHED, SCORED, Meta, TrackedObjective, Trial
from kftune.results.selection import sought
from kftune.results.trials import Trials


class Tried(NamedTuple):
    """A trial that has ended."""

    trial: str
    """Its name."""
    point: Mapping[str, Any]
    """The searched values."""
    value: float
    """What it reached, with the sign that makes less better; infinity for none."""
    rank: float
    """The share of the other trials of its entity that are better, from 0 to 1; of equal ones the half counts."""


class Entity(NamedTuple):
    """An entity that was tuned."""

    label: str
    place: str
    meta: Meta
    tried: Sequence[Tried]

    @property
    def scored(self) -> list[Tried]:
        """The trials with a result, the best one first."""
        return sorted((each for each in self.tried if math.isfinite(each.value)), key=lambda each: each.value)


def entities_of(given: Sequence[Trials], metric: str | None) -> tuple[list[Entity], TrackedObjective]:
    """Returns the entities, and what counts.

    Args:
        given: The results of each.
        metric: What counts: an objective, or a metric whose minimum or maximum is recorded; None for their objective.

    Raises:
        UsageError: There are fewer than two, or they do not optimize the same.
        UnknownNameError: One has no such metric.
    """
    if len(given) < 2:
        raise UsageError("a summary across entities needs the results of two or more; with one, use kftune report")
    found = [sought(results.meta, metric) for results in given]
    first = found[0]
    other = next((place for place, each in enumerate(found) if each[:1] + each[2:3] != first[:1] + first[2:3]), None)
    if other is not None:
        raise UsageError(
            f"only entities that optimize the same can be summarised, but {given[0].place} has {first.direction} "
            f"{first.name} and {given[other].place} has {found[other].direction} {found[other].name}; name a metric "
            f"that all have (--metric), or the one of a table or storage (--objective)"
        )
    labels = _labels(given)
    return [_entity(label, results, each) for label, results, each in zip(labels, given, found, strict=True)], first


def _labels(given: Sequence[Trials]) -> list[str]:
    """Returns a name of each: of its study, or else of its folder or file."""
    names = [results.meta.name for results in given]
    short = [Path(results.place).stem if results.folder is None else Path(results.place).name for results in given]
    places = [results.place for results in given]
    for labels in (names, short, places):
        if len({*labels}) == len(labels):
            return labels
    return [f"{place} ({number})" for number, place in enumerate(places, start=1)]


def _entity(label: str, results: Trials, objective: TrackedObjective) -> Entity:
    sign = 1 if objective.direction == "minimize" else -1
    ended = [trial for trial in results.trials() if trial.state in FINISHED]
    values = [_value(trial, results.meta, objective, sign) for trial in ended]
    tried = [
        Tried(trial.name, trial.point, value, rank)
        for trial, value, rank in zip(ended, values, ranks(values), strict=True)
    ]
    return Entity(label, results.place, results.meta, tried)


def _value(trial: Trial, meta: Meta, objective: TrackedObjective, sign: int) -> float:
    if trial.state not in SCORED:
        return math.inf
    if objective.name == meta.objective.name:
        return math.inf if trial.objective is None else sign * trial.objective
    values = trial.metrics.get(objective.name)
    number = None if values is None else values.number(objective.reduce)
    return math.inf if number is None else sign * number


def ranks(values: Sequence[float]) -> list[float]:
    """Returns for each value the share of the others that are less, of equal ones the half.

    Args:
        values: The values.
    """
    others = len(values) - 1
    if others < 1:
        return [0.5] * len(values)
    order = sorted(values)
    first: dict[float, int] = {}
    count: dict[float, int] = {}
    for place, value in enumerate(order):
        first.setdefault(value, place)
        count[value] = count.get(value, 0) + 1
    return [(first[value] + (count[value] - 1) / 2) / others for value in values]
