"""Syne Tune's random search, which its ASHA uses too. It has no conditions.

python -m benchmarks.i_peer_synetune random TRIALS SEEDS [PROBLEM ...]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from syne_tune import config_space
from syne_tune.optimizer.schedulers.searchers.random_searcher import RandomSearcher

from benchmarks.problems import Choice, Int, Point, Problem, Range
from benchmarks.search import main


class SyneTune:
    def __init__(self, problem: Problem, algorithm: str, seed: int) -> None:
        assert algorithm == "random"
        np.random.seed(seed)  # its searcher draws from numpy's global generator, whatever its own seed is
        self._searcher = RandomSearcher(space(problem), random_seed=seed)

    def ask(self, number: int) -> Point:
        found: dict[str, Any] = self._searcher.suggest()
        return found

    def tell(self, number: int, value: float) -> None:
        pass


def space(problem: Problem) -> dict[str, Any]:
    """Returns a problem's space as Syne Tune writes it."""
    return {name: _domain(one) for name, one in problem.space.items()}


def _domain(one: Range) -> Any:
    if isinstance(one, Choice):
        return config_space.choice(list(one.options))
    if isinstance(one, Int):
        return (config_space.lograndint if one.log else config_space.randint)(one.low, one.high)
    return (config_space.loguniform if one.log else config_space.uniform)(one.low, one.high)


if __name__ == "__main__":
    main(SyneTune)
