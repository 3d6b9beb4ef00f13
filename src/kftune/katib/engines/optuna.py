"""What `multivariate-tpe` and `grid` do: optuna 3.3.0 behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/optuna; optuna 3.3.0; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kftune.katib.engines import shared
from kftune.katib.engines.space import Parameter, Problem, Search, doubled_names
from kftune.katib.go.numbers import python_float, python_int

_SETTINGS = {
    "multivariate-tpe": ("n_startup_trials", "n_ei_candidates", "random_state"),
    "grid": ("random_state",),
}
_LEAST_LOG = 1e-10


def settings_problems(search: Search) -> Iterator[Problem]:
    """Settings that the service refuses."""
    for name, text in search.settings:
        if name not in _SETTINGS[search.algorithm]:
            known = ", ".join(_SETTINGS[search.algorithm])
            yield shared.refused_setting(search, name, f"{search.algorithm} knows {known}")
        else:
            whole = python_int(text)
            if whole is None or whole < 0:
                yield shared.refused_setting(search, name, f"{text!r} must be an integer of at least 0")


def seed_problems(search: Search) -> Iterator[Problem]:
    """A seed that numpy refuses."""
    seed = python_int(search.setting("random_state") or "0")
    if seed is not None and seed >= 2**32:
        yield shared.breaking_setting(search, "random_state", "the engine takes seeds below 2^32 only")


def problems(search: Search) -> Iterator[Problem]:
    """What goes wrong with `multivariate-tpe`, the first first."""
    refused = next(settings_problems(search), None)
    if refused is not None:
        yield refused
        return
    yield from seed_problems(search)
    yield from _candidates(search)
    for parameter in search.parameters:
        yield from _parameter_problems(search, parameter)
    for parameter, _ in doubled_names(search.parameters):
        yield shared.doubled_name(parameter, "wrong", "only the last is searched")


def _candidates(search: Search) -> Iterator[Problem]:
    text = search.setting("n_ei_candidates")
    startup = python_int(search.setting("n_startup_trials") or "10") or 0
    if text is None or python_int(text) != 0:
        return
    if search.most is None or search.most - search.parallel >= startup:
        rule = f"once {startup} trials have ended, every request fails"
        yield shared.breaking_setting(search, "n_ei_candidates", rule)


def _parameter_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    if parameter.is_list:
        if not parameter.items:
            yield shared.empty_list(parameter)
    elif not parameter.is_number:
        yield shared.unknown_kind(parameter)
    elif parameter.distribution in ("normal", "logNormal", "unknown"):
        yield shared.missing_parameter(parameter)
    elif parameter.kind == "int":
        yield from _int_problems(search, parameter)
    else:
        yield from _double_problems(search, parameter)


def _int_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    low, high = python_int(parameter.low), python_int(parameter.high)
    step = python_int(parameter.step) if parameter.step else 1
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "an integer such as 10, not 10.0 or 1e1")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "an integer such as 10, not 10.0 or 1e1")
    elif parameter.distribution == "logUniform":
        yield from _log_int_problems(search, parameter, low, high)
    elif step is None:
        yield shared.unreadable(parameter, "step", parameter.step, "an integer")
    elif low > high:
        yield shared.inverted(parameter, "min must not be above max, else every request fails")
    elif step <= 0:
        yield shared.bad_step(parameter, "hangs", "it must be above 0, else every request fails")


def _log_int_problems(search: Search, parameter: Parameter, low: int, high: int) -> Iterator[Problem]:
    start = max(1, low)
    if start > high:
        yield shared.log_of_nothing(parameter, "the engine begins at 1, above max: every request fails")
        return
    step = python_int(parameter.step) if parameter.step else 1
    if step is not None and step > 1 and high > start:
        on = sum(math.log1p(1 / point) for point in range(low, min(high, low + 1000 * step) + 1, step) if point > 0)
        share = 1 - min(1.0, on / math.log((high + 0.5) / max(start - 0.5, 0.5)))
        yield from shared.off_lattice(search, parameter, share, "a step is ignored with logUniform")


def _double_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    low, high = python_float(parameter.low), python_float(parameter.high)
    step = python_float(parameter.step) if parameter.step else None
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "a number")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "a number")
    elif parameter.distribution == "logUniform":
        yield from _log_double_problems(search, parameter, low, high)
    elif parameter.step and step is None:
        yield shared.unreadable(parameter, "step", parameter.step, "a number")
    elif low > high:
        yield shared.inverted(parameter, "min must not be above max, else every request fails")
    elif not math.isfinite(low) or not math.isfinite(high) or not math.isfinite(high - low):
        yield shared.inverted(parameter, "the engine needs finite bounds, every request fails")
    elif step is not None and (not step > 0 or not math.isfinite(step)):
        yield shared.bad_step(parameter, "hangs", "it must be a finite number above 0, else every request fails")


def _log_double_problems(search: Search, parameter: Parameter, low: float, high: float) -> Iterator[Problem]:
    if max(_LEAST_LOG, low) > high:
        yield shared.log_of_nothing(parameter, "the engine begins at 1e-10, above max: every request fails")
    elif not math.isfinite(high) or math.isnan(low):
        yield shared.inverted(parameter, "the engine needs finite bounds, every request fails")
    elif parameter.step and max(_LEAST_LOG, low) < high:
        yield from shared.off_lattice(search, parameter, 1, "a step is ignored with logUniform")
