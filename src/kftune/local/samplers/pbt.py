"""Population based training: each generation inherits checkpoints and values from the best of the one before.

Trial number n is member (n - 1) mod N of generation (n - 1) div N, so stored trials are enough to resume a run.

Source: Jaderberg et al., Population Based Training (2017); katib v0.19.0, pkg/suggestion/v1beta1/pbt. There a value
clipped to its bounds loses its type, and steps are ignored; here values stay in their domains.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from kftune.domains import Domain
from kftune.domains.listed import Listed
from kftune.domains.shares import index_of, share_of
from kftune.local.samplers.space import Point
from kftune.local.samplers.strategy import Setup, Strategy, numbered_rng
from kftune.results import FINISHED, SCORED

_FACTORS = (0.8, 1.2)


class _Member(NamedTuple):
    point: Point
    parent: int | None
    """The trial that it resumes from."""


class PbtStrategy(Strategy):
    """Starts a generation when the one before has ended.

    Args:
        setup: What it searches, and how. Its settings: n_population; truncation_threshold, the share of a generation
            that is replaced; resample_probability, with which a replaced value is drawn again, not perturbed.
    """

    exclusive = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        settings = setup.settings
        self._size = int(settings["n_population"])
        self._share = float(settings["truncation_threshold"])
        self._resample = float(settings.get("resample_probability", 0.0))
        self._points: dict[int, Point] = {}
        self._ended: dict[int, float] = {}
        for trial in setup.earlier:
            self._points[trial.number] = trial.point
            if trial.state in FINISHED:
                scored = trial.state in SCORED and trial.objective is not None
                self._ended[trial.number] = self._rank(trial.objective if scored else None)

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields the member of that number; nothing while its parents still run."""
        member = self._member(number)
        if member is not None:
            yield member.point

    def parent_of(self, number: int) -> int | None:
        member = self._member(number)
        return None if member is None else member.parent

    def accept(self, number: int, point: Point) -> None:
        self._points[number] = point

    def tell(self, number: int, value: float | None) -> None:
        self._ended[number] = self._rank(value)

    def _rank(self, value: float | None) -> float:
        return math.inf if value is None else self._sign * value

    def _member(self, number: int) -> _Member | None:
        generation, place = divmod(number - 1, self._size)
        rng = numbered_rng(self._seed, number)
        if generation == 0:
            return _Member(self._space.draw(rng.random), None)
        first = (generation - 1) * self._size + 1
        before = range(first, first + self._size)
        if any(each not in self._ended for each in before):
            return None
        order = sorted(before, key=lambda each: self._ended[each])
        replaced = int(self._size * self._share)
        own = first + place
        if order.index(own) < self._size - replaced and self._ended[own] < math.inf:
            return _Member(self._points[own], own)
        parent = rng.choice(order[: max(1, replaced)])
        return _Member(self._changed(self._points[parent], rng), parent)

    def _changed(self, point: Point, rng: random.Random) -> Point:
        drawn = self._space.draw(rng.random)
        return self._space.reduced(
            {
                name: drawn.get(name, value)
                if rng.random() < self._resample
                else _perturbed(self._space.domains[name], value, rng)
                for name, value in point.items()
            }
        )


def _perturbed(domain: Domain, value: Any, rng: random.Random) -> Any:
    """Returns a neighbour in a list, or a value that is a fifth greater or smaller, within the domain."""
    if isinstance(domain, Listed):
        points = domain.grid()
        place = index_of(points, value) + rng.choice((-1, 1))
        return points[min(max(place, 0), len(points) - 1)]
    wanted = min(max(value * rng.choice(_FACTORS), domain.quantile(0)), domain.quantile(1))
    return wanted if domain.contains(wanted) else domain.quantile(share_of(domain, wanted))
