"""Hyperband: many points with few resources, the best of them with more, in brackets with different ratios.

Source: Li et al., Hyperband (JMLR 18, 2018), algorithm 1. Katib's implementation ends after the first rung of the first
bracket (katib v0.19.0, pkg/suggestion/v1beta1/hyperband); this one completes all brackets.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kftune.domains.listed import Listed
from kftune.domains.shares import rounded_down
from kftune.errors import RunError, suggestion
from kftune.local.samplers.space import Point
from kftune.local.samplers.strategy import MOST_REFUSED, Setup, Strategy, numbered_rng

_ETA = 3.0
_DRAWS_A_POINT = 20


class _Rung(NamedTuple):
    """Points that are compared at one amount of the resource."""

    bracket: int
    """How often its points can still get more of the resource."""
    points: list[Point]
    """Without the resource."""
    resource: float


class HyperbandStrategy(Strategy):
    """Successive halving in brackets, repeated until the budget ends.

    A rung ends when all its trials have ended; until then there may be nothing to propose.

    Args:
        setup: What it searches, with the resource, and how. Its settings: r_l (the most of the resource that a trial
            gets), eta (one of eta points continues), resource_name.

    Raises:
        RunError: The resource is not searched or no number, or r_l is below its lowest value.
    """

    exclusive = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        settings = setup.settings
        self._resource, self._most = str(settings["resource_name"]), float(settings["r_l"])
        self._eta = float(settings.get("eta", _ETA))
        if self._resource not in self._space.domains:
            known = suggestion(self._resource, self._space.domains)
            raise RunError(f"hyperband sets its resource {self._resource!r}, so it must be searched; {known}")
        name, (lowest, highest) = self._resource, self._bounds()
        most = min(self._most, highest)
        if most < lowest:
            raise RunError(
                f"hyperband needs r_l of at least {lowest:g} in the domain of its resource, and got {most:g}"
            )
        if self._most > highest:
            self.notes.append(f"{name} is at most {highest:g}, so hyperband takes this for r_l={self._most:g}")
            self._most = most
        # The computed logarithm of 243 to the base 3 may be slightly below 5.
        self._last_bracket = math.floor(math.log(self._most / lowest) / math.log(self._eta) + 1e-9)
        self._results: dict[str, float | None] = {}
        self._started: set[str] = set()
        self._numbers: dict[int, str] = {}
        self._drawn = 0
        self._refused: set[int] = set()  # brackets without an allowed point for their first amount of the resource
        self._brackets_without_new = 0
        self._begun = self._last_bracket
        self._rung = self._first_rung()

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields points that the rung still needs; nothing while its trials run, or when no new points are left."""
        while self._brackets_without_new <= self._last_bracket + 1:
            for point in self._points():
                key = _key(point)
                if key not in self._started:
                    self._brackets_without_new = 0
                    yield point
                    # An earlier run tried it, and it has no objective.
                    self._started.add(key)
                    self._results.setdefault(key, None)
            if any(_key(point) not in self._results for point in self._points()):
                return
            self._rung = self._next_rung()

    def accept(self, number: int, point: Point) -> None:
        self._numbers[number] = _key(point)
        self._started.add(_key(point))

    def tell(self, number: int, value: float | None) -> None:
        # A point without an objective does not continue.
        self._results[self._numbers.pop(number)] = value

    def learn(self, results: Iterable[tuple[Point, float]]) -> None:
        for point, value in results:
            self._results[_key(point)] = value
            self._started.add(_key(point))

    def _points(self) -> list[Point]:
        return [self._with_resource(point, self._rung.resource) for point in self._rung.points]

    def _with_resource(self, point: Point, resource: float) -> Point:
        return self._space.reduced({**point, self._resource: self._amount(resource)})

    def _amount(self, resource: float) -> Any:
        """Returns the value of the resource's domain for an amount: a whole number, or the highest one below it."""
        domain, whole = self._space.domains[self._resource], max(1, int(resource + 1e-9))
        if isinstance(domain, Listed):
            listed = self._listed(domain)
            return listed[max((value for value in listed if value <= whole), default=min(listed))]
        return whole if domain.contains(whole) else rounded_down(domain, whole)

    def _bounds(self) -> tuple[float, float]:
        """Returns the lowest amount of the resource that is not below 1, and the highest one."""
        domain = self._space.domains[self._resource]
        found = self._listed(domain) if isinstance(domain, Listed) else (domain.quantile(0), domain.quantile(1))
        return max(1.0, min(found)), max(found)

    def _listed(self, domain: Listed) -> dict[float, Any]:
        """Returns the values of a list by their numbers: an Experiment has texts."""
        try:
            return {float(value): value for value in domain.grid()}
        except (TypeError, ValueError):
            raise RunError(f"hyperband sets its resource {self._resource!r} to numbers, but it is {domain!r}") from None

    def _first_rung(self) -> _Rung:
        """Returns the first rung of the current bracket, with new points."""
        bracket = self._begun
        count = math.ceil((self._last_bracket + 1) / (bracket + 1) * self._eta**bracket - 1e-9)
        self._drawn += 1
        rng = numbered_rng(self._seed, self._drawn)
        found: dict[str, Point] = {}
        resource = self._most * self._eta**-bracket
        draws = MOST_REFUSED if self._space.restricted else count * _DRAWS_A_POINT
        for _ in range(draws if bracket not in self._refused else 0):
            point = self._space.draw(rng.random)
            point.pop(self._resource, None)
            if self._space.refusal(self._with_resource(point, resource)) is None:
                found.setdefault(_key(point), point)
            if len(found) == count:
                break
        if not found:
            self._refused.add(bracket)
        return _Rung(bracket, list(found.values()), resource)

    def _next_rung(self) -> _Rung:
        """Returns the best points with more of the resource, or the next bracket; the first follows the last one."""
        rung, points = self._rung, self._points()
        kept = int(len(points) / self._eta + 1e-9)
        if rung.bracket == 0 or kept == 0:
            self._brackets_without_new += 1
            self._begun = self._begun - 1 if self._begun else self._last_bracket
            return self._first_rung()
        order = sorted(range(len(points)), key=lambda index: self._rank(points[index]))
        return _Rung(rung.bracket - 1, [rung.points[index] for index in order[:kept]], rung.resource * self._eta)

    def _rank(self, point: Point) -> float:
        value = self._results.get(_key(point))
        return math.inf if value is None else self._sign * value


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)
