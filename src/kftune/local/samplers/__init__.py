"""What to try next: the algorithms of a local run.

random, grid, sobol, hyperband and pbt are our own; tpe, multivariate-tpe, cmaes and bayesianoptimization come from
Optuna, which is imported when one of them runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kftune.errors import RunError
from kftune.local.samplers.hyperband import HyperbandStrategy
from kftune.local.samplers.independent import GridStrategy, RandomStrategy, SobolStrategy
from kftune.local.samplers.pbt import PbtStrategy
from kftune.local.samplers.sampler import Sampler, Strategy, numbered_rng
from kftune.local.samplers.space import Point, Searched, Space, Suggestion
from kftune.results import SCORED, Trial
from kftune.study.algorithm import Algorithm
from kftune.study.objective import Direction

__all__ = ["Point", "Sampler", "Searched", "Space", "Suggestion", "check_runs_here", "make_sampler"]

_ON_KATIB_ONLY = {
    "pbt": "its checkpoints go from trial to trial by a volume; here take tpe or multivariate-tpe, or run the "
    "Experiment that kftune render makes of the study",
}
_INDEPENDENT: dict[str, Callable[[Space, int], Strategy]] = {
    "random": RandomStrategy,
    "grid": GridStrategy,
    "sobol": SobolStrategy,
}


def check_runs_here(algorithm: str) -> None:
    """Makes sure that an algorithm is one for studies on this machine.

    Raises:
        RunError: It runs on Katib only.
    """
    why = _ON_KATIB_ONLY.get(algorithm)
    if why is not None:
        raise RunError(f"the algorithm {algorithm} runs on Katib only: {why}")


def make_sampler(
    searched: Searched,
    algorithm: Algorithm,
    direction: Direction,
    seed: int,
    parallel: int = 1,
    trials: Iterable[Trial] = (),
    *,
    as_katib: bool = False,
) -> Sampler:
    """The sampler of a study or an Experiment.

    Args:
        searched: What is searched.
        algorithm: How values are chosen.
        direction: Whether less or more is better.
        seed: The seed that counts.
        parallel: How many trials run at once.
        trials: Those of earlier runs.
        as_katib: Give points in the orders of Katib's engines where these are known, and let points come twice.

    Raises:
        RunError: The algorithm cannot search this space.
        MissingExtraError: A package that the algorithm needs is not installed.
    """
    earlier = list(trials)
    space = Space(searched)
    if as_katib and algorithm.name in ("grid", "sobol"):
        # Only these runs need it.
        from kftune.local.samplers.katib_orders import KatibGrid, KatibSobol  # noqa: PLC0415

        strategy: Strategy = (KatibGrid if algorithm.name == "grid" else KatibSobol)(space, seed)
    else:
        strategy = _strategy(algorithm, direction, space, seed, parallel, earlier)
    scored = [trial for trial in earlier if trial.state in SCORED]
    strategy.learn([(trial.point, trial.objective) for trial in scored if trial.objective is not None])
    repeats = as_katib or algorithm.name == "pbt"
    return Sampler(space, strategy, seed, [trial.assignment for trial in earlier], repeats=repeats)


def _strategy(
    algorithm: Algorithm, direction: Direction, space: Space, seed: int, parallel: int, earlier: list[Trial]
) -> Strategy:
    name = algorithm.name
    if name in _INDEPENDENT:
        return _INDEPENDENT[name](space, seed)
    if name == "hyperband":
        return HyperbandStrategy(space, seed, direction, algorithm.settings)
    if name == "pbt":
        return PbtStrategy(space, seed, direction, algorithm.settings, earlier)
    # The first use of any algorithm that needs Optuna is the place to load it.
    from kftune.local.samplers.optuna_strategy import optuna_strategy  # noqa: PLC0415

    if earlier:
        # Else a resumed run would draw its first numbers a second time.
        seed = numbered_rng(seed, len(earlier) + 1).getrandbits(32)
    return optuna_strategy(name, space, seed, direction, algorithm.settings, parallel)
