"""`multivariate-tpe` and `grid`: optuna 3.3.0 behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/optuna; optuna 3.3.0; recorded runs of both. For Katib's main branch: pull
request 2666, read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, NamedTuple

from kftune.katib.engines import problems
from kftune.katib.engines.engine import Draw, Encoding, Engine, StudySearch, lattice
from kftune.katib.engines.search import ParameterSpec, Problem, Range, Search
from kftune.katib.engines.settings import NUMPY_SEED, SEED, Setting, Settings, integer
from kftune.katib.go.numbers import python_int

# optuna's base service raises a lower min to this in a logarithmic range.
_LEAST_LOG_INT, _LEAST_LOG = 1, 1e-10

# The service leaves parameters of these distributions out; on Katib's main branch it refuses them.
_UNKNOWN_DISTRIBUTIONS = ("normal", "logNormal", "unknown")

_MOST_CELLS = 20_000_000
_LONGEST_CALL = 60.0
_SECONDS_A_CELL = 2e-6  # for each trial so far
_MOST_POINTS = 200_000

# The largest grid that kftune renders: each request takes about 2 µs for each point and each trial so far.
_MOST_RENDERED = 5000

_NO_STEP = problems.Fault(
    "KT217", "fails", "step", "grid: a double needs a step, but {p.name!r} has none: the Experiment fails"
)
_LOST = problems.Fault("KT219", "wrong", "max", "rounding loses {p.high}, the last point of {p.name!r}")


class MultivariateTpe(Engine):
    """`multivariate-tpe`."""

    summary = "tree of Parzen estimators over all parameters together"
    settings: ClassVar[Settings] = {
        "n_startup_trials": Setting(integer(0), meaning="Random trials before the model is used; 10 without it."),
        "n_ei_candidates": Setting(
            integer(1), checked=integer(0), meaning="Of so many draws, the best is tried; 24 without it."
        ),
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
        if parameter.distribution in _UNKNOWN_DISTRIBUTIONS:
            yield _unknown(search).of(parameter)
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
        return "it draws nothing below 1e-10" if found.is_log and found.low < _LEAST_LOG else None

    def draw(self, found: Range) -> Draw:
        low, high = found.low, found.high
        if found.whole:
            step = 1 if found.is_log or found.step is None else int(found.step)
            return {"int": [max(1, low) if found.is_log else low, high], "step": step, "log": found.is_log}
        if found.is_log:
            return {"loguniform": [max(_LEAST_LOG, low), high]}
        return {"uniform": [low, high]} if found.step is None else lattice(found)


class _Points(NamedTuple):
    """The values of one parameter: their number, and the first of them."""

    size: int
    values: Sequence[float] = ()


class Grid(Engine):
    """`grid`."""

    summary = "every point once, in random order"
    settings: ClassVar[Settings] = {SEED: NUMPY_SEED}
    unreadable = "fails"
    encoding = Encoding("index", "int", {"min": "0"})
    orderless = True
    exhaustive = True

    def _refusals(self, search: Search) -> Iterator[Problem]:
        yield from super()._refusals(search)
        for parameter in search.parameters:
            points = self._points(search, parameter)
            if isinstance(points, Problem):
                yield points
        cells = self._cells(search)
        yield from _size_problems(search, cells) if cells else self._no_points(search)

    def _no_points(self, search: Search) -> Iterator[Problem]:
        """Yields why the grid has no point: the check fails if there is a maxTrialCount, otherwise each request."""
        fails = (search.most or 0) > 0
        end = "the Experiment fails" if fails else "every request for suggestions fails"
        for parameter in search.parameters:
            points = self._points(search, parameter)
            if isinstance(points, _Points) and not points.size:
                why = f"the grid has no point, {end}"
                fault = problems.EMPTY_LIST if parameter.is_list else problems.INVERTED
                yield fault.of(parameter, why, "fails" if fails else "hangs")

    def _list_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        return iter(())  # an empty list is a grid without points

    def _range_problems(self, found: Range) -> Iterator[Problem]:
        points, search = self._points(found.search, found.parameter), found.search
        if isinstance(points, Problem):
            yield points
            return
        if found.distribution in _UNKNOWN_DISTRIBUTIONS:
            yield _unknown(search).of(found)
        elif found.is_log:
            yield from _grid_log_problems(found, points)
        all_are_tried = search.most is None or search.most >= self._cells(search)
        if not found.whole and all_are_tried and points.size < _expected_points(found):
            yield _LOST.of(found)

    def draw(self, found: Range) -> Draw:
        return {"ordinal": list((_int_points if found.whole else _double_points)(found).values)}

    def max_trials(self, study: StudySearch) -> int:
        return int(min(study.max_trials, study.size))  # the service refuses more trials than points

    def study_problem(self, study: StudySearch) -> str | None:
        points = self.max_trials(study)
        if points <= _MOST_RENDERED:
            return None
        return (
            f"Katib's grid takes longer with each point and stops at about {_MOST_RENDERED} points, but "
            f"{' x '.join(study.space)} has {points}; make the grid smaller, or set algorithm.name to random"
        )

    def _cells(self, search: Search) -> int:
        """Returns the number of points; of two parameters of one name only the last counts."""
        last = {parameter.name: parameter for parameter in search.parameters}
        found = [self._points(search, parameter) for parameter in last.values()]
        return math.prod(points.size for points in found if isinstance(points, _Points))

    def _points(self, search: Search, parameter: ParameterSpec) -> _Points | Problem:
        """Returns the parameter's values, or why the service's check fails."""
        if parameter.is_list:
            return _Points(len(parameter.items))
        if not parameter.is_number:
            return problems.UNKNOWN_TYPE.of(parameter, outcome="fails")
        if parameter.kind == "double" and not parameter.step:
            return _NO_STEP.of(parameter)
        found = self.read(search, parameter)
        if isinstance(found, Problem):
            return found
        if found.step == 0 or not all(map(math.isfinite, (found.low, found.high, found.step or 1))):
            rule = "min, max and step must be finite, and step must not be 0; the Experiment fails"
            return problems.BAD_STEP.of(found, rule, "fails")
        points = (_int_points if found.whole else _double_points)(found)
        if points.size >= 2**31:
            return problems.TOO_LARGE.of(found, f"{points.size:,}", "fails")
        if not found.whole and (found.high - found.low) / (found.step or 1) <= -1:
            return problems.INVERTED.of(found, "the grid has no point, the Experiment fails", "fails")
        return points


ENGINES = {"multivariate-tpe": MultivariateTpe(), "grid": Grid()}


def _unknown(search: Search) -> problems.Fault:
    """Returns what a distribution means that the service does not know."""
    return problems.REFUSED if search.version == "main" else problems.MISSING


def _log_problems(found: Range) -> Iterator[Problem]:
    least = _LEAST_LOG_INT if found.whole else _LEAST_LOG
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


def _int_points(found: Range) -> _Points:
    low, high, step = int(found.low), int(found.high), 1 if found.step is None else int(found.step)
    if step > 0:
        return _Points(max(0, (high - low) // step + 1), range(low, high + 1, step))
    return _Points(max(0, -((low - (high + 1)) // step)))


@lru_cache(maxsize=16)
def _double_points(found: Range) -> _Points:
    """Returns the points of numpy.arange: the start plus multiples of the step between the first two values."""
    low, high, step = found.low, found.high, found.step or 1
    count = max(0, math.ceil(min((high + step - low) / step, 1e18)))
    spacing = (low + step) - low
    if count and low + (count - 1) * (spacing if count > 1 else 0) > high:
        count -= 1
    return _Points(count, [low + index * spacing for index in range(min(count, _MOST_POINTS))])


def _expected_points(found: Range) -> int:
    """Returns the number of points without rounding: a step such as 0.1 may lose the last one."""
    step = found.step or 1
    return math.floor((found.high - found.low) / step + 1e-12) + 1 if step > 0 else 0


def _size_problems(search: Search, cells: int) -> Iterator[Problem]:
    most, asked = search.most, search.parallel
    seconds = _SECONDS_A_CELL * cells * asked * (asked - 1) / 2
    if most is not None and most > cells:
        message = f"maxTrialCount {most} is more than the {cells} points of the grid: the Experiment fails"
        yield Problem("KT218", "fails", ("spec", "maxTrialCount"), message)
    elif cells > _MOST_CELLS:
        message = f"a grid of {cells:,} points does not fit into the engine's memory"
        yield Problem("KT220", "hangs", ("spec", "parameters"), message)
    elif seconds > _LONGEST_CALL:
        message = f"the first request on {cells:,} points takes {seconds:.0f} s, and Katib waits 60 s"
        yield Problem("KT220", "hangs", ("spec", "parameters"), message)


def _grid_log_problems(found: Range, points: _Points) -> Iterator[Problem]:
    share = sum(value <= 0 for value in points.values) / max(1, points.size)
    if max(_LEAST_LOG_INT if found.whole else _LEAST_LOG, found.low) > found.high:
        yield problems.LOG_OF_ZERO.of(found, "the engine's range is empty: every request fails")
    elif found.search.shows(share):
        yield problems.LOG_OF_ZERO.of(found, "the engine fails at the point 0 or less when its turn comes")
