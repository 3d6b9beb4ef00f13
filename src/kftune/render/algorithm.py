"""The algorithm and the number of trials, as far as Katib's engines carry them.

Source: katib v0.19.0, pkg/suggestion/v1beta1, run: what the settings check refuses, and what passes it and then fails
at every request for suggestions, which leaves an Experiment running for ever without trials.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from kftune.errors import RenderError
from kftune.katib.engines.faithful import engine_of, number_text
from kftune.render.crossing import LARGEST_GRID
from kftune.study import Study


class Counts(NamedTuple):
    """How many trials Katib is told to run."""

    max_trials: int
    parallel: int
    max_failed: int


def counts(study: Study) -> Counts:
    """The numbers of trials.

    Raises:
        RenderError: With this algorithm, an Experiment of that size would hang.
    """
    budget, algorithm = study.budget, study.algorithm.name
    most = budget.max_trials
    if algorithm == "grid":
        # Katib's grid refuses an Experiment with more trials than points.
        most = int(min(most, study.size))
        _check_grid(study, most)
    if algorithm == "hyperband":
        _check_hyperband(study)
    if algorithm == "bayesianoptimization":
        _check_gaussian_process(study)
    return Counts(most, min(budget.parallel, most), min(budget.failures_allowed, most))


def algorithm_spec(study: Study) -> dict[str, Any]:
    """The Experiment's ``spec.algorithm``."""
    algorithm = study.algorithm
    spec: dict[str, Any] = {"algorithmName": algorithm.name}
    settings = [{"name": name, "value": _setting_text(value)} for name, value in algorithm.settings.items()]
    if algorithm.seed is not None and engine_of(algorithm.name, study.targets.katib.version).seeded:
        settings.append({"name": "random_state", "value": str(algorithm.seed)})
    if settings:
        spec["algorithmSettings"] = settings
    return spec


def first_resource(study: Study) -> tuple[int, int]:
    """Trials that hyperband's first bracket takes, and the resource that each of them gets.

    Source: katib v0.19.0, hyperband/service.py. It checks the number of trials with the whole part of eta, and runs
    with all of it; the quotient of logarithms is rounded down as it comes, so that 243 and 3 make 4 rounds.
    """
    settings = study.algorithm.settings
    most, eta = float(settings["r_l"]), float(settings.get("eta", 3))
    rounds = int(math.log(most) / math.log(eta)) if most >= 1 else 0
    checked = int(math.log(most) / math.log(int(eta))) if most >= 1 else 0
    return max(math.ceil(eta**rounds), math.ceil(int(eta) ** checked)), int(most * eta**-rounds)


def _setting_text(value: str | float | bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number_text(value)
    return str(value).lower()


def _check_grid(study: Study, points: int) -> None:
    if points > LARGEST_GRID:
        raise RenderError(
            f"Katib's grid takes ever longer to find the next point and stops at about {LARGEST_GRID} points, but "
            f"{' x '.join(study.space)} has {points}; make the grid smaller, or set algorithm.name to random"
        )


def _check_hyperband(study: Study) -> None:
    name, budget = str(study.algorithm.settings["resource_name"]), study.budget
    if name not in study.space or study.space[name].size == 1:
        raise RenderError(
            f"hyperband of Katib sets its resource {name!r} itself, so that must be searched, but only "
            f"{', '.join(study.space)} are; give {name} a domain, for example {{int: [1, 27]}}"
        )
    if float(study.algorithm.settings["r_l"]) < 1:
        raise RenderError(f"hyperband needs r_l of at least 1, but got {study.algorithm.settings['r_l']}")
    trials, resource = first_resource(study)
    if not budget.max_trials == budget.parallel >= trials:
        raise RenderError(
            f"hyperband of Katib {study.targets.katib.version} never gets past its first bracket of {trials} trials; "
            f"it hangs with max_trials={budget.max_trials} and parallel={budget.parallel}; set both to {trials}, "
            f"or algorithm.name to multivariate-tpe"
        )
    if not study.space[name].contains(resource):
        raise RenderError(
            f"hyperband would set {name} to {resource} in its first bracket, which is not in {study.space[name]!r}; "
            f"change that domain or r_l"
        )


def _check_gaussian_process(study: Study) -> None:
    settings = study.algorithm.settings
    if settings.get("acq_func") in ("EIps", "PIps"):
        raise RenderError(
            f"bayesianoptimization: acq_func {settings['acq_func']} needs each trial's run time, which Katib does not "
            f"give it; set it to EI, PI or gp_hedge"
        )
    if settings.get("acq_optimizer") == "lbfgs" and settings.get("base_estimator", "GP") != "GP":
        raise RenderError(
            f"bayesianoptimization: acq_optimizer lbfgs needs base_estimator GP, but that is "
            f"{settings['base_estimator']}; set acq_optimizer to sampling"
        )
