"""What Katib's own `pbt` does in its first generation.

Source: katib v0.19.0, pkg/suggestion/v1beta1/pbt; recorded runs of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kftune.katib.engines import shared
from kftune.katib.engines.space import Parameter, Problem, Search, doubled_names
from kftune.katib.go.numbers import python_float, python_int

_REQUIRED = ("suggestion_trial_dir", "n_population", "truncation_threshold")
_KNOWN = frozenset((*_REQUIRED, "resample_probability"))
_MOST_POINTS = 500_000_000
_LOOKED_AT = 20_000


def problems(search: Search) -> Iterator[Problem]:
    """What goes wrong, the first first."""
    refused = next(_refused(search), None)
    if refused is not None:
        yield refused
        return
    for parameter in search.parameters:
        if parameter.is_list:
            if not parameter.items:
                yield shared.empty_list(parameter)
        elif parameter.is_number:
            yield from _number_problems(search, parameter)
        else:
            yield shared.unknown_kind(parameter)
    for parameter, _ in doubled_names(search.parameters):
        yield shared.doubled_name(parameter, "wrong", "only the last is searched")
    for name, _ in search.settings:
        if name not in _KNOWN:
            yield Problem("KT216", "advice", search.setting_path(name), f"pbt has no setting {name!r}")


def _refused(search: Search) -> Iterator[Problem]:
    for name in _REQUIRED:
        if search.setting(name) is None:
            yield shared.refused_setting(search, name, "pbt needs it")
    for name, text in dict(search.settings).items():
        if name == "n_population":
            whole = python_int(text)
            if whole is None or whole < 5:
                yield shared.refused_setting(search, name, f"{text!r} must be an integer of at least 5")
        elif name == "resample_probability" and search.version != "main":
            yield shared.refused_setting(search, name, f"Katib {search.version} cannot compare it")
        elif name in ("truncation_threshold", "resample_probability"):
            value = python_float(text)
            if value is None or value < 0 or value > 1:
                yield shared.refused_setting(search, name, f"{text!r} must be a number from 0 to 1")


def _number_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    low, high = python_float(parameter.low), python_float(parameter.high)
    text = parameter.step or ("1" if parameter.kind == "int" else "")
    step = python_float(text)
    if not text:
        message = f"pbt needs a step for the double {parameter.name!r}: every request for suggestions fails"
        yield Problem("KT224", "hangs", parameter.at("step"), message)
    elif low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "a number")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "a number")
    elif step is None:
        yield shared.unreadable(parameter, "step", parameter.step, "a number")
    elif step == 0 or not all(map(math.isfinite, (low, high, step))):
        yield shared.bad_step(parameter, "hangs", "min, max and step must be finite and step not 0")
    else:
        yield from _grid_problems(search, parameter, low, high, step)


def _grid_problems(search: Search, parameter: Parameter, low: float, high: float, step: float) -> Iterator[Problem]:
    count = (high + step / 2 - low) / step
    if count <= 0:
        yield shared.inverted(parameter, "min, max and step give no value, every request fails")
        return
    if count > _MOST_POINTS:
        message = f"{parameter.name!r} has {count:.0f} values, which do not fit into the engine's memory"
        yield Problem("KT220", "hangs", parameter.at("step"), message)
        return
    values = [low + index * step for index in range(min(math.ceil(count), _LOOKED_AT))]
    if math.ceil(count) > _LOOKED_AT:
        values.append(low + (math.ceil(count) - 1) * step)
    if parameter.kind == "int":
        values = [float(int(value)) for value in values]
    outside = sum(not low - 1e-12 <= value <= high * (1 + 1e-15) + 1e-12 for value in values)
    aside = sum(shared.lattice_index(value, low, step) > 1e-6 for value in values)
    total = math.ceil(count)
    yield from shared.out_of_bounds(
        search, parameter, outside / total, "pbt's points are whole steps, to half a step above max"
    )
    if parameter.step:
        yield from shared.off_lattice(search, parameter, aside / total, "pbt cuts the fractions of an int off")
    yield from shared.ignored_distribution(search, parameter, "uniform")
