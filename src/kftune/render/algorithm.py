"""The algorithm and the number of trials of a study's Experiment."""

from __future__ import annotations

from typing import Any, NamedTuple

from kftune.errors import RenderError
from kftune.katib.engines import ALGORITHMS, engine_of
from kftune.katib.engines.engine import StudySearch
from kftune.katib.engines.native import number_text
from kftune.katib.engines.settings import SEED
from kftune.study import Study
from kftune.study.algorithm import LOCAL_ONLY


class Counts(NamedTuple):
    """How many trials Katib is told to run."""

    max_trials: int
    parallel: int
    max_failed: int


def check_renders(study: Study) -> None:
    """Rejects an algorithm that Katib does not have.

    Raises:
        RenderError: It runs on this machine only.
    """
    name = study.algorithm.name
    if name in LOCAL_ONLY:
        raise RenderError(
            f"Katib has no algorithm {name}, which runs on this machine only; render with another one, for example "
            f"with the override 'algorithm={{name: tpe}}'; Katib has {', '.join(ALGORITHMS)}",
            ("algorithm", "name"),
        )


def study_search(study: Study) -> StudySearch:
    """Returns what the algorithm's engine needs to know about a study."""
    budget = study.budget
    settings, version = study.algorithm.settings, study.targets.katib.version
    return StudySearch(study.space, settings, budget.max_trials, budget.at_once, version)


def counts(study: Study, search: StudySearch) -> Counts:
    """Returns the numbers of trials.

    Args:
        study: The study.
        search: Its search.

    Raises:
        RenderError: An Experiment of that size, with these settings, would fail or hang.
    """
    engine, budget = engine_of(study.algorithm.name), study.budget
    problem = engine.study_problem(search)
    if problem is not None:
        raise RenderError(problem)
    most = engine.max_trials(search)
    return Counts(most, min(budget.at_once, most), min(budget.failures_allowed, most))


def algorithm_spec(study: Study) -> dict[str, Any]:
    """Returns the Experiment's ``spec.algorithm``."""
    algorithm = study.algorithm
    spec: dict[str, Any] = {"algorithmName": algorithm.name}
    settings = [{"name": name, "value": _setting_text(value)} for name, value in algorithm.settings.items()]
    if algorithm.seed is not None and engine_of(algorithm.name).seeded:
        settings.append({"name": SEED, "value": str(algorithm.seed)})
    if settings:
        spec["algorithmSettings"] = settings
    return spec


def _setting_text(value: str | float | bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number_text(value)
    return str(value).lower()
