"""The order in which Katib's own engines give their points, with their defects: grid and sobol, value for value.

Source: katib v0.19.0, pkg/suggestion/v1beta1/optuna (optuna 3.3.0, GridSampler) and goptuna (0.8.0, sobol); recorded
runs of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from kftune.local.samplers.space import Point
from kftune.local.samplers.strategy import Setup, Strategy, optional_module


class KatibGrid(Strategy):
    """Every cell once, each drawn from the remaining ones; names in alphabetical order."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        domains = self._space.domains
        names = sorted(domains)
        self._cells = [dict(zip(names, cell, strict=True)) for cell in product(*(domains[n].grid() for n in names))]
        self.size = len(self._cells)
        self._left = list(range(self.size))
        self._order: list[int] = []
        # The generator that optuna 3.3.0 uses; Optuna installs numpy.
        self._rng = optional_module("numpy").random.RandomState(self._seed)

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields the cell of that number, while there are any."""
        while len(self._order) < number and self._left:
            chosen = int(self._rng.choice(self._left))
            self._left.remove(chosen)
            self._order.append(chosen)
        if number <= len(self._order):
            yield self._cells[self._order[number - 1]]


class KatibSobol(Strategy):
    """The unscrambled sequence without its origin, and without its second dimension, which goptuna skips."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._names = sorted(self._space.domains)
        self._sequence = optional_module("scipy.stats.qmc").Sobol(len(self._names) + 1, scramble=False)
        self._next = 0

    def proposals(self, number: int) -> Iterator[Point]:
        """Yields the point of that number."""
        if number > self._next:
            self._sequence.fast_forward(number - self._next)
            self._next = number
        first, _, *others = self._sequence.random(1)[0].tolist()
        self._next += 1
        shares = dict(zip(self._names, (first, *others), strict=True))
        yield {name: domain.quantile(shares[name]) for name, domain in self._space.domains.items()}
