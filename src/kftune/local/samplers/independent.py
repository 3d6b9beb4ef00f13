"""Strategies that learn nothing from results: random, grid, sobol. What they choose depends on the seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from kftune.errors import MissingExtraError
from kftune.local.samplers.sampler import numbered_rng
from kftune.local.samplers.space import Point, Space


class Unlearning:
    """A strategy that takes no notice of results."""

    patience: int | None = None
    only_its_own = False

    def __init__(self) -> None:
        self.notes: list[str] = []

    def accept(self, number: int, point: Point) -> None:
        """Nothing to do."""

    def tell(self, number: int, value: float | None) -> None:
        """Nothing to do."""

    def parent_of(self, number: int) -> int | None:
        """None: every trial begins anew."""
        return None

    def learn(self, results: Iterable[tuple[Point, float]]) -> None:
        """Nothing to do."""


class RandomStrategy(Unlearning):
    """Independent draws."""

    patience: int | None = 32

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__()
        self._space = space
        self._seed = seed

    def proposals(self, number: int) -> Iterator[Point]:
        """Draws that depend on the seed and the number, so that neither timing nor a restart changes them."""
        rng = numbered_rng(self._seed, number)
        while True:
            yield self._space.draw(rng.random)


class GridStrategy(Unlearning):
    """Every point once, in random order."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__()
        self._points = list(space.all_points())
        random.Random(seed).shuffle(self._points)
        self._points.reverse()

    def proposals(self, number: int) -> Iterator[Point]:
        """What is left."""
        while self._points:
            yield self._points.pop()


class SobolStrategy(Unlearning):
    """A scrambled Sobol sequence: one dimension for each name, brought to its domain by the domain's quantiles."""

    patience: int | None = 1000

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__()
        try:
            # Here alone, so that the other algorithms do not wait for it.
            from scipy.stats import qmc  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("local", "scipy") from error
        self._space = space
        self._sequence = qmc.Sobol(max(1, space.dimensions), scramble=True, seed=seed)

    def proposals(self, number: int) -> Iterator[Point]:
        """The points of the sequence, each once."""
        while True:
            numbers = iter(self._sequence.random(1)[0].tolist())
            yield self._space.draw(numbers.__next__)
