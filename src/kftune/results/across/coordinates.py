"""The hyperparameters of entities as numbers from 0 to 1: the share of the domain below a value."""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.domains import Choice, Conditional, Domain, IntUniform, LogUniform, Uniform, domain_from_spec, same
from kftune.domains.listed import Listed
from kftune.errors import KftuneError

_POINTS = 1024
# Values without a domain that differ by this factor are looked at as orders of magnitude.
_ORDERS = 50
_MOST_LISTED = 20
_NEAR = 0.3
# Two numbers have a term together while there are no more than this: the number of pairs grows with its square.
_MOST_PAIRED = 8


class Coordinate:
    """One hyperparameter that all entities search.

    Args:
        name: Its dotted name.
        declared: Its domain, with its condition; None if none is known.
        domain: Its domain without a condition, or one around the values that were tried.

    Attributes:
        options: The values of a domain that lists them; None for numbers.
    """

    def __init__(self, name: str, declared: Domain | None, domain: Domain) -> None:
        self.name, self.declared, self.domain = name, declared, domain
        self._shares: dict[Any, float] = {}
        self.options: Sequence[Any] | None = domain.grid() if isinstance(domain, Listed) else None
        self._table = (
            [] if self.options is not None else [domain.quantile(each / _POINTS) for each in range(_POINTS + 1)]
        )

    def share(self, value: Any) -> float:
        """Returns the share of the domain below a number; in the middle of the shares that give the same number.

        Args:
            value: The number; one outside of the domain counts as its nearest end.
        """
        found = self._shares.get(value)
        if found is None:
            found = self._shares[value] = self._share(value)
        return found

    def _share(self, value: Any) -> float:
        low, high = bisect_left(self._table, value), bisect_right(self._table, value)
        if low == high and 0 < low <= _POINTS:
            below, above = self._table[low - 1], self._table[low]
            return float((low - 1 + (value - below) / (above - below)) / _POINTS)
        return min(max((low + high - 1) / 2, 0), _POINTS) / _POINTS

    def index(self, value: Any) -> int | None:
        """Returns the place of a listed value; None if it is not one."""
        return next((place for place, each in enumerate(self.options or ()) if same(each, value)), None)

    def distance(self, one: Any, other: Any) -> float:
        """Returns how far two values are from each other, from 0 to 1.

        Args:
            one: A value.
            other: The value to compare it with.
        """
        if self.options is not None:
            return 0.0 if same(one, other) else 1.0
        return abs(self.share(one) - self.share(other))


class Common(NamedTuple):
    """What entities search."""

    coordinates: Sequence[Coordinate]
    """What all of them do."""
    others: Mapping[str, int]
    """Name -> how many entities search it, of the names that only some search."""
    differing: Sequence[str]
    """Those with different domains; the domain around all values counts."""


def common_of(spaces: Sequence[Mapping[str, Any]], points: Iterable[Mapping[str, Any]]) -> Common:
    """Returns what entities search.

    Args:
        spaces: The space of each, as a study file writes domains.
        points: All points that they have tried.
    """
    tried: dict[str, list[Any]] = {}
    for point in points:
        for name, value in point.items():
            tried.setdefault(name, []).append(value)
    names = dict.fromkeys(name for space in spaces for name in space)
    counts = {name: sum(name in space for space in spaces) for name in names}
    found, differing = [], []
    for name in names:
        if counts[name] < len(spaces) or not tried.get(name):
            continue
        declared = {json.dumps(space[name], sort_keys=True): space[name] for space in spaces if space[name]}
        if len(declared) > 1:
            differing.append(name)
        domain = _domain(next(iter(declared.values()))) if len(declared) == 1 else None
        inner = domain.domain if isinstance(domain, Conditional) else domain
        found.append(Coordinate(name, domain, inner or _around(tried[name])))
    return Common(found, {name: count for name, count in counts.items() if count < len(spaces)}, differing)


def _domain(spec: Mapping[str, Any]) -> Domain | None:
    try:
        return domain_from_spec(spec)
    except KftuneError:
        return None


def _around(values: Sequence[Any]) -> Domain:
    """Returns a domain that has the values which were tried."""
    distinct = list({json.dumps(value, sort_keys=True): value for value in values}.values())
    numbers = [value for value in distinct if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(distinct) or len(distinct) < 3:
        return Choice(*sorted(distinct, key=str))
    low, high = min(numbers), max(numbers)
    if all(isinstance(value, int) for value in numbers):
        if len(numbers) <= _MOST_LISTED and high - low > _ORDERS:
            return Choice(*sorted(numbers))
        return IntUniform(int(low), int(high), log=low > 0 and high / low > _ORDERS)
    return LogUniform(low, high) if low > 0 and high / low > _ORDERS else Uniform(low, high)


def features(coordinates: Sequence[Coordinate], point: Mapping[str, Any]) -> list[float]:
    """Returns the terms of a response surface of the second order at a point.

    A number has its share and the square of it, two of up to eight numbers have their product, and a listed value has
    its own term. A value that is not active is in the middle.

    Args:
        coordinates: The hyperparameters.
        point: The values, by dotted name.
    """
    return [*_terms(coordinates, point)]


def _terms(coordinates: Sequence[Coordinate], point: Mapping[str, Any]) -> Iterator[float]:
    numbers = []
    for each in coordinates:
        if each.options is not None:
            place = each.index(point[each.name]) if each.name in point else None
            yield from (float(place == other) for other in range(len(each.options)))
        else:
            centred = 2 * each.share(point[each.name]) - 1 if each.name in point else 0.0
            numbers.append(centred)
            yield from (centred, centred * centred)
    for place, one in enumerate(numbers if len(numbers) <= _MOST_PAIRED else ()):
        yield from (one * other for other in numbers[:place])


def likeness(coordinates: Sequence[Coordinate], one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Returns how similar two points are, from 0 to 1: the mean of a Gaussian kernel over their hyperparameters.

    Args:
        coordinates: The hyperparameters.
        one: A point.
        other: The point to compare it with.
    """
    each = [_alike(coordinate, one, other) for coordinate in coordinates]
    return sum(each) / len(each)


def _alike(coordinate: Coordinate, one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    name = coordinate.name
    if name not in one or name not in other:
        return float(name not in one and name not in other)
    return math.exp(-((coordinate.distance(one[name], other[name]) / _NEAR) ** 2))
