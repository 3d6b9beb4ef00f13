"""`multivariate-tpe`: optuna 3.3.0 behind Katib's suggestion service. The same service has `grid`.

Source: katib v0.19.0, pkg/suggestion/v1beta1/optuna; optuna 3.3.0; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from kftune.katib.engines import problems
from kftune.katib.engines.engine import Draw, Engine
from kftune.katib.engines.search import Numbers, ParameterSpec, Problem, Search
from kftune.katib.engines.settings import NUMPY_SEED, SEED, Setting, Settings, integer
from kftune.katib.go.numbers import python_int

# optuna's base service raises a lower min to this in a logarithmic range.
LEAST_LOG_INT, LEAST_LOG = 1, 1e-10

MISSING = ("normal", "logNormal", "unknown")
"""The distributions for which the service leaves a parameter out."""


class MultivariateTpe(Engine):
    """`multivariate-tpe`."""

    summary = "tree of Parzen estimators over all parameters together"
    settings: ClassVar[Settings] = {
        "n_startup_trials": Setting(integer(0)),
        "n_ei_candidates": Setting(integer(1), checked=integer(0)),
        SEED: NUMPY_SEED,
    }

    def later_problems(self, search: Search) -> Iterator[Problem]:
        """Yields what goes wrong after the check, apart from the parameters."""
        yield from super().later_problems(search)
        startup = python_int(search.setting("n_startup_trials") or "10") or 0
        if python_int(search.setting("n_ei_candidates") or "1") == 0 and (
            search.most is None or search.most - search.parallel >= startup
        ):
            consequence = f"every request fails once {startup} trials have ended"
            yield problems.breaking_setting(search, "n_ei_candidates", consequence)

    def number_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        """Yields what goes wrong with a parameter that has bounds."""
        if parameter.distribution in MISSING:
            yield problems.missing_parameter(parameter)
        else:
            yield from super().number_problems(search, parameter)

    def reads_step(self, parameter: ParameterSpec) -> bool:
        """Returns whether it reads the step of a parameter: not of a logarithmic one."""
        return parameter.distribution != "logUniform"

    def range_problems(self, search: Search, parameter: ParameterSpec, numbers: Numbers) -> Iterator[Problem]:
        """Yields what goes wrong with bounds and a step that the engine can read."""
        if numbers.is_log:
            yield from _log_problems(search, parameter, numbers)
        elif numbers.low > numbers.high:
            yield problems.inverted(parameter, "min is above max, every request fails")
        elif not numbers.whole and not math.isfinite(numbers.high - numbers.low):
            yield problems.inverted(parameter, "the engine needs finite bounds, every request fails")
        elif numbers.step is not None and (not numbers.step > 0 or not math.isfinite(numbers.step)):
            yield problems.bad_step(parameter, "hangs", "it is not a finite number above 0, every request fails")

    def uneven(self, numbers: Numbers) -> str | None:
        """Returns why its draws do not follow the distribution."""
        return "it draws nothing below 1e-10" if numbers.is_log and numbers.low < LEAST_LOG else None

    def draw(self, numbers: Numbers) -> Draw:
        """Returns its draw: a logarithmic range has no step."""
        low, high = numbers.low, numbers.high
        if numbers.whole:
            step = 1 if numbers.is_log or numbers.step is None else int(numbers.step)
            return {"int": [max(1, low) if numbers.is_log else low, high], "step": step, "log": numbers.is_log}
        if numbers.is_log:
            return {"loguniform": [max(LEAST_LOG, low), high]}
        return {"uniform": [low, high]} if numbers.step is None else lattice(low, high, numbers.step)


ENGINES = {"multivariate-tpe": MultivariateTpe()}


def lattice(low: float, high: float, step: float) -> Draw:
    """Returns a draw in which each low + k * step up to `high` is equally likely."""
    count = math.floor((high - low) / step + 1e-9) + 1
    return lambda u: low + min(int(u * count), count - 1) * step


def _log_problems(search: Search, parameter: ParameterSpec, numbers: Numbers) -> Iterator[Problem]:
    least = LEAST_LOG_INT if numbers.whole else LEAST_LOG
    low, high, step = max(least, numbers.low), numbers.high, numbers.step
    if low > high:
        yield problems.log_of_zero(parameter, f"the engine starts at {least}, above max: every request fails")
    elif not math.isfinite(high) or math.isnan(numbers.low):
        yield problems.inverted(parameter, "the engine needs finite bounds, every request fails")
    elif parameter.step and low < high:
        share = _share_off(int(numbers.low), int(low), int(high), int(step or 1)) if numbers.whole else 1.0
        yield from problems.off_lattice(search, parameter, share, "the engine ignores the step of logUniform")


def _share_off(low: int, start: int, high: int, step: int) -> float:
    """Returns the share of logarithmic integers from `start` on that are not low + k * step."""
    if step <= 1:
        return 0.0
    on = sum(math.log1p(1 / point) for point in range(low, min(high, low + 1000 * step) + 1, step) if point > 0)
    return 1 - min(1.0, on / math.log((high + 0.5) / max(start - 0.5, 0.5)))
