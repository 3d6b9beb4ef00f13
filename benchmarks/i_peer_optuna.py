"""Optuna's TPE with its defaults, as its documentation writes an objective.

python -m benchmarks.i_peer_optuna tpe TRIALS SEEDS [PROBLEM ...]
"""

from __future__ import annotations

from typing import Any

import optuna

from benchmarks.problems import Choice, Int, Point, Problem
from benchmarks.search import main


class Optuna:
    def __init__(self, problem: Problem, algorithm: str, seed: int) -> None:
        assert algorithm == "tpe"
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._problem = problem
        self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))

    def ask(self, number: int) -> Point:
        self._trial = self._study.ask()
        point: dict[str, Any] = {}
        for name, one in self._problem.space.items():
            if not self._problem.active(name, point):
                continue
            if isinstance(one, Choice):
                point[name] = self._trial.suggest_categorical(name, one.options)
            elif isinstance(one, Int):
                point[name] = self._trial.suggest_int(name, one.low, one.high, log=one.log)
            else:
                point[name] = self._trial.suggest_float(name, one.low, one.high, log=one.log)
        return point

    def tell(self, number: int, value: float) -> None:
        self._study.tell(self._trial, value)


if __name__ == "__main__":
    main(Optuna)
