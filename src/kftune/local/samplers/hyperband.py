"""Hyperband: many points with few resources, the best of them with more, in brackets that trade one for the other.

Source: Li et al., Hyperband (JMLR 18, 2018), algorithm 1. Katib's own gets no further than the first rung of the first
bracket (katib v0.19.0, pkg/suggestion/v1beta1/hyperband); this one goes all the way.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from kftune.errors import RunError, suggestion
from kftune.local.samplers.sampler import numbered_rng
from kftune.local.samplers.space import Point, Space
from kftune.study.objective import Direction

_ETA = 3.0
_DRAWS_A_POINT = 20


class _Rung(NamedTuple):
    """Points that are compared at one amount of the resource."""

    bracket: int
    """How often its points may still get more."""
    points: list[Point]
    """Without the resource."""
    resource: float


class HyperbandStrategy:
    """Successive halving in brackets, over and over until the budget ends.

    A rung ends when all of its trials have; until then there may be nothing to propose.

    Args:
        space: What is searched, the resource included.
        seed: Makes the points repeatable.
        direction: minimize or maximize.
        settings: r_l (the most of the resource that a trial gets), eta (every eta-th point goes on), resource_name.

    Raises:
        RunError: The resource is not searched, or there is too little of it.
    """

    patience: int | None = None
    only_its_own = True

    def __init__(self, space: Space, seed: int, direction: Direction, settings: Mapping[str, Any]) -> None:
        self.notes: list[str] = []
        self._space = space
        self._seed = seed
        self._sign = 1 if direction == "minimize" else -1
        self._resource, self._most = str(settings["resource_name"]), float(settings["r_l"])
        self._eta = float(settings.get("eta", _ETA))
        if self._resource not in space.domains:
            known = suggestion(self._resource, space.domains)
            raise RunError(f"hyperband sets its resource {self._resource!r}, so that must be searched; {known}")
        if self._most < 1:
            raise RunError(f"hyperband needs r_l of at least 1, and got {self._most:g}")
        # A logarithm of 243 to the base 3 may come out a little below 5.
        self._last_bracket = math.floor(math.log(self._most) / math.log(self._eta) + 1e-9)
        self._results: dict[str, float | None] = {}
        self._started: set[str] = set()
        self._numbers: dict[int, str] = {}
        self._drawn = 0
        self._without_news = 0
        self._begun = self._last_bracket
        self._rung = self._first_rung()

    def proposals(self, number: int) -> Iterator[Point]:
        """What the rung still lacks; nothing while others of it run, or when there are no new points at all."""
        while self._without_news <= self._last_bracket + 1:
            for point in self._points():
                key = _key(point)
                if key not in self._started:
                    self._without_news = 0
                    yield point
                    # It was tried by an earlier run, and has no objective.
                    self._started.add(key)
                    self._results.setdefault(key, None)
            if any(_key(point) not in self._results for point in self._points()):
                return
            self._rung = self._next_rung()

    def accept(self, number: int, point: Point) -> None:
        """Trial `number` runs with `point`."""
        self._numbers[number] = _key(point)
        self._started.add(_key(point))

    def tell(self, number: int, value: float | None) -> None:
        """Trial `number` has ended with that objective; without one it goes no further."""
        self._results[self._numbers.pop(number)] = value

    def parent_of(self, number: int) -> int | None:
        """None: every trial begins anew."""
        return None

    def learn(self, results: Iterable[tuple[Point, float]]) -> None:
        """Points and objectives of earlier runs."""
        for point, value in results:
            self._results[_key(point)] = value
            self._started.add(_key(point))

    # -- rungs -------------------------------------------------------------------------------------------------

    def _points(self) -> list[Point]:
        amount = max(1, int(self._rung.resource + 1e-9))
        return [self._space.reduced({**point, self._resource: amount}) for point in self._rung.points]

    def _first_rung(self) -> _Rung:
        """The bracket that has begun, with new points."""
        bracket = self._begun
        count = math.ceil((self._last_bracket + 1) / (bracket + 1) * self._eta**bracket - 1e-9)
        self._drawn += 1
        rng = numbered_rng(self._seed, self._drawn)
        found: dict[str, Point] = {}
        for _ in range(count * _DRAWS_A_POINT):
            point = self._space.draw(rng.random)
            point.pop(self._resource, None)
            found.setdefault(_key(point), point)
            if len(found) == count:
                break
        return _Rung(bracket, list(found.values()), self._most * self._eta**-bracket)

    def _next_rung(self) -> _Rung:
        """The best of the rung with more of the resource, or the next bracket; the last is followed by the first."""
        rung, points = self._rung, self._points()
        kept = int(len(points) / self._eta + 1e-9)
        if rung.bracket == 0 or kept == 0:
            self._without_news += 1
            self._begun = self._begun - 1 if self._begun else self._last_bracket
            return self._first_rung()
        order = sorted(range(len(points)), key=lambda index: self._rank(points[index]))
        return _Rung(rung.bracket - 1, [rung.points[index] for index in order[:kept]], rung.resource * self._eta)

    def _rank(self, point: Point) -> float:
        value = self._results.get(_key(point))
        return math.inf if value is None else self._sign * value


def _key(point: Mapping[str, Any]) -> str:
    return json.dumps(point, sort_keys=True)
