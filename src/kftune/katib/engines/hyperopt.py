"""What `random` and `tpe` do: hyperopt 0.2.5 behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/hyperopt; hyperopt 0.2.5; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kftune.katib.engines import shared
from kftune.katib.engines.space import Parameter, Problem, Search, doubled_names
from kftune.katib.go.numbers import python_float, python_int

_SETTINGS = {
    "random": ("random_state",),
    "tpe": ("random_state", "gamma", "prior_weight", "n_EI_candidates"),
}
_MOST_CANDIDATES = 100_000_000
_MOST_INT = 1e19


def problems(search: Search) -> Iterator[Problem]:
    """What goes wrong, the first first."""
    refused = next(_refused_settings(search), None)
    if refused is not None:
        yield refused
        return
    yield from _breaking_settings(search)
    if search.parallel <= 0 and search.algorithm == "tpe":
        yield Problem("KT227", "hangs", ("spec", "parallelTrialCount"), "tpe cannot be asked for 0 suggestions")
    if not search.parameters:
        yield shared.no_parameters()
    for parameter in search.parameters:
        yield from _parameter_problems(search, parameter)
    for parameter, first in doubled_names(search.parameters):
        same = (parameter.kind, parameter.items) == (first.kind, first.items)
        if same or not search.comes_back:
            yield shared.doubled_name(parameter, "wrong", "every suggestion assigns it twice")
        else:
            yield shared.doubled_name(parameter, "hangs", "the first results cannot be told to the engine")


def _refused_settings(search: Search) -> Iterator[Problem]:
    for name, text in search.settings:
        if name not in _SETTINGS[search.algorithm]:
            known = ", ".join(_SETTINGS[search.algorithm])
            yield shared.refused_setting(search, name, f"{search.algorithm} knows {known}")
        elif name in ("random_state", "n_EI_candidates"):
            least = 0 if name == "random_state" else 1
            whole = python_int(text)
            if whole is None or whole < least:
                yield shared.refused_setting(search, name, f"{text!r} must be an integer of at least {least}")
        else:
            value = python_float(text)
            if value is None or not (0 < value < 1 if name == "gamma" else value > 0):
                rule = "a number between 0 and 1" if name == "gamma" else "a number above 0"
                yield shared.refused_setting(search, name, f"{text!r} must be {rule}")


def _breaking_settings(search: Search) -> Iterator[Problem]:
    seed = python_int(search.setting("random_state") or "0")
    if seed is not None and seed >= 2**32:
        yield shared.breaking_setting(search, "random_state", "the engine takes seeds below 2^32 only")
    if not search.comes_back:
        return
    if python_float(search.setting("prior_weight") or "1") == math.inf:
        yield shared.breaking_setting(search, "prior_weight", "the second batch fails with infinite weights")
    if (python_int(search.setting("n_EI_candidates") or "24") or 0) >= _MOST_CANDIDATES:
        yield shared.breaking_setting(search, "n_EI_candidates", "the engine runs out of memory")


def _parameter_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    if parameter.is_list:
        if not parameter.items:
            yield shared.empty_list(parameter)
    elif not parameter.is_number:
        yield shared.unknown_kind(parameter)
    else:
        yield from _number_problems(search, parameter)


def _number_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    low, high = python_float(parameter.low), python_float(parameter.high)
    step = python_float(parameter.step) if parameter.step else (1.0 if parameter.kind == "int" else None)
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "a number")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "a number")
    elif parameter.step and step is None:
        yield shared.unreadable(parameter, "step", parameter.step, "a number")
    elif parameter.distribution in ("logUniform", "logNormal") and (low <= 0 or high <= 0):
        yield shared.log_of_nothing(parameter, "there is no logarithm of 0 or less, every request fails")
    elif parameter.distribution in ("normal", "logNormal"):
        yield from _normal_problems(search, parameter, low, high, step)
    else:
        yield from _range_problems(search, parameter, low, high, step)


def _normal_problems(
    search: Search, parameter: Parameter, low: float, high: float, step: float | None
) -> Iterator[Problem]:
    if low > high:
        yield shared.inverted(parameter, "the standard deviation would be negative, every request fails")
    elif not math.isfinite(low) or not math.isfinite(high):
        yield shared.not_finite(parameter, "nan")
    elif step is not None and not _is_usable(step):
        yield from _unusable_step(search, parameter)
    elif low == high and search.comes_back and search.algorithm == "tpe":
        yield shared.inverted(parameter, "a standard deviation of 0 breaks the second batch of tpe")
    else:
        message = f"{parameter.distribution} of {parameter.name!r} is not cut at min and max: values leave the bounds"
        yield Problem("KT210", "wrong", parameter.at("distribution"), message)


def _range_problems(
    search: Search, parameter: Parameter, low: float, high: float, step: float | None
) -> Iterator[Problem]:
    logarithmic = parameter.distribution == "logUniform"
    if not math.isfinite(low) or not math.isfinite(high):
        yield shared.inverted(parameter, "the engine needs finite bounds, every request fails")
        return
    if not math.isfinite(high - low) and not logarithmic:
        yield shared.inverted(parameter, "the range is beyond the largest float, every request fails")
        return
    again = search.algorithm == "tpe" and search.comes_back
    if low >= high and not (logarithmic and low > high):
        if not (low == high == 0) or again:
            yield shared.inverted(parameter, "min must be below max, else every request fails")
        return
    if again and (low > high or (parameter.kind == "int" and max(abs(low), abs(high)) >= _MOST_INT)):
        yield shared.inverted(parameter, "the second batch of tpe fails")
        return
    if step is not None and not _is_usable(step):
        yield from _unusable_step(search, parameter)
    elif low > high:
        yield from shared.out_of_bounds(search, parameter, 1, "they are drawn between the two, the wrong way round")
    elif step is not None:
        yield from _quantised(search, parameter, low, high, abs(step), logarithmic)


def _is_usable(step: float) -> bool:
    return step != 0 and math.isfinite(step)


def _unusable_step(search: Search, parameter: Parameter) -> Iterator[Problem]:
    if parameter.kind == "int":
        yield shared.bad_step(parameter, "hangs", "the draw is no number, every request fails")
    elif search.algorithm == "tpe" and search.comes_back:
        yield shared.bad_step(parameter, "hangs", "the draw is no number, the second batch fails")
    else:
        yield shared.bad_step(parameter, "wrong", "every trial gets 'nan'")


def _quantised(
    search: Search, parameter: Parameter, low: float, high: float, step: float, logarithmic: bool
) -> Iterator[Problem]:
    """hyperopt rounds to multiples of the step, not to min + k * step."""
    if parameter.kind == "int" and step < 1 and shared.lattice_index(1, 0, step) < 1e-6:
        return
    whole = parameter.kind != "int" or step == int(step)
    if not whole or shared.lattice_index(0, low, step) > 1e-6:
        what = f"hyperopt rounds to multiples of {parameter.step or '1'}, whatever min is"
        if parameter.step:
            yield from shared.off_lattice(search, parameter, 1, what)
        else:
            yield from shared.out_of_bounds(search, parameter, _share_below(low, high), what)
        return
    top = (math.floor(high / step + 1e-9) + 0.5) * step
    if top < high:
        share = math.log(high / top) / math.log(high / low) if logarithmic else (high - top) / (high - low)
        yield from shared.out_of_bounds(search, parameter, share, "the last multiple of the step is above max")


def _share_below(low: float, high: float) -> float:
    """The share of integers that are rounded to below min, or above max."""
    below = max(0.0, min(high, math.floor(low) + 0.5) - low)
    above = max(0.0, high - max(low, math.floor(high) + 0.5))
    return (below + above) / (high - low)
