"""`random` and `tpe`: hyperopt 0.2.5 behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/hyperopt; hyperopt 0.2.5; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from kftune.katib.engines import problems
from kftune.katib.engines.engine import MOST_OFF, PYTHON_FLOAT, Draw, Engine, StudySearch, half_ends
from kftune.katib.engines.search import ParameterSpec, Problem, Range, Search
from kftune.katib.engines.settings import ABOVE_0, FINITE_ABOVE_0, NUMPY_SEED, SEED, Setting, Settings, integer, number

_NOT_CUT = problems.Fault(
    "KT210",
    "wrong",
    "distribution",
    "{p.distribution} of {p.name!r} is not cut at min and max: values leave them",
)
_MOST_INT = 1e19


class Hyperopt(Engine):
    """Both algorithms: the first requests draw independently."""

    whole = PYTHON_FLOAT
    needs_parameters = True

    def _doubled_name(self, search: Search, parameter: ParameterSpec, first: ParameterSpec) -> Problem:
        if (parameter.kind, parameter.items) == (first.kind, first.items) or not search.comes_back:
            return problems.DOUBLED_NAME.of(parameter, problems.ASSIGNED_TWICE, "hangs")
        return problems.DOUBLED_NAME.of(parameter, "the engine cannot read the first results", "hangs")

    def _range_problems(self, found: Range) -> Iterator[Problem]:
        if found.is_log and (found.low <= 0 or found.high <= 0):
            yield problems.LOG_OF_ZERO.of(found, "0 or less has no logarithm, every request fails")
        elif found.is_normal:
            yield from _normal_problems(found)
        else:
            yield from _uniform_problems(found)

    def uneven(self, found: Range) -> str | None:
        step = _step(found)
        if found.is_normal or step is None:
            return None
        return _uneven_log(found, step) if found.is_log else half_ends(found)

    def ends(self, found: Range) -> tuple[float, float]:
        """Returns the least and the greatest value that it writes.

        Source: hyperopt 0.2.5, quniform: round(draw / step) * step, in floating point.
        """
        step = _step(found)
        if found.is_normal or step is None:
            return super().ends(found)
        return round(found.low / step) * step, round(found.high / step) * step

    def draw(self, found: Range) -> Draw:
        from statistics import NormalDist  # noqa: PLC0415  # slow to import, and lint draws nothing

        step, log = _step(found), found.is_log
        low, high = (math.log(found.low), math.log(found.high)) if log else (found.low, found.high)
        deviation = abs(high - low) / 6 or 1e-300
        normal = NormalDist((low + high) / 2, deviation) if found.is_normal else None

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
    needs_requests = True
    settings: ClassVar[Settings] = {
        SEED: NUMPY_SEED,
        "gamma": Setting(
            number("a number between 0 and 1", lambda value: 0 < value < 1),
            meaning="The best gamma * sqrt(n) of n trials, at most 25, count as good; without it 0.25 on Katib.",
        ),
        "prior_weight": Setting(
            FINITE_ABOVE_0,
            ABOVE_0,
            "the second batch fails with infinite weights",
            late=True,
            meaning="The weight of the domain itself among the trials so far; 1 without it.",
        ),
        "n_EI_candidates": Setting(
            integer(1, 10**8),
            integer(1),
            "the engine runs out of memory",
            late=True,
            meaning="Of so many draws, the best is tried; 24 without it.",
        ),
    }

    def study_notes(self, study: StudySearch) -> Iterator[str]:
        if study.parallel > 1:
            yield (
                f"Katib's tpe suggests the same point {study.parallel} times when it is asked for {study.parallel} "
                f"points; use multivariate-tpe, or parallel: 1"
            )


ENGINES = {"random": Random(), "tpe": Tpe()}


def _step(found: Range) -> float | None:
    return 1.0 if found.step is None and found.whole else found.step


def _learns(found: Range) -> bool:
    """Whether results are fed back into a model of the parameters."""
    return found.search.algorithm == "tpe" and found.search.comes_back


def _normal_problems(found: Range) -> Iterator[Problem]:
    step = _step(found)
    if found.low > found.high:
        yield problems.INVERTED.of(found, "the standard deviation would be negative, every request fails")
    elif not math.isfinite(found.low) or not math.isfinite(found.high):
        yield problems.NOT_FINITE.of(found, "nan")
    elif step is not None and not _is_usable(step):
        yield _unusable_step(found)
    elif found.low == found.high and _learns(found):
        yield problems.INVERTED.of(found, "a standard deviation of 0 breaks the second batch of tpe")
    else:
        yield _NOT_CUT.of(found)


def _uniform_problems(found: Range) -> Iterator[Problem]:
    low, high, step = found.low, found.high, _step(found)
    is_log_swapped = found.is_log and low > high
    why = _not_a_range(found)
    if why:
        yield problems.INVERTED.of(found, why)
    elif step is not None and not _is_usable(step):
        yield _unusable_step(found)
    elif is_log_swapped:
        yield problems.OUT_OF_BOUNDS.of(found, "they are drawn between max and min")
    elif step is not None and low < high:
        yield from _rounding_problems(found, abs(step))


def _not_a_range(found: Range) -> str | None:
    """Returns why the engine fails with such bounds."""
    low, high = found.low, found.high
    if not math.isfinite(low) or not math.isfinite(high):
        return "the engine needs finite bounds, every request fails"
    if not math.isfinite(high - low) and not found.is_log:
        return "the range is wider than the largest float, every request fails"
    is_always_0 = low == high == 0 and not _learns(found)
    if low == high != 0 or (low >= high and not found.is_log and not is_always_0):
        return "min is not below max, every request fails"
    too_large = found.whole and max(abs(low), abs(high)) >= _MOST_INT
    return "the second batch of tpe fails" if _learns(found) and (low > high or too_large) else None


def _is_usable(step: float) -> bool:
    return step != 0 and math.isfinite(step)


def _unusable_step(found: Range) -> Problem:
    if found.whole:
        return problems.BAD_STEP.of(found, "the draw is not a number, every request fails")
    if _learns(found):
        return problems.BAD_STEP.of(found, "the draw is not a number, the second batch fails")
    return problems.BAD_STEP.of(found, "every trial gets 'nan'", "wrong")


def _rounding_problems(found: Range, step: float) -> Iterator[Problem]:
    """Yields what goes wrong as hyperopt rounds to multiples of the step, not to min + k * step."""
    low, high = found.low, found.high
    if found.whole and step < 1 and problems.distance_in_steps(1, 0, step) < 1e-6:
        return
    if (found.whole and step != int(step)) or problems.distance_in_steps(0, low, step) > 1e-6:
        why = f"hyperopt rounds to multiples of {found.parameter.step or '1'}, not to min + k * step"
        if found.step is not None:
            yield from problems.OFF_LATTICE.seen(found, 1, why)
        else:
            yield from problems.OUT_OF_BOUNDS.seen(found, _share_outside(low, high), why)
        return
    top = (math.floor(high / step + 1e-9) + 0.5) * step
    if top < high:
        share = math.log(high / top) / math.log(high / low) if found.is_log else (high - top) / (high - low)
        yield from problems.OUT_OF_BOUNDS.seen(found, share, "the last multiple of the step is above max")


def _share_outside(low: float, high: float) -> float:
    """Returns the share of integers that are rounded to below min, or above max."""
    below = max(0.0, min(high, math.floor(low) + 0.5) - low)
    above = max(0.0, high - max(low, math.floor(high) + 0.5))
    return (below + above) / (high - low)


def _uneven_log(found: Range, step: float) -> str | None:
    """Returns why the lowest of logarithmic integers is drawn too rarely.

    hyperopt starts at `low`; each integer should own the half unit on both sides.
    """
    low, high, first = found.low, found.high, found.low + step / 2
    meant = math.log(first / (low - 0.5)) / math.log((high + 0.5) / (low - 0.5))
    drawn = math.log(first / low) / math.log(high / low)
    return f"it draws {low:g} in {drawn:.0%} of the trials instead of {meant:.0%}" if meant - drawn > MOST_OFF else None
