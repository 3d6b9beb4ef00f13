"""What the suggestion engines do with a search space: refuse it, hang, or give other values than were asked for.

Each engine's module is imported when an Experiment asks for it.
"""

from __future__ import annotations

from importlib import import_module

from kftune.katib.engines.space import Outcome, Parameter, Problem, Search, search_of

__all__ = ["Outcome", "Parameter", "Problem", "Search", "search_of", "search_problems"]

_ENGINES = {
    "random": "hyperopt",
    "tpe": "hyperopt",
    "multivariate-tpe": "optuna",
    "grid": "grid",
    "bayesianoptimization": "skopt",
    "cmaes": "goptuna",
    "sobol": "goptuna",
    "hyperband": "hyperband",
    "pbt": "pbt",
}


def search_problems(search: Search) -> list[Problem]:
    """What the engine of the search's algorithm will do; empty for engines that are not known here."""
    engine = _ENGINES.get(search.algorithm)
    if engine is None:
        return []
    return list(import_module(f"{__name__}.{engine}").problems(search))
