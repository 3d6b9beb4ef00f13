"""What Katib's suggestion services do with a search: one module for each service.

A service's module is imported when an Experiment or a study uses one of its algorithms.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kftune.katib.engines.search import Problem, search_of

if TYPE_CHECKING:
    from kftune.katib.admission.defaults import KatibVersion
    from kftune.katib.engines.engine import Engine

# Algorithm -> module of its service.
_SERVICES = {
    "random": "hyperopt",
    "grid": "optuna",
    "tpe": "hyperopt",
    "multivariate-tpe": "optuna",
    "bayesianoptimization": "skopt",
    "cmaes": "goptuna",
    "sobol": "goptuna",
    "hyperband": "hyperband",
    "pbt": "pbt",
}
ALGORITHMS = tuple(_SERVICES)
"""The algorithms that search hyperparameters."""

NAS = ("enas", "darts")
"""The algorithms that search architectures."""


@cache
def engine_of(algorithm: str) -> Engine:
    """Returns the engine of one of `ALGORITHMS`."""
    engine: Engine = import_module(f"{__name__}.{_SERVICES[algorithm]}").ENGINES[algorithm]
    return engine


def search_problems(spec: Mapping[str, Any], version: KatibVersion) -> list[Problem]:
    """Returns what goes wrong with the search and the early stopping of an Experiment.

    Args:
        spec: The decoded spec, with the webhook's defaults.
        version: The version of Katib.
    """
    search = search_of(spec, version)
    found: list[Problem] = []
    if search.algorithm in _SERVICES:
        found += engine_of(search.algorithm).problems(search)
    elif search.algorithm in NAS:
        found += import_module(f"{__name__}.nas").nas_problems(spec)
    if spec.get("earlyStopping") is not None:
        found += import_module(f"{__name__}.medianstop").stopping_problems(spec["earlyStopping"])
    return found
