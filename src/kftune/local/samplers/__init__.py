"""What to try next: the algorithms of a local run.

random, grid, sobol, hyperband and pbt are our own; tpe, multivariate-tpe, cmaes and bayesianoptimization come from
Optuna.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from kftune.errors import RunError
from kftune.local.samplers.sampler import Sampler
from kftune.local.samplers.space import Searched, Space, Suggestion
from kftune.local.samplers.strategy import Setup, Strategy
from kftune.results import SCORED, Trial
from kftune.study.algorithm import Algorithm
from kftune.study.objective import Direction

__all__ = ["RUNS_ON_KATIB_ONLY", "Sampler", "Searched", "Space", "Suggestion", "check_runs_here", "make_sampler"]

# Algorithm -> the module here and what makes the strategy in it; imported when the algorithm runs.
_STRATEGIES = {
    "random": "non_adaptive:RandomStrategy",
    "grid": "non_adaptive:GridStrategy",
    "sobol": "non_adaptive:SobolStrategy",
    "hyperband": "hyperband:HyperbandStrategy",
    "pbt": "pbt:PbtStrategy",
    "tpe": "optuna_strategy:tpe",
    "multivariate-tpe": "optuna_strategy:multivariate_tpe",
    "cmaes": "optuna_strategy:cmaes",
    "bayesianoptimization": "optuna_strategy:bayesian",
}
# The same for algorithms with a known order in Katib's engines.
_AS_KATIB = {"grid": "katib_orders:KatibGrid", "sobol": "katib_orders:KatibSobol"}
RUNS_ON_KATIB_ONLY = {
    "pbt": "a volume carries its checkpoints from trial to trial; use tpe or multivariate-tpe here, or run the "
    "Experiment that kftune render writes for the study",
}
"""Algorithms of Experiments that a study cannot use on this machine, and why."""


def check_runs_here(algorithm: str) -> None:
    """Rejects an algorithm that a study cannot use on this machine.

    Raises:
        RunError: It runs on Katib only.
    """
    why = RUNS_ON_KATIB_ONLY.get(algorithm)
    if why is not None:
        raise RunError(f"the algorithm {algorithm} runs on Katib only: {why}")


def make_sampler(
    searched: Searched,
    algorithm: Algorithm,
    direction: Direction,
    seed: int,
    *,
    parallel: int = 1,
    trials: Iterable[Trial] = (),
    as_katib: bool = False,
) -> Sampler:
    """Returns the sampler of a study or an Experiment.

    Args:
        searched: What is searched.
        algorithm: How values are chosen.
        direction: Whether a smaller or a greater objective is better.
        seed: The seed to use.
        parallel: How many trials run at the same time.
        trials: The trials of earlier runs.
        as_katib: Whether to use the order of Katib's engines where it is known, and to repeat points.

    Raises:
        RunError: The algorithm cannot search this space.
        MissingExtraError: A package that the algorithm needs is not installed.
    """
    earlier = list(trials)
    space = Space(searched)
    setup = Setup(space=space, algorithm=algorithm, direction=direction, seed=seed, parallel=parallel, earlier=earlier)
    known = {**_STRATEGIES, **_AS_KATIB} if as_katib else _STRATEGIES
    module, _, name = known[algorithm.name].partition(":")
    strategy: Strategy = getattr(importlib.import_module(f"kftune.local.samplers.{module}"), name)(setup)
    scored = [trial for trial in earlier if trial.state in SCORED]
    strategy.learn([(trial.point, trial.objective) for trial in scored if trial.objective is not None])
    repeats = as_katib or algorithm.name == "pbt"
    tried = [trial.assignment for trial in earlier]
    # Values that ran out of memory and were replaced by smaller ones.
    tried += [
        space.suggestion({**trial.point, **trial.retried.proposed}).assignment
        for trial in earlier
        if trial.retried.proposed
    ]
    return Sampler(space, strategy, seed, tried, repeats=repeats)
