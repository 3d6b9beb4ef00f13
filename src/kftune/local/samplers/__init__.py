"""What to try next: the algorithms of a local run.

random, grid, sobol, hyperband and pbt are our own; tpe, multivariate-tpe, cmaes, bayesianoptimization and nsga2 come
from Optuna.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence

from kftune.errors import RunError
from kftune.katib.engines.settings import Setting, integer, number, one_of
from kftune.local.samplers.plugged_in import PluggedIn
from kftune.local.samplers.refusals import check_allowed
from kftune.local.samplers.sampler import Sampler
from kftune.local.samplers.space import Point, Searched, Space, Suggestion
from kftune.local.samplers.strategy import Setup, Strategy, numbered_rng
from kftune.results import SCORED, TrackedObjective, Trial, score_of
from kftune.results.past import NO_PAST, Past
from kftune.study.algorithm import Algorithm
from kftune.study.algorithms import declared
from kftune.study.objective import Direction

__all__ = [
    "RUNS_ON_KATIB_ONLY",
    "Point",
    "Sampler",
    "Searched",
    "Setting",
    "Setup",
    "Space",
    "Strategy",
    "Suggestion",
    "check_allowed",
    "check_runs_here",
    "integer",
    "make_sampler",
    "number",
    "numbered_rng",
    "one_of",
]

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
    "nsga2": "optuna_strategy:nsga2",
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
    others: Sequence[TrackedObjective] = (),
    as_katib: bool = False,
    past: Past = NO_PAST,
) -> Sampler:
    """Returns the sampler of a study or an Experiment.

    Args:
        searched: What is searched.
        algorithm: How values are chosen.
        direction: Whether a smaller or a greater objective is better, of several the first.
        seed: The seed to use.
        parallel: How many trials run at the same time.
        trials: The trials of earlier runs.
        others: The further objectives, of several.
        as_katib: Whether to use the order of Katib's engines where it is known, and to repeat points.
        past: What the study takes over from past trials.

    Raises:
        RunError: The algorithm cannot search this space, or takes one objective only.
        MissingExtraError: A package that the algorithm needs is not installed.
    """
    earlier = list(trials)
    space = Space(searched)
    setup = Setup(space, algorithm, direction, seed, parallel=parallel, earlier=earlier, others=others)
    strategy = _strategy(setup, {**_STRATEGIES, **_AS_KATIB} if as_katib else _STRATEGIES)
    if others and not strategy.several_objectives:
        raise RunError(
            f"{algorithm.name} learns from one objective, but the study has {1 + len(others)}; use nsga2, tpe, "
            f"multivariate-tpe, bayesianoptimization or random, or keep one objective and list the others under metrics"
        )
    scores = [score_of(trial.objective, trial.metrics, others) for trial in earlier]
    found = zip(earlier, scores, strict=True)
    own = [(trial.point, score) for trial, score in found if trial.state in SCORED and score]
    strategy.learn_scores([*past.told, *own] if strategy.learns_from_past else own)
    repeats = as_katib or algorithm.name == "pbt"
    tried = [trial.assignment for trial in earlier]
    # Values that ran out of memory and were replaced by smaller ones.
    tried += [
        space.suggestion({**trial.point, **trial.retried.proposed}).assignment
        for trial in earlier
        if trial.retried.proposed
    ]
    return Sampler(space, strategy, seed, tried, repeats=repeats, past=past.first)


def _strategy(setup: Setup, known: Mapping[str, str]) -> Strategy:
    """Returns the strategy of an algorithm of kftune, or a sampler of one's own."""
    algorithm = setup.algorithm.name
    own = None if algorithm in known else declared(algorithm).make
    if own is not None:
        return PluggedIn(own, setup)
    module, _, name = known[algorithm].partition(":")
    strategy: Strategy = getattr(importlib.import_module(f"kftune.local.samplers.{module}"), name)(setup)
    return strategy
