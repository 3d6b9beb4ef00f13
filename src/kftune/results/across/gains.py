"""Which entities gain from their own values, compared with the proposed ones.

What the proposed values reach in an entity that has not tried them is estimated from all entities, by a response
surface, and from what its own trials differ from that surface (kriging of the residuals). Its best trial is read off
the same estimate, so that one lucky measurement is no gain. The interval is a bootstrap of the residuals.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from statistics import pstdev
from typing import Any, NamedTuple

from kftune.results.across.coordinates import Coordinate, features, likeness
from kftune.results.across.entities import Entity, Tried
from kftune.results.across.surface import Surface, fitted, solved
from kftune.results.compare import INTERVAL

_DRAWS = 400
_LEAST_TRIALS = 3
# Of more, the ones most similar to the proposed point count, and the best one.
_MOST_TRIALS = 24
_LARGEST = 3.0
# A gain below this part of the standard deviation of an entity's trials is a trifle.
_LEAST_GAIN = 0.1
# How much of an entity's own differences is taken for noise; the last one takes nearly all of it.
_NOISE = (0.05, 0.2, 1.0, 5.0, 1000.0)


_LEAST = 1e-6


class _Smooth(NamedTuple):
    """The differences between the trials of an entity and the surface of all, smoothed."""

    at_point: list[float]
    """The weight of each trial's difference at the proposed point."""
    at_best: list[float]
    """The same at the best trial."""
    errors: list[float]
    """How far each trial is from what the others say."""
    noise: list[float]
    """How far each trial is from what all say, itself included."""
    loss: float
    """The sum of their squares."""


class Gain(NamedTuple):
    """What an entity gains from its own values."""

    entity: Entity
    gain: float
    """How much better its best trial is than the proposed values; negative if it is worse."""
    low: float
    high: float
    tried: bool
    """Whether the entity has tried the proposed values."""
    scale: float
    """The standard deviation of the values of its trials."""

    @property
    def worth_it(self) -> bool:
        """Whether the entity clearly gains, and more than a trifle."""
        return self.low > 0 and self.gain > _LEAST_GAIN * self.scale


def gains(entities: Sequence[Entity], coordinates: Sequence[Coordinate], point: Mapping[str, Any]) -> list[Gain]:
    """Returns what each entity with enough trials gains from its own values, the greatest gain first.

    Args:
        entities: The entities.
        coordinates: What they search.
        point: The proposed values.
    """
    known = [_Known(entity, coordinates, point) for entity in entities if len(entity.scored) >= _LEAST_TRIALS]
    fit = fitted([[*zip(each.terms, each.standard, strict=True)] for each in known])
    surface = Surface([0.0] * len(features(coordinates, point))) if fit is None else fit.surface
    return sorted((each.gain(surface) for each in known), key=lambda each: -each.gain / each.scale)


class _Known:
    """An entity with enough trials."""

    def __init__(self, entity: Entity, coordinates: Sequence[Coordinate], point: Mapping[str, Any]) -> None:
        self._entity = entity
        self._trials = _chosen(entity.scored, coordinates, point)
        values = [each.value for each in self._trials]
        self.scale = pstdev(values) or 1.0
        level = sum(values) / len(values)
        self.standard = [min(max((value - level) / self.scale, -_LARGEST), _LARGEST) for value in values]
        self.terms = [features(coordinates, each.point) for each in self._trials]
        self._at_point = features(coordinates, point)
        self._near = [likeness(coordinates, each.point, point) for each in self._trials]
        self._kernel = [
            [likeness(coordinates, one.point, other.point) for other in self._trials] for one in self._trials
        ]

    def gain(self, surface: Surface) -> Gain:
        """Returns the gain of the best trial over the point.

        Args:
            surface: The surface of all entities' values in standard units.
        """
        heights = [surface.at(terms) for terms in self.terms]
        rest = [value - height for value, height in zip(self.standard, heights, strict=True)]
        mean = sum(rest) / len(rest)
        smooth = min((self._smooth(rest, mean, noise) for noise in _NOISE), key=lambda each: each.loss)
        # What each trial's difference adds to the estimate at the point, less that at the best trial (the first one).
        weights = [near - own for near, own in zip(smooth.at_point, smooth.at_best, strict=True)]
        found = surface.at(self._at_point) - heights[0]
        found += sum(weight * (each - mean) for weight, each in zip(weights, rest, strict=True))
        tried = [value for value, near in zip(self.standard, self._near, strict=True) if near > 1 - 1e-9]
        errors = smooth.noise if tried else smooth.errors
        if tried:
            found, weights = sum(tried) / len(tried) - self.standard[0], [1.0, -1.0]
        rng = random.Random(f"kftune:gain:{self._entity.label}")
        drawn = sorted(
            found
            + sum(weight * error for weight, error in zip(weights, rng.choices(errors, k=len(weights)), strict=True))
            for _ in range(_DRAWS)
        )
        low, high = (drawn[min(int(share * _DRAWS), _DRAWS - 1)] for share in INTERVAL)
        return Gain(
            entity=self._entity,
            gain=found * self.scale,
            low=low * self.scale,
            high=high * self.scale,
            tried=bool(tried),
            scale=self.scale,
        )

    def _smooth(self, rest: Sequence[float], mean: float, noise: float) -> _Smooth:
        """Returns how the differences of trials add up elsewhere, if so much of them is noise."""
        size = len(rest)
        inverse = [solved(self._kernel, [float(row == place) for row in range(size)], noise) for place in range(size)]
        # kernel (kernel + noise)^-1 = 1 - noise (kernel + noise)^-1
        hat = [[float(row == place) - noise * inverse[place][row] for place in range(size)] for row in range(size)]
        errors, left = [], []
        for place, (weights, each) in enumerate(zip(hat, rest, strict=True)):
            there = mean + sum(weight * (other - mean) for weight, other in zip(weights, rest, strict=True))
            left.append(each - there)
            errors.append((each - there) / max(1 - weights[place], _LEAST))  # as if the trial were left out
        at_point = [sum(near * cell for near, cell in zip(self._near, column, strict=True)) for column in inverse]
        return _Smooth(at_point, hat[0], errors, left, sum(error * error for error in errors))


def _chosen(trials: Sequence[Tried], coordinates: Sequence[Coordinate], point: Mapping[str, Any]) -> list[Tried]:
    """Returns the trials that count, the best one first."""
    near = sorted(trials[1:], key=lambda each: -likeness(coordinates, each.point, point))
    return [trials[0], *near[: _MOST_TRIALS - 1]]
