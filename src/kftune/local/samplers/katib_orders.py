"""The orders in which Katib's own engines give their points, faults included: grid and sobol, value for value.

Source: katib v0.19.0, pkg/suggestion/v1beta1/optuna (optuna 3.3.0, GridSampler) and goptuna (0.8.0, sobol); recorded
runs of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from kftune.errors import MissingExtraError
from kftune.local.samplers.independent import Unlearning
from kftune.local.samplers.space import Point, Space


class KatibGrid(Unlearning):
    """Every cell once, each drawn from those that are left; the names in the order of the alphabet."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__()
        try:
            # The generator whose numbers optuna 3.3.0 takes; it comes with Optuna.
            import numpy as np  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("local", "numpy") from error
        names = sorted(space.domains)
        self._cells = [
            dict(zip(names, cell, strict=True)) for cell in product(*(space.domains[n].grid() for n in names))
        ]
        self._left = list(range(len(self._cells)))
        self._order: list[int] = []
        self._rng = np.random.RandomState(seed)

    def proposals(self, number: int) -> Iterator[Point]:
        """The cell of that number, while there are any."""
        while len(self._order) < number and self._left:
            chosen = int(self._rng.choice(self._left))
            self._left.remove(chosen)
            self._order.append(chosen)
        if number <= len(self._order):
            yield self._cells[self._order[number - 1]]


class KatibSobol(Unlearning):
    """The unscrambled sequence without its origin, and without its second dimension, which goptuna passes over."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__()
        try:
            from scipy.stats import qmc  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("local", "scipy") from error
        self._names = sorted(space.domains)
        self._space = space
        self._sequence = qmc.Sobol(len(self._names) + 1, scramble=False)
        self._next = 0

    def proposals(self, number: int) -> Iterator[Point]:
        """The point of that number."""
        if number > self._next:
            self._sequence.fast_forward(number - self._next)
            self._next = number
        first, _, *others = self._sequence.random(1)[0].tolist()
        self._next += 1
        shares = dict(zip(self._names, (first, *others), strict=True))
        yield {name: domain.quantile(shares[name]) for name, domain in self._space.domains.items()}
