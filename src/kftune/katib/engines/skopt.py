"""What `bayesianoptimization` does: scikit-optimize behind Katib's suggestion service.

Source: katib v0.19.0, pkg/suggestion/v1beta1/skopt; scikit-optimize 0.10.2; recorded runs of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kftune.katib.engines import shared
from kftune.katib.engines.space import Parameter, Problem, Search, doubled_names
from kftune.katib.go.numbers import python_float, python_int

_CHOICES = {
    "base_estimator": ("GP", "RF", "ET", "GBRT"),
    "acq_func": ("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"),
    "acq_optimizer": ("auto", "sampling", "lbfgs"),
}
_WHOLE = ("n_initial_points", "random_state")


def problems(search: Search) -> Iterator[Problem]:
    """What goes wrong, the first first."""
    refused = next(_refused_settings(search), None)
    if refused is not None:
        yield refused
        return
    yield from _breaking_settings(search)
    if search.parallel <= 0:
        yield Problem("KT227", "hangs", ("spec", "parallelTrialCount"), "the engine cannot be asked for 0 suggestions")
    if not search.parameters:
        yield shared.no_parameters()
    for parameter in search.parameters:
        yield from _parameter_problems(search, parameter)
    for parameter, _ in doubled_names(search.parameters):
        yield shared.doubled_name(parameter, "wrong", "every suggestion assigns it twice")


def _refused_settings(search: Search) -> Iterator[Problem]:
    for name, text in search.settings:
        if name in _CHOICES:
            if text not in _CHOICES[name]:
                yield shared.refused_setting(search, name, f"{text!r} must be one of {', '.join(_CHOICES[name])}")
        elif name in _WHOLE:
            whole = python_int(text)
            if whole is None or whole < 0:
                yield shared.refused_setting(search, name, f"{text!r} must be an integer of at least 0")
        else:
            known = ", ".join((*_CHOICES, *_WHOLE))
            yield shared.refused_setting(search, name, f"bayesianoptimization knows {known}")


def _breaking_settings(search: Search) -> Iterator[Problem]:
    seed = python_int(search.setting("random_state") or "0")
    if seed is not None and seed >= 2**32:
        yield shared.breaking_setting(search, "random_state", "the engine takes seeds below 2^32 only")
    if python_int(search.setting("n_initial_points") or "10") == 0:
        yield shared.breaking_setting(search, "n_initial_points", "the first request finds no model and fails")
    if (search.setting("base_estimator") or "GP") == "GP":
        return
    optimizer = search.setting("acq_optimizer") or "auto"
    if optimizer == "lbfgs":
        yield shared.breaking_setting(search, "acq_optimizer", "lbfgs works with base_estimator GP only")
    elif search.setting("acq_func") in ("EIps", "PIps") and optimizer != "sampling":
        yield shared.breaking_setting(search, "acq_func", "it needs base_estimator GP, or acq_optimizer sampling")


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
    low, high = python_int(parameter.low), python_int(parameter.high)
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "an integer such as 10, not 10.0 or 1e1")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "an integer such as 10, not 10.0 or 1e1")
    elif low >= high:
        yield shared.inverted(parameter, "min must be below max, else every request fails")
    else:
        step = python_int(parameter.step) if parameter.step else 1
        if step is not None and step > 1:
            share = 1 - ((high - low) // step + 1) / (high - low + 1)
            yield from shared.off_lattice(search, parameter, share, "this engine ignores steps")
        yield from shared.ignored_distribution(search, parameter, "uniform")


def _double_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    low, high = python_float(parameter.low), python_float(parameter.high)
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "a number")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "a number")
    elif low >= high:
        yield shared.inverted(parameter, "min must be below max, else every request fails")
    else:
        if search.version != "main":
            drawn = "logUniform"
        else:
            drawn = "logUniform" if parameter.distribution == "logUniform" else "uniform"
        if drawn == "logUniform" and low <= 0 <= high:
            rule = "this engine draws doubles on a log scale, which has no 0: every request fails"
            yield shared.log_of_nothing(parameter, rule)
        elif math.isnan(low) or math.isnan(high) or (drawn == "logUniform" and high < 0):
            yield shared.not_finite(parameter, "nan")
        elif math.isinf(low) or math.isinf(high):
            yield shared.not_finite(parameter, "inf")
        else:
            step = python_float(parameter.step) if parameter.step else None
            if step is not None and step > 0 and math.isfinite(step):
                yield from shared.off_lattice(search, parameter, 1, "this engine ignores steps")
            yield from shared.ignored_distribution(search, parameter, drawn)
