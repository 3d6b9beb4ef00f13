"""`bayesianoptimization`: scikit-optimize behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/skopt; scikit-optimize 0.10.2; recorded runs of both. For Katib's
main branch: pull request 2689, read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from kftune.katib.engines import problems
from kftune.katib.engines.engine import Draw, Encoding, Engine, StudySearch, half_ends
from kftune.katib.engines.search import ParameterSpec, Problem, Range, Search
from kftune.katib.engines.settings import NUMPY_SEED, SEED, Setting, Settings, integer, one_of


class BayesianOptimization(Engine):
    """`bayesianoptimization`."""

    summary = "Gaussian process"
    settings: ClassVar[Settings] = {
        "base_estimator": Setting(
            one_of("GP RF ET GBRT"),
            meaning="The model: Gaussian process, random forest, extra trees or boosted trees; `GP` without it.",
        ),
        "acq_func": Setting(
            one_of("gp_hedge LCB EI PI EIps PIps"),
            meaning="What makes a point worth trying; `gp_hedge` without it. Katib only.",
        ),
        "acq_optimizer": Setting(
            one_of("auto sampling lbfgs"),
            meaning="How the best such point is found; `auto` without it. Katib only.",
        ),
        "n_initial_points": Setting(
            integer(1),
            integer(0),
            "the first request finds no model and fails",
            meaning="Random trials before the model is used; 10 without it.",
        ),
        SEED: NUMPY_SEED,
    }
    needs_parameters = needs_requests = True
    encoding = Encoding("millionth", "int", {"min": "0", "max": "999999"})

    def _later_problems(self, search: Search) -> Iterator[Problem]:
        yield from super()._later_problems(search)
        yield from _estimator_problems(search)

    def _doubled_name(self, search: Search, parameter: ParameterSpec, first: ParameterSpec) -> Problem:
        return problems.DOUBLED_NAME.of(parameter, problems.ASSIGNED_TWICE, "hangs")

    def _reads_step(self, parameter: ParameterSpec) -> bool:
        return False

    def _range_problems(self, found: Range) -> Iterator[Problem]:
        if found.is_normal and found.search.version == "main":
            yield problems.REFUSED.of(found)
            return
        drawn = _drawn(found)
        bad = _bounds_problem(found, is_log=drawn == "logUniform")
        if bad is not None:
            yield bad
            return
        if found.step is not None and found.step > (1 if found.whole else 0) and math.isfinite(found.step):
            width = found.high - found.low
            share = 1 - (width // found.step + 1) / (width + 1) if found.whole else 1
            yield from problems.OFF_LATTICE.seen(found, share, "this engine ignores steps")
        yield from problems.ignored_distribution(found, drawn)

    def uneven(self, found: Range) -> str | None:
        if found.whole and _drawn(found) == "logUniform":
            return "it rounds logarithms, which gives both ends too small a share"
        return half_ends(found) if found.whole else None

    def draw(self, found: Range) -> Draw:
        is_log = _drawn(found) == "logUniform"
        if found.whole:
            return {"int": [found.low, found.high], "log": is_log}
        return {"loguniform" if is_log else "uniform": [found.low, found.high]}

    def study_problem(self, study: StudySearch) -> str | None:
        function, estimator = study.settings.get("acq_func"), study.settings.get("base_estimator", "GP")
        if function in ("EIps", "PIps"):
            return (
                f"bayesianoptimization: acq_func {function} needs each trial's run time, which Katib does not give it; "
                f"set it to EI, PI or gp_hedge"
            )
        if study.settings.get("acq_optimizer") == "lbfgs" and estimator != "GP":
            return (
                f"bayesianoptimization: acq_optimizer lbfgs needs base_estimator GP, but that is {estimator}; set "
                f"acq_optimizer to sampling"
            )
        return None


ENGINES = {"bayesianoptimization": BayesianOptimization()}


def _drawn(found: Range) -> str:
    """Returns the distribution that it draws: logarithms of doubles; on Katib's main branch as it is declared."""
    is_log = found.distribution == "logUniform" if found.search.version == "main" else not found.whole
    return "logUniform" if is_log else "uniform"


def _estimator_problems(search: Search) -> Iterator[Problem]:
    if (search.setting("base_estimator") or "GP") == "GP":
        return
    optimizer = search.setting("acq_optimizer") or "auto"
    if optimizer == "lbfgs":
        yield problems.breaking_setting(search, "acq_optimizer", "lbfgs works with base_estimator GP only")
    elif search.setting("acq_func") in ("EIps", "PIps") and optimizer != "sampling":
        yield problems.breaking_setting(search, "acq_func", "it needs base_estimator GP, or acq_optimizer sampling")


def _bounds_problem(found: Range, *, is_log: bool) -> Problem | None:
    low, high = found.low, found.high
    if low >= high:
        return problems.INVERTED.of(found, "min is not below max, every request fails")
    if is_log and low <= 0 <= high:
        rule = "this engine draws doubles on a log scale, which has no 0: every request fails"
        return problems.LOG_OF_ZERO.of(found, rule)
    if math.isnan(low) or math.isnan(high) or (is_log and high < 0):
        return problems.NOT_FINITE.of(found, "nan")
    if math.isinf(low) or math.isinf(high):
        return problems.NOT_FINITE.of(found, "inf")
    return None
