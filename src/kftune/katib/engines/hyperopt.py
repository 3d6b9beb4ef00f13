"""`random` and `tpe`: hyperopt 0.2.5 behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/hyperopt; hyperopt 0.2.5; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from kftune.katib.engines import problems
from kftune.katib.engines.engine import MOST_OFF, PYTHON_FLOAT, Draw, Engine, StudySearch, half_ends
from kftune.katib.engines.search import Numbers, ParameterSpec, Problem, Search
from kftune.katib.engines.settings import ABOVE_0, FINITE_ABOVE_0, NUMPY_SEED, SEED, Setting, Settings, integer, number

_MOST_INT = 1e19


class Hyperopt(Engine):
    """Both algorithms: the first requests draw independently."""

    whole = PYTHON_FLOAT

    def later_problems(self, search: Search) -> Iterator[Problem]:
        """Yields what goes wrong after the check, apart from the parameters."""
        yield from super().later_problems(search)
        if not search.parameters:
            yield problems.no_parameters()

    def doubled_name(self, search: Search, parameter: ParameterSpec, first: ParameterSpec) -> Problem:
        """Returns what happens with the second of two parameters with one name."""
        if (parameter.kind, parameter.items) == (first.kind, first.items) or not search.comes_back:
            return problems.doubled_name(parameter, "wrong", "every suggestion assigns it twice")
        return problems.doubled_name(parameter, "hangs", "the engine cannot read the first results")

    def range_problems(self, search: Search, parameter: ParameterSpec, numbers: Numbers) -> Iterator[Problem]:
        """Yields what goes wrong with bounds and a step that the engine can read."""
        if numbers.is_log and (numbers.low <= 0 or numbers.high <= 0):
            yield problems.log_of_zero(parameter, "0 or less has no logarithm, every request fails")
        elif numbers.is_normal:
            yield from _normal_problems(search, parameter, numbers)
        else:
            yield from _uniform_problems(search, parameter, numbers)

    def uneven(self, numbers: Numbers) -> str | None:
        """Returns why its draws do not follow the distribution."""
        step = _step(numbers)
        if numbers.is_normal or step is None:
            return None
        return _uneven_log(numbers, step) if numbers.is_log else half_ends(numbers)

    def ends(self, numbers: Numbers) -> tuple[float, float]:
        """Returns the least and the greatest value that it writes.

        Source: hyperopt 0.2.5, quniform: round(draw / step) * step, in floating point.
        """
        step = _step(numbers)
        if numbers.is_normal or step is None:
            return super().ends(numbers)
        return round(numbers.low / step) * step, round(numbers.high / step) * step

    def draw(self, numbers: Numbers) -> Draw:
        """Returns its draw: rounded to multiples of the step; normal draws are not cut at the bounds."""
        from statistics import NormalDist  # noqa: PLC0415  # slow to import, and lint draws nothing

        step, log = _step(numbers), numbers.is_log
        low, high = (math.log(numbers.low), math.log(numbers.high)) if log else (numbers.low, numbers.high)
        deviation = abs(high - low) / 6 or 1e-300
        normal = NormalDist((low + high) / 2, deviation) if numbers.is_normal else None

        def draw(u: float) -> float:
            inside = min(max(u, 2.0**-53), 1 - 2.0**-53)
            value = low + (high - low) * u if normal is None else normal.inv_cdf(inside)
            value = math.exp(value) if log else value
            return value if step is None else round(value / step) * step

        return draw


class Random(Hyperopt):
    """`random`."""

    summary = "independent draws"
    settings: ClassVar[Settings] = {SEED: NUMPY_SEED}
    orderless = True


class Tpe(Hyperopt):
    """`tpe`."""

    summary = "tree of Parzen estimators, for each parameter separately"
    settings: ClassVar[Settings] = {
        SEED: NUMPY_SEED,
        "gamma": Setting(number("a number between 0 and 1", lambda value: 0 < value < 1)),
        "prior_weight": Setting(
            FINITE_ABOVE_0,
            checked=ABOVE_0,
            consequence="the second batch fails with infinite weights",
            late=True,
        ),
        "n_EI_candidates": Setting(
            integer(1, 100_000_000),
            checked=integer(1),
            consequence="the engine runs out of memory with so many",
            late=True,
        ),
    }

    def later_problems(self, search: Search) -> Iterator[Problem]:
        """Yields what goes wrong after the check, apart from the parameters."""
        yield from super().later_problems(search)
        if search.parallel <= 0:
            yield problems.no_suggestions(search)

    def study_notes(self, study: StudySearch) -> Iterator[str]:
        """Yields what to know about a study with this algorithm on Katib."""
        if study.parallel > 1:
            yield (
                f"tpe of Katib suggests the same point {study.parallel} times when it is asked for {study.parallel} at "
                f"once; take multivariate-tpe, or parallel: 1"
            )


ENGINES = {"random": Random(), "tpe": Tpe()}


def _step(numbers: Numbers) -> float | None:
    return 1.0 if numbers.step is None and numbers.whole else numbers.step


def _learns(search: Search) -> bool:
    """Whether results are fed back into a model of the parameters."""
    return search.algorithm == "tpe" and search.comes_back


def _normal_problems(search: Search, parameter: ParameterSpec, numbers: Numbers) -> Iterator[Problem]:
    step = _step(numbers)
    if numbers.low > numbers.high:
        yield problems.inverted(parameter, "the standard deviation would be negative, every request fails")
    elif not math.isfinite(numbers.low) or not math.isfinite(numbers.high):
        yield problems.not_finite(parameter, "nan")
    elif step is not None and not _is_usable(step):
        yield _unusable_step(search, parameter)
    elif numbers.low == numbers.high and _learns(search):
        yield problems.inverted(parameter, "a standard deviation of 0 breaks the second batch of tpe")
    else:
        message = f"{parameter.distribution} of {parameter.name!r} is not cut at min and max: values leave the bounds"
        yield Problem("KT210", "wrong", parameter.at("distribution"), message)


def _uniform_problems(search: Search, parameter: ParameterSpec, numbers: Numbers) -> Iterator[Problem]:
    low, high, step = numbers.low, numbers.high, _step(numbers)
    bad = _bounds_problem(search, parameter, numbers)
    if bad is not None:
        yield bad
    elif low >= high and not (numbers.is_log and low > high):
        return  # both 0: every trial gets 0
    elif step is not None and not _is_usable(step):
        yield _unusable_step(search, parameter)
    elif low > high:
        yield from problems.out_of_bounds(search, parameter, 1, "they are drawn between max and min")
    elif step is not None:
        yield from _rounding_problems(search, parameter, numbers, abs(step))


def _bounds_problem(search: Search, parameter: ParameterSpec, numbers: Numbers) -> Problem | None:
    low, high = numbers.low, numbers.high
    if not math.isfinite(low) or not math.isfinite(high):
        return problems.inverted(parameter, "the engine needs finite bounds, every request fails")
    if not math.isfinite(high - low) and not numbers.is_log:
        return problems.inverted(parameter, "the range is wider than the largest float, every request fails")
    if low >= high and not (numbers.is_log and low > high):
        if low == high == 0 and not _learns(search):
            return None
        return problems.inverted(parameter, "min is not below max, every request fails")
    too_large = numbers.whole and max(abs(low), abs(high)) >= _MOST_INT
    if _learns(search) and (low > high or too_large):
        return problems.inverted(parameter, "the second batch of tpe fails")
    return None


def _is_usable(step: float) -> bool:
    return step != 0 and math.isfinite(step)


def _unusable_step(search: Search, parameter: ParameterSpec) -> Problem:
    if parameter.kind == "int":
        return problems.bad_step(parameter, "hangs", "the draw is not a number, every request fails")
    if _learns(search):
        return problems.bad_step(parameter, "hangs", "the draw is not a number, the second batch fails")
    return problems.bad_step(parameter, "wrong", "every trial gets 'nan'")


def _rounding_problems(search: Search, parameter: ParameterSpec, numbers: Numbers, step: float) -> Iterator[Problem]:
    """Yields what goes wrong as hyperopt rounds to multiples of the step, not to min + k * step."""
    low, high = numbers.low, numbers.high
    if numbers.whole and step < 1 and problems.distance_in_steps(1, 0, step) < 1e-6:
        return
    if (numbers.whole and step != int(step)) or problems.distance_in_steps(0, low, step) > 1e-6:
        why = f"hyperopt rounds to multiples of {parameter.step or '1'}, not to min + k * step"
        if parameter.step:
            yield from problems.off_lattice(search, parameter, 1, why)
        else:
            yield from problems.out_of_bounds(search, parameter, _share_outside(low, high), why)
        return
    top = (math.floor(high / step + 1e-9) + 0.5) * step
    if top < high:
        share = math.log(high / top) / math.log(high / low) if numbers.is_log else (high - top) / (high - low)
        yield from problems.out_of_bounds(search, parameter, share, "the last multiple of the step is above max")


def _share_outside(low: float, high: float) -> float:
    """Returns the share of integers that are rounded to below min, or above max."""
    below = max(0.0, min(high, math.floor(low) + 0.5) - low)
    above = max(0.0, high - max(low, math.floor(high) + 0.5))
    return (below + above) / (high - low)


def _uneven_log(numbers: Numbers, step: float) -> str | None:
    """Returns why the lowest of logarithmic integers is drawn too rarely.

    hyperopt starts at `low`; each integer should own the half unit on both sides.
    """
    low, high, first = numbers.low, numbers.high, numbers.low + step / 2
    meant = math.log(first / (low - 0.5)) / math.log((high + 0.5) / (low - 0.5))
    drawn = math.log(first / low) / math.log(high / low)
    return f"it draws {low:g} in {drawn:.0%} of the trials instead of {meant:.0%}" if meant - drawn > MOST_OFF else None
