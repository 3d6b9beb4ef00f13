"""Population based training: generations that inherit checkpoints and values from the best of the one before.

Trial number n is member (n - 1) mod N of generation (n - 1) div N, so that what an earlier run has left tells all.

Source: Jaderberg et al., Population Based Training (2017); katib v0.19.0, pkg/suggestion/v1beta1/pbt. There a value
that was held at its bounds loses its type, and steps are forgotten; here values stay in their domains.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from kftune.domains import Domain
from kftune.domains.listed import Listed
from kftune.local.samplers.sampler import numbered_rng
from kftune.local.samplers.shares import index_of, share_of
from kftune.local.samplers.space import Point, Space
from kftune.results import FINISHED, SCORED, Trial
from kftune.study.objective import Direction

_FACTORS = (0.8, 1.2)


class _Member(NamedTuple):
    """One member of a generation."""

    point: Point
    parent: int | None
    """The trial whose checkpoint it goes on from."""


class PbtStrategy:
    """The next generation begins when the one before has ended.

    Args:
        space: What is searched.
        seed: Makes the choices repeatable.
        direction: minimize or maximize.
        settings: n_population; truncation_threshold, the share of a generation that is replaced; resample_probability,
            with which a value of the replaced is drawn anew instead of perturbed.
        trials: Those of earlier runs.
    """

    patience: int | None = None
    only_its_own = True

    def __init__(
        self, space: Space, seed: int, direction: Direction, settings: Mapping[str, Any], trials: Iterable[Trial] = ()
    ) -> None:
        self.notes: list[str] = []
        self._space = space
        self._seed = seed
        self._sign = 1 if direction == "minimize" else -1
        self._size = int(settings["n_population"])
        self._share = float(settings["truncation_threshold"])
        self._anew = float(settings.get("resample_probability", 0.0))
        self._points: dict[int, Point] = {}
        self._ended: dict[int, float] = {}
        self._parents: dict[int, int | None] = {}
        for trial in trials:
            self._points[trial.number] = trial.point
            if trial.state in FINISHED:
                scored = trial.state in SCORED and trial.objective is not None
                self._ended[trial.number] = self._rank(trial.objective if scored else None)

    def proposals(self, number: int) -> Iterator[Point]:
        """The member of that number; nothing while its parents still run."""
        member = self._member(number)
        if member is not None:
            self._parents[number] = member.parent
            yield member.point

    def parent_of(self, number: int) -> int | None:
        """The trial from whose checkpoint another one goes on; None for the first generation."""
        if number not in self._parents:
            member = self._member(number)
            self._parents[number] = None if member is None else member.parent
        return self._parents[number]

    def accept(self, number: int, point: Point) -> None:
        """Trial `number` runs with `point`."""
        self._points[number] = point

    def tell(self, number: int, value: float | None) -> None:
        """Trial `number` has ended with that objective."""
        self._ended[number] = self._rank(value)

    def learn(self, results: Iterable[tuple[Point, float]]) -> None:
        """Nothing: the trials of earlier runs are known with their numbers."""

    # -- generations -------------------------------------------------------------------------------------------

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
                if rng.random() < self._anew
                else _perturbed(self._space.domains[name], value, rng)
                for name, value in point.items()
            }
        )


def _perturbed(domain: Domain, value: Any, rng: random.Random) -> Any:
    """A neighbour in a list; else a fifth more or less, brought back into the domain."""
    if isinstance(domain, Listed):
        points = domain.grid()
        place = index_of(points, value) + rng.choice((-1, 1))
        return points[min(max(place, 0), len(points) - 1)]
    wanted = min(max(value * rng.choice(_FACTORS), domain.quantile(0)), domain.quantile(1))
    return wanted if domain.contains(wanted) else domain.quantile(share_of(domain, wanted))
