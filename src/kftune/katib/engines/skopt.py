"""`bayesianoptimization`: scikit-optimize behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/skopt; scikit-optimize 0.10.2; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from kftune.katib.engines import problems
from kftune.katib.engines.engine import Draw, Encoding, Engine, StudySearch, half_ends
from kftune.katib.engines.search import Numbers, ParameterSpec, Problem, Search
from kftune.katib.engines.settings import NUMPY_SEED, SEED, Setting, Settings, integer, one_of


class BayesianOptimization(Engine):
    """`bayesianoptimization`."""

    summary = "Gaussian process"
    settings: ClassVar[Settings] = {
        "base_estimator": Setting(one_of("GP", "RF", "ET", "GBRT")),
        "acq_func": Setting(one_of("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps")),
        "acq_optimizer": Setting(one_of("auto", "sampling", "lbfgs")),
        "n_initial_points": Setting(
            integer(1), checked=integer(0), consequence="the first request finds no model and fails"
        ),
        SEED: NUMPY_SEED,
    }
    encoding = Encoding("millionth", "int", {"min": "0", "max": "999999"})

    def later_problems(self, search: Search) -> Iterator[Problem]:
        """Yields what goes wrong after the check, apart from the parameters."""
        yield from super().later_problems(search)
        yield from _estimator_problems(search)
        if search.parallel <= 0:
            yield problems.no_suggestions(search)
        if not search.parameters:
            yield problems.no_parameters()

    def doubled_name(self, search: Search, parameter: ParameterSpec, first: ParameterSpec) -> Problem:
        """Returns what happens with the second of two parameters with one name."""
        return problems.doubled_name(parameter, "wrong", "every suggestion assigns it twice")

    def reads_step(self, parameter: ParameterSpec) -> bool:
        """Returns whether it reads the step of a parameter: never."""
        return False

    def range_problems(self, search: Search, parameter: ParameterSpec, numbers: Numbers) -> Iterator[Problem]:
        """Yields what goes wrong with bounds and a step that the engine can read."""
        drawn = _drawn(search, numbers)
        bad = _bounds_problem(parameter, numbers, is_log=drawn == "logUniform")
        if bad is not None:
            yield bad
            return
        if numbers.step is not None and numbers.step > (1 if numbers.whole else 0) and math.isfinite(numbers.step):
            width = numbers.high - numbers.low
            share = 1 - (width // numbers.step + 1) / (width + 1) if numbers.whole else 1
            yield from problems.off_lattice(search, parameter, share, "this engine ignores steps")
        yield from problems.ignored_distribution(search, parameter, numbers, drawn)

    def uneven(self, numbers: Numbers) -> str | None:
        """Returns why its draws do not follow the distribution."""
        return half_ends(numbers) if numbers.whole else None

    def draw(self, numbers: Numbers) -> Draw:
        """Returns its draw: integers evenly and doubles by orders of magnitude, for any distribution."""
        return {"int" if numbers.whole else "loguniform": [numbers.low, numbers.high]}

    def study_problem(self, study: StudySearch) -> str | None:
        """Returns why a study of this size and these settings fails or hangs on Katib."""
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


def _drawn(search: Search, numbers: Numbers) -> str:
    """Returns the distribution that it draws. Katib's main branch draws doubles as they are declared."""
    if numbers.whole or (search.version == "main" and numbers.distribution != "logUniform"):
        return "uniform"
    return "logUniform"


def _estimator_problems(search: Search) -> Iterator[Problem]:
    if (search.setting("base_estimator") or "GP") == "GP":
        return
    optimizer = search.setting("acq_optimizer") or "auto"
    if optimizer == "lbfgs":
        yield problems.breaking_setting(search, "acq_optimizer", "lbfgs works with base_estimator GP only")
    elif search.setting("acq_func") in ("EIps", "PIps") and optimizer != "sampling":
        yield problems.breaking_setting(search, "acq_func", "it needs base_estimator GP, or acq_optimizer sampling")


def _bounds_problem(parameter: ParameterSpec, numbers: Numbers, *, is_log: bool) -> Problem | None:
    low, high = numbers.low, numbers.high
    if low >= high:
        return problems.inverted(parameter, "min is not below max, every request fails")
    if is_log and low <= 0 <= high:
        rule = "this engine draws doubles on a log scale, which has no 0: every request fails"
        return problems.log_of_zero(parameter, rule)
    if math.isnan(low) or math.isnan(high) or (is_log and high < 0):
        return problems.not_finite(parameter, "nan")
    if math.isinf(low) or math.isinf(high):
        return problems.not_finite(parameter, "inf")
    return None
