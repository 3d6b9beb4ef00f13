"""What `cmaes` and `sobol` do: goptuna 0.8.0 behind Katib's suggestion service.

Its check answers INTERNAL to numbers that it cannot read, which Katib takes for consent; then every request fails.

Source: katib v0.19.0, pkg/suggestion/v1beta1/goptuna; goptuna 0.8.0; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kftune.katib.engines import shared
from kftune.katib.engines.space import Parameter, Problem, Search, doubled_names
from kftune.katib.go.numbers import go_float, go_int

_STRATEGIES = ("", "none", "ipop", "bipop")


def problems(search: Search) -> Iterator[Problem]:
    """What goes wrong, the first first."""
    if search.algorithm == "cmaes" and sum(parameter.is_number for parameter in search.parameters) < 2:
        message = "cmaes needs two or more parameters of type int or double: the Experiment fails at once"
        yield Problem("KT221", "fails", ("spec", "parameters"), message)
        return
    doubled = next(doubled_names(search.parameters), None)
    if doubled is not None:
        yield shared.doubled_name(doubled[0], "fails", "the Experiment fails at once")
        return
    if search.algorithm == "cmaes":
        yield from _cmaes_settings(search)
    if not search.parameters:
        yield shared.no_parameters()
    for parameter in search.parameters:
        yield from _parameter_problems(search, parameter)


def _cmaes_settings(search: Search) -> Iterator[Problem]:
    hangs = "every request for suggestions fails"
    for name, text in search.settings:
        if name == "random_state" and go_int(text) is None:
            yield shared.breaking_setting(search, name, f"{text!r} must be an integer: {hangs}")
        elif name == "restart_strategy" and text not in _STRATEGIES:
            yield shared.breaking_setting(search, name, f"{text!r} must be none, ipop or bipop: {hangs}")
        elif name == "sigma":
            sigma = go_float(text)
            if sigma is None or math.isnan(sigma):
                yield shared.breaking_setting(search, name, f"{text!r} must be a number: {hangs}")
            elif search.comes_back and (sigma > 1e100 or 0 < sigma < 1e-100):
                yield shared.breaking_setting(search, name, f"{text} breaks the engine after the first batches")


def _parameter_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    if parameter.is_list:
        if not parameter.items:
            yield shared.empty_list(parameter)
    elif parameter.kind == "int":
        yield from _int_problems(search, parameter)
    elif parameter.kind == "double":
        yield from _double_problems(search, parameter)
    else:
        yield shared.unknown_kind(parameter)


def _int_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    what = "an integer such as 10, not 10.0, 1e1 or ' 10'"
    low, high = go_int(parameter.low), go_int(parameter.high)
    step = go_int(parameter.step) if parameter.step else 1
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, what)
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, what)
    elif step is None:
        yield shared.unreadable(parameter, "step", parameter.step, what)
    elif low > high or (low == high and _needs_width(search)):
        yield shared.inverted(parameter, _range_rule(search))
    elif parameter.step and step <= 0:
        yield shared.bad_step(parameter, "hangs", "it must be above 0, else every request fails")
    else:
        if search.algorithm == "sobol" and low < high:
            message = f"sobol rounds down, so that {parameter.name!r} is never {high}"
            yield Problem("KT228", "advice", parameter.at("max"), message)
        yield from _ignored(search, parameter)


def _needs_width(search: Search) -> bool:
    """cmaes takes its first step from the smallest range, unless it is given one."""
    return search.algorithm == "cmaes" and not (go_float(search.setting("sigma") or "0") or 0) > 0


def _range_rule(search: Search) -> str:
    if search.algorithm == "cmaes":
        return "cmaes takes its first step from the smallest range, and it must be above 0; every request fails"
    return "min must not be above max, else every request fails"


def _double_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    low, high = go_float(parameter.low), go_float(parameter.high)
    step = go_float(parameter.step) if parameter.step else None
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "a number such as 0.1, without blanks")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "a number such as 0.1, without blanks")
    elif parameter.step and step is None:
        yield shared.unreadable(parameter, "step", parameter.step, "a number such as 0.1, without blanks")
    elif math.isnan(low) or math.isnan(high) or not math.isfinite(low):
        yield shared.inverted(parameter, "the engine needs finite bounds, the second batch fails")
    elif low > high or (low == high and _needs_width(search)):
        yield shared.inverted(parameter, _range_rule(search))
    elif not math.isfinite(high):
        yield shared.not_finite(parameter, "+Inf")
    elif step is not None and (not math.isfinite(step) or step == 0 or (step < 0 and search.algorithm == "cmaes")):
        yield shared.bad_step(parameter, "hangs", "it must be a finite number above 0, else the results are lost")
    else:
        if step is not None and step > 0:
            yield from _overshoot(search, parameter, high - low, step)
        yield from _ignored(search, parameter)


def _overshoot(search: Search, parameter: Parameter, width: float, step: float) -> Iterator[Problem]:
    """A value is held below max, then rounded to the lattice once more, which may lift it above max."""
    steps = width / step
    whole = math.floor(steps + 1e-9)
    if steps - whole < 0.5 - 1e-9:
        return
    share = 1 - (whole + 1) / (steps + 1)
    likely = search.algorithm == "sobol" and share * search.draws >= 0.8
    if likely or (search.draws >= 1000 and share > 0.01):
        yield from shared.out_of_bounds(search, parameter, 1, "the last point is rounded up, above max")


def _ignored(search: Search, parameter: Parameter) -> Iterator[Problem]:
    if search.algorithm == "cmaes" and parameter.distribution == "normal":
        return
    drawn = "uniform"
    if search.version == "main" and search.algorithm == "cmaes" and parameter.distribution == "logUniform":
        drawn = "logUniform" if parameter.kind == "double" else drawn
    yield from shared.ignored_distribution(search, parameter, drawn)
