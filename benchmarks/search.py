"""One side of the search benchmarks: `python -m benchmarks.i_SIDE ALGORITHM TRIALS SEEDS [PROBLEM ...]`.

Prints, for each problem and seed, how far the best point so far is from the optimum after each trial. Each peer's
environment imports this.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Protocol

from benchmarks.problems import Point, Problem, problems

Regrets = dict[str, list[list[float]]]


class Searcher(Protocol):
    """One search of one problem."""

    def ask(self, number: int) -> Point:
        """Returns what trial `number` tries."""

    def tell(self, number: int, value: float) -> None:
        """Takes the value of a trial."""


Make = Callable[[Problem, str, int], Searcher]
"""Starts a search of a problem with an algorithm and a seed."""


def regrets(problem: Problem, searcher: Searcher, trials: int, seed: int) -> list[float]:
    """Runs trials one after the other; returns the regret of the best one so far after each.

    With noise, the best one is the one with the best told value; its regret is that of the value without noise.
    """
    best, regret, found = math.inf, math.inf, []
    for number in range(1, trials + 1):
        point = searcher.ask(number)
        value = problem.value(point)
        told = problem.told(value, seed, number)
        searcher.tell(number, told)
        if told < best:
            best, regret = told, value - problem.optimum
        found.append(regret)
    return found


def main(make: Make) -> None:
    """Runs the side that `make` starts."""
    algorithm, trials, seeds, *names = sys.argv[1:]
    found: Regrets = {}
    for name, problem in problems().items():
        if not names or name in names:
            found[name] = [
                regrets(problem, make(problem, algorithm, seed), int(trials), seed) for seed in range(int(seeds))
            ]
    print(json.dumps(found))
