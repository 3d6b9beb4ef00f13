"""What `grid` does: optuna 3.3.0's grid sampler behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/optuna (grid_search); optuna 3.3.0; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kftune.katib.engines import shared
from kftune.katib.engines.optuna import seed_problems, settings_problems
from kftune.katib.engines.space import Parameter, Problem, Search, doubled_names
from kftune.katib.go.numbers import python_float, python_int

_MOST_CELLS = 20_000_000
_LONGEST_CALL = 60.0
_SECONDS_A_CELL = 2e-6  # for each trial so far
_MOST_POINTS = 200_000


class _Points(NamedTuple):
    """The values of one parameter: how many, and those at hand when they are not too many."""

    size: int
    values: Sequence[float] = ()


def problems(search: Search) -> Iterator[Problem]:
    """What goes wrong, the first first."""
    refused = next(settings_problems(search), None)
    if refused is not None:
        yield refused
        return
    points: dict[str, _Points] = {}
    for parameter in search.parameters:
        found = _points(parameter)
        if isinstance(found, Problem):
            yield found
            return
        points[parameter.name] = found
    cells = math.prod(each.size for each in points.values())
    too_many = _size_problem(search, cells)
    if too_many is not None:
        yield too_many
        return
    yield from seed_problems(search)
    if cells == 0:
        message = "the grid has no point: every request for suggestions fails"
        yield Problem("KT203", "hangs", ("spec", "parameters"), message)
        return
    last = {parameter.name: parameter for parameter in search.parameters}
    for parameter in last.values():
        if parameter.is_number:
            yield from _number_problems(search, parameter, points[parameter.name], cells)
    for parameter, _ in doubled_names(search.parameters):
        yield shared.doubled_name(parameter, "wrong", "only the last is searched")


def _points(parameter: Parameter) -> _Points | Problem:
    """The parameter's values, or why the service's check fails."""
    if parameter.is_list:
        return _Points(len(parameter.items))
    if parameter.kind == "int":
        return _int_points(parameter)
    if parameter.kind == "double":
        return _double_points(parameter)
    return shared.unknown_kind(parameter, "fails")


def _int_points(parameter: Parameter) -> _Points | Problem:
    low, high = python_int(parameter.low), python_int(parameter.high)
    step = python_int(parameter.step) if parameter.step else 1
    if low is None:
        return shared.unreadable(parameter, "min", parameter.low, "an integer such as 10, not 10.0 or 1e1", "fails")
    if high is None:
        return shared.unreadable(parameter, "max", parameter.high, "an integer such as 10, not 10.0 or 1e1", "fails")
    if step is None:
        return shared.unreadable(parameter, "step", parameter.step, "an integer", "fails")
    if step == 0:
        return shared.bad_step(parameter, "fails", "it must not be 0, the Experiment fails at once")
    count = max(0, (high - low) // step + 1) if step > 0 else max(0, -((low - (high + 1)) // step))
    if count >= 2**31:
        return Problem("KT220", "fails", parameter.at("max"), _too_large(count))
    return _Points(count, range(low, high + 1, step) if step > 0 else ())


def _double_points(parameter: Parameter) -> _Points | Problem:
    low, high = python_float(parameter.low), python_float(parameter.high)
    step = python_float(parameter.step)
    if not parameter.step:
        message = f"grid needs a step for the double {parameter.name!r}: the Experiment fails at once"
        return Problem("KT217", "fails", parameter.at("step"), message)
    if low is None:
        return shared.unreadable(parameter, "min", parameter.low, "a number", "fails")
    if high is None:
        return shared.unreadable(parameter, "max", parameter.high, "a number", "fails")
    if step is None:
        return shared.unreadable(parameter, "step", parameter.step, "a number", "fails")
    if not math.isfinite(low) or not math.isfinite(high) or not math.isfinite(step) or step == 0:
        return shared.bad_step(parameter, "fails", "min, max and step must be finite, step not 0; the Experiment fails")
    length = (high + step - low) / step
    if length >= 2**31:
        return Problem("KT220", "fails", parameter.at("step"), _too_large(int(min(length, 1e18))))
    count = max(0, math.ceil(length))
    if count == 0:
        return shared.inverted(parameter, "the grid has no point, the Experiment fails at once", "fails")
    # numpy.arange: each value is the start plus a multiple of the step between the first two values.
    spacing = (low + step) - low
    last = low + (count - 1) * spacing if count > 1 else low
    if last > high:
        count -= 1
    return _Points(count, [low + index * spacing for index in range(min(count, _MOST_POINTS))])


def _too_large(cells: int) -> str:
    return f"a grid of {cells:,} points does not fit into the engine's memory"


def _size_problem(search: Search, cells: int) -> Problem | None:
    most = search.most
    if most is not None and most > cells:
        message = f"maxTrialCount {most} is more than the {cells} points of the grid: the Experiment fails at once"
        return Problem("KT218", "fails", ("spec", "maxTrialCount"), message)
    if cells > _MOST_CELLS:
        return Problem("KT220", "hangs", ("spec", "parameters"), _too_large(cells))
    asked = search.parallel
    first = _SECONDS_A_CELL * cells * asked * (asked - 1) / 2
    if first > _LONGEST_CALL:
        message = f"the first request on {cells:,} points takes {first:.0f} s, and Katib waits 60 s"
        return Problem("KT220", "hangs", ("spec", "parameters"), message)
    return None


def _number_problems(search: Search, parameter: Parameter, points: _Points, cells: int) -> Iterator[Problem]:
    if parameter.distribution in ("normal", "logNormal", "unknown"):
        yield shared.missing_parameter(parameter)
    elif parameter.distribution == "logUniform":
        yield from _log_problems(search, parameter, points)
    if parameter.kind == "double":
        yield from _lost_end(search, parameter, points, cells)


def _log_problems(search: Search, parameter: Parameter, points: _Points) -> Iterator[Problem]:
    high = python_float(parameter.high) or 0.0
    least = 1 if parameter.kind == "int" else 1e-10
    if max(least, python_float(parameter.low) or 0.0) > high:
        yield shared.log_of_nothing(parameter, "the engine's range is empty: every request fails")
        return
    bad = sum(value <= 0 for value in points.values)
    share = bad / max(1, points.size)
    if bad and shared.happens(share, search.draws):
        yield shared.log_of_nothing(parameter, "the point 0 or below stops the search when its turn comes")


def _lost_end(search: Search, parameter: Parameter, points: _Points, cells: int) -> Iterator[Problem]:
    """numpy.arange with a step that is no binary fraction may stop one point too early."""
    low, high, step = (float(text) for text in (parameter.low, parameter.high, parameter.step))
    expected = math.floor((high - low) / step + 1e-12) + 1
    if step > 0 and points.size < expected and (search.most is None or search.most >= cells):
        message = f"rounding loses {parameter.high}, the last point of {parameter.name!r}"
        yield Problem("KT219", "wrong", parameter.at("max"), message)
