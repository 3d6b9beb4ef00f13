"""`grid`: optuna 3.3.0's grid sampler behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/optuna (grid_search); optuna 3.3.0; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import ClassVar, NamedTuple

from kftune.katib.engines import problems
from kftune.katib.engines.engine import Draw, Encoding, Engine, StudySearch
from kftune.katib.engines.optuna import LEAST_LOG, LEAST_LOG_INT, MISSING
from kftune.katib.engines.search import Numbers, ParameterSpec, Problem, Search
from kftune.katib.engines.settings import NUMPY_SEED, SEED, Settings

_MOST_CELLS = 20_000_000
_LONGEST_CALL = 60.0
_SECONDS_A_CELL = 2e-6  # for each trial so far
_MOST_POINTS = 200_000

# The largest grid that kftune renders: each request takes about 2 µs for each point and each trial so far.
_MOST_RENDERED = 5000


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

    def problems(self, search: Search) -> Iterator[Problem]:
        """Yields what goes wrong with a search; only the first problem if the service refuses it."""
        refused = next(self.refusals(search), None)
        if refused is not None:
            yield refused
            return
        cells = self._cells(search)
        if cells == 0:
            message = "the grid has no point: every request for suggestions fails"
            yield Problem("KT203", "hangs", ("spec", "parameters"), message)
        else:
            yield from super().problems(search)

    def refusals(self, search: Search) -> Iterator[Problem]:
        """Yields what the service's check refuses, and grids that are too large for the engine."""
        yield from super().refusals(search)
        for parameter in search.parameters:
            found = self._points(parameter)
            if isinstance(found, Problem):
                yield found
        yield from _size_problems(search, self._cells(search))

    def list_problems(self, search: Search, parameter: ParameterSpec) -> Iterator[Problem]:
        """Yields nothing: an empty list is a grid without points."""
        return iter(())

    def range_problems(self, search: Search, parameter: ParameterSpec, numbers: Numbers) -> Iterator[Problem]:
        """Yields what goes wrong with bounds and a step that the engine can read."""
        points = self._points(parameter)
        if isinstance(points, Problem):
            yield points
            return
        if parameter.distribution in MISSING:
            yield problems.missing_parameter(parameter)
        elif numbers.is_log:
            yield from _log_problems(search, parameter, numbers, points)
        all_are_tried = search.most is None or search.most >= self._cells(search)
        if not numbers.whole and all_are_tried and points.size < _expected_points(numbers):
            message = f"rounding loses {parameter.high}, the last point of {parameter.name!r}"
            yield Problem("KT219", "wrong", parameter.at("max"), message)

    def draw(self, numbers: Numbers) -> Draw:
        """Returns its points, with the digits of numpy's sums."""
        points = _int_points(numbers) if numbers.whole else _double_points(numbers)
        return {"ordinal": list(points.values)}

    def max_trials(self, study: StudySearch) -> int:
        """Returns the number of points if that is less: the service refuses more trials than points."""
        return int(min(study.max_trials, study.size))

    def study_problem(self, study: StudySearch) -> str | None:
        """Returns why a study of this size and these settings fails or hangs on Katib."""
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
        found = [self._points(parameter) for parameter in last.values()]
        return math.prod(points.size for points in found if isinstance(points, _Points))

    def _points(self, parameter: ParameterSpec) -> _Points | Problem:
        """Returns the parameter's values, or why the service's check fails."""
        if parameter.is_list:
            return _Points(len(parameter.items))
        if not parameter.is_number:
            return problems.unknown_kind(parameter, self.unreadable)
        if parameter.kind == "double" and not parameter.step:
            message = f"grid: a double needs a step, but {parameter.name!r} has none: the Experiment fails"
            return Problem("KT217", "fails", parameter.at("step"), message)
        numbers = self.read(parameter)
        if isinstance(numbers, Problem):
            return numbers
        if numbers.step == 0 or not all(map(math.isfinite, (numbers.low, numbers.high, numbers.step or 1))):
            rule = "min, max and step must be finite, and step must not be 0; the Experiment fails"
            return problems.bad_step(parameter, "fails", rule)
        points = _int_points(numbers) if numbers.whole else _double_points(numbers)
        if points.size >= 2**31:
            return Problem("KT220", "fails", parameter.at("step" if parameter.step else "max"), _too_large(points.size))
        if not numbers.whole and (numbers.high + (numbers.step or 1) - numbers.low) / (numbers.step or 1) <= 0:
            return problems.inverted(parameter, "the grid has no point, the Experiment fails", "fails")
        return points


ENGINES = {"grid": Grid()}


def _int_points(numbers: Numbers) -> _Points:
    low, high, step = int(numbers.low), int(numbers.high), 1 if numbers.step is None else int(numbers.step)
    if step > 0:
        return _Points(max(0, (high - low) // step + 1), range(low, high + 1, step))
    return _Points(max(0, -((low - (high + 1)) // step)))


@lru_cache(maxsize=16)
def _double_points(numbers: Numbers) -> _Points:
    """Returns the points of numpy.arange: the start plus multiples of the step between the first two values."""
    low, high, step = numbers.low, numbers.high, numbers.step or 1
    count = max(0, math.ceil(min((high + step - low) / step, 1e18)))
    spacing = (low + step) - low
    if count and low + (count - 1) * (spacing if count > 1 else 0) > high:
        count -= 1
    return _Points(count, [low + index * spacing for index in range(min(count, _MOST_POINTS))])


def _expected_points(numbers: Numbers) -> int:
    """Returns the number of points without rounding: a step such as 0.1 may lose the last one."""
    step = numbers.step or 1
    return math.floor((numbers.high - numbers.low) / step + 1e-12) + 1 if step > 0 else 0


def _too_large(cells: int) -> str:
    return f"a grid of {cells:,} points does not fit into the engine's memory"


def _size_problems(search: Search, cells: int) -> Iterator[Problem]:
    most, asked = search.most, search.parallel
    first = _SECONDS_A_CELL * cells * asked * (asked - 1) / 2
    if most is not None and most > cells:
        message = f"maxTrialCount {most} is more than the {cells} points of the grid: the Experiment fails"
        yield Problem("KT218", "fails", ("spec", "maxTrialCount"), message)
    elif cells > _MOST_CELLS:
        yield Problem("KT220", "hangs", ("spec", "parameters"), _too_large(cells))
    elif first > _LONGEST_CALL:
        message = f"the first request on {cells:,} points takes {first:.0f} s, and Katib waits 60 s"
        yield Problem("KT220", "hangs", ("spec", "parameters"), message)


def _log_problems(search: Search, parameter: ParameterSpec, numbers: Numbers, points: _Points) -> Iterator[Problem]:
    if max(LEAST_LOG_INT if numbers.whole else LEAST_LOG, numbers.low) > numbers.high:
        yield problems.log_of_zero(parameter, "the engine's range is empty: every request fails")
    elif problems.happens(sum(value <= 0 for value in points.values) / max(1, points.size), search.draws):
        yield problems.log_of_zero(parameter, "the engine fails at the point 0 or less when its turn comes")
