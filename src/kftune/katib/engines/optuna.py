"""`multivariate-tpe`: optuna 3.3.0 behind Katib's suggestion service. The same service has `grid`.

Source: katib v0.19.0, pkg/suggestion/v1beta1/optuna; optuna 3.3.0; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from kftune.katib.engines import problems
from kftune.katib.engines.engine import Draw, Engine, lattice
from kftune.katib.engines.search import ParameterSpec, Problem, Range, Search
from kftune.katib.engines.settings import NUMPY_SEED, SEED, Setting, Settings, integer
from kftune.katib.go.numbers import python_int

# optuna's base service raises a lower min to this in a logarithmic range.
LEAST_LOG_INT, LEAST_LOG = 1, 1e-10

# The service leaves parameters of these distributions out.
UNKNOWN_DISTRIBUTIONS = ("normal", "logNormal", "unknown")


class MultivariateTpe(Engine):
    """`multivariate-tpe`."""

    summary = "tree of Parzen estimators over all parameters together"
    settings: ClassVar[Settings] = {
        "n_startup_trials": Setting(integer(0)),
        "n_ei_candidates": Setting(integer(1), checked=integer(0)),
        SEED: NUMPY_SEED,
    }

    def _later_problems(self, search: Search) -> Iterator[Problem]:
        yield from super()._later_problems(search)
        startup = python_int(search.setting("n_startup_trials") or "10") or 0
        if python_int(search.setting("n_ei_candidates") or "1") == 0 and (
            search.most is None or search.most - search.parallel >= startup
        ):
            consequence = f"every request fails once {startup} trials have ended"
            yield problems.breaking_setting(search, "n_ei_candidates", consequence)

    def _number_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        if parameter.distribution in UNKNOWN_DISTRIBUTIONS:
            yield problems.MISSING.of(parameter)
        else:
            yield from super()._number_problems(search, parameter)

    def _reads_step(self, parameter: ParameterSpec) -> bool:
        return parameter.distribution != "logUniform"

    def _range_problems(self, found: Range) -> Iterator[Problem]:
        if found.is_log:
            yield from _log_problems(found)
        elif found.low > found.high:
            yield problems.INVERTED.of(found, "min is above max, every request fails")
        elif not found.whole and not math.isfinite(found.high - found.low):
            yield problems.INVERTED.of(found, "the engine needs finite bounds, every request fails")
        elif found.step is not None and (not found.step > 0 or not math.isfinite(found.step)):
            yield problems.BAD_STEP.of(found, "it is not a finite number above 0, every request fails")

    def uneven(self, found: Range) -> str | None:
        return "it draws nothing below 1e-10" if found.is_log and found.low < LEAST_LOG else None

    def draw(self, found: Range) -> Draw:
        low, high = found.low, found.high
        if found.whole:
            step = 1 if found.is_log or found.step is None else int(found.step)
            return {"int": [max(1, low) if found.is_log else low, high], "step": step, "log": found.is_log}
        if found.is_log:
            return {"loguniform": [max(LEAST_LOG, low), high]}
        return {"uniform": [low, high]} if found.step is None else lattice(found)


ENGINES = {"multivariate-tpe": MultivariateTpe()}


def _log_problems(found: Range) -> Iterator[Problem]:
    least = LEAST_LOG_INT if found.whole else LEAST_LOG
    low, high, step = max(least, found.low), found.high, found.step
    if low > high:
        yield problems.LOG_OF_ZERO.of(found, f"the engine starts at {least}, above max: every request fails")
    elif not math.isfinite(high) or math.isnan(found.low):
        yield problems.INVERTED.of(found, "the engine needs finite bounds, every request fails")
    elif found.parameter.step and low < high:
        share = _share_off(int(found.low), int(low), int(high), int(step or 1)) if found.whole else 1.0
        yield from problems.OFF_LATTICE.seen(found, share, "the engine ignores the step of logUniform")


def _share_off(low: int, start: int, high: int, step: int) -> float:
    """Returns the share of logarithmic integers from `start` on that are not low + k * step."""
    if step <= 1:
        return 0.0
    on = sum(math.log1p(1 / point) for point in range(low, min(high, low + 1000 * step) + 1, step) if point > 0)
    return 1 - min(1.0, on / math.log((high + 0.5) / max(start - 0.5, 0.5)))
