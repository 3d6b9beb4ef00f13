"""Strategies that ignore results: random, grid, sobol. Their points depend only on the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from kftune.local.samplers.space import Point
from kftune.local.samplers.strategy import Setup, Strategy, numbered_rng, optional_module


class RandomStrategy(Strategy):
    """Independent draws."""

    patience = 32
    several_objectives = True

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields draws that depend on seed and number, so that neither timing nor a restart changes them."""
        rng = numbered_rng(self._seed, number)
        while True:
            yield self._space.draw(rng.random)


class GridStrategy(Strategy):
    """Every point once, in random order."""

    most_refused = None
    several_objectives = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._points = list(self._space.all_points())
        random.Random(self._seed).shuffle(self._points)
        self._points.reverse()

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields the remaining points."""
        while self._points:
            yield self._points.pop()


class SobolStrategy(Strategy):
    """A scrambled Sobol sequence with one dimension per name, mapped by the domains' quantiles."""

    patience = 1000
    several_objectives = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        qmc = optional_module("scipy.stats.qmc")
        self._sequence = qmc.Sobol(max(1, self._space.dimensions), scramble=True, seed=self._seed)

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields the points of the sequence, each once."""
        while True:
            numbers = iter(self._sequence.random(1)[0].tolist())
            yield self._space.draw(numbers.__next__)
