"""What Katib's own `hyperband` does.

Source: katib v0.19.0, pkg/suggestion/v1beta1/hyperband; recorded runs of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kftune.katib.engines import shared
from kftune.katib.engines.space import Parameter, Problem, Search, doubled_names
from kftune.katib.go.numbers import python_float, python_int

# A first bracket of nearly all trials gives nearly all results.
_NEARLY_ALL = 1.05

_KNOWN = frozenset(("r_l", "eta", "resource_name"))


def problems(search: Search) -> Iterator[Problem]:
    """What goes wrong, the first first."""
    refused = next(_refused(search), None)
    if refused is not None:
        yield refused
        return
    resource = search.setting("resource_name") or ""
    for parameter in search.parameters:
        if parameter.name == resource:
            yield from _resource_problems(search, parameter)
        else:
            yield from _parameter_problems(search, parameter)
    for parameter, _ in doubled_names(search.parameters):
        yield shared.doubled_name(parameter, "hangs", "every request for suggestions fails")
    yield from _bracket_problems(search)
    for name, _ in search.settings:
        if name not in _KNOWN:
            yield Problem("KT216", "advice", search.setting_path(name), f"hyperband has no setting {name!r}")


def _eta(search: Search) -> float | None:
    """The eta that the check uses."""
    given = python_float(search.setting("eta") or "3") if search.setting("eta") != "" else None
    if given is None or not math.isfinite(given):
        return None
    whole = int(given)
    return 3.0 if whole <= 0 else float(whole)


def _refused(search: Search) -> Iterator[Problem]:
    for name in ("r_l", "resource_name"):
        if search.setting(name) is None:
            yield shared.refused_setting(search, name, "hyperband needs it")
    most = python_float(search.setting("r_l") or "")
    if most is None or most < 0:
        yield shared.refused_setting(search, "r_l", "it must be a number above 0")
        return
    if not math.isfinite(most) or most == 0:
        yield shared.refused_setting(search, "r_l", "it must be a finite number above 0")
        return
    eta = _eta(search)
    if eta is None or eta == 1:
        yield shared.refused_setting(search, "eta", "it must be a number of at least 2")
        return
    least = math.ceil(eta ** int(math.log(most) / math.log(eta)))
    if search.parallel < least:
        message = (
            f"parallelTrialCount must be at least {least} with r_l {most:g} and eta {eta:g}, and is {search.parallel}"
        )
        yield Problem("KT222", "fails", ("spec", "parallelTrialCount"), f"{message}: the Experiment fails at once")
    if search.setting("resource_name") not in {parameter.name for parameter in search.parameters}:
        yield shared.refused_setting(search, "resource_name", "it must be the name of a parameter")


def _brackets(search: Search) -> tuple[float, float, int]:
    """r_l, eta and the number of the first bracket, as used later."""
    most = python_float(search.setting("r_l") or "") or 1.0
    eta = python_float(search.setting("eta") or "3") or 3.0
    eta = 3.0 if eta <= 0 else eta
    return most, eta, int(math.log(most) / math.log(eta)) if eta != 1 else 0


def _bracket_problems(search: Search) -> Iterator[Problem]:
    _, eta, first = _brackets(search)
    for name in ("r_l", "eta"):
        earlier = next((text for other, text in search.settings if other == name), None)
        if earlier is not None and python_float(earlier) is None:
            yield shared.breaking_setting(search, name, f"it is given twice, and the first, {earlier!r}, is used")
    if eta < 1:
        yield shared.breaking_setting(search, "eta", "an eta below 1 gives no suggestion at all")
    elif search.most is not None and search.parallel + 1 < search.most <= search.parallel * _NEARLY_ALL:
        message = (
            f"hyperband gives the first {search.parallel} suggestions and hardly any after: the last trials never "
            "come, and the Experiment stays Running; set maxTrialCount to parallelTrialCount"
        )
        yield Problem("KT222", "wrong", ("spec", "maxTrialCount"), message)
    elif search.most is None or search.most > search.parallel + (1 if first > 0 else 0):
        message = (
            "only the first bracket runs: after it hyperband gives fewer suggestions than Katib asks for, for ever; "
            "set maxTrialCount to parallelTrialCount"
        )
        yield Problem("KT222", "hangs", ("spec", "maxTrialCount"), message)


def _resource_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    """The engine sends its own budget, whatever the parameter's range is."""
    most, eta, first = _brackets(search)
    if eta < 1:
        return
    value = int(most * eta**-first)
    low, high = python_float(parameter.low), python_float(parameter.high)
    if parameter.is_list:
        fits = str(value) in parameter.items
    else:
        fits = low is None or high is None or low <= value <= high
        step = python_float(parameter.step) if parameter.step else None
        if fits and step is not None and step > 0 and low is not None:
            fits = shared.lattice_index(value, low, step) < 1e-6
    if not fits:
        message = f"the first bracket trains with {parameter.name} = {value}, which the parameter's space does not hold"
        yield Problem("KT223", "wrong", parameter.at(), message)


def _parameter_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    if parameter.kind == "categorical":
        if not parameter.items:
            yield shared.empty_list(parameter)
    elif parameter.kind == "discrete":
        yield from _discrete_problems(search, parameter)
    elif parameter.kind == "int":
        yield from _int_problems(search, parameter)
    elif parameter.kind == "double":
        yield from _double_problems(search, parameter)
    else:
        yield shared.unknown_kind(parameter)


def _discrete_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    if not parameter.items:
        yield shared.empty_list(parameter)
        return
    for index, text in enumerate(parameter.items):
        whole = python_int(text)
        if whole is None:
            message = f"hyperband reads discrete values as integers, and {text!r} is none: every request fails"
            yield Problem("KT201", "hangs", (*parameter.at("list"), index), message)
            return
    changed = [text for text in parameter.items if str(python_int(text)) != text]
    if changed and shared.happens(len(changed) / len(parameter.items), search.draws):
        message = f"hyperband writes {changed[0]!r} of {parameter.name!r} as {str(python_int(changed[0]))!r}"
        yield Problem("KT208", "wrong", parameter.at("list"), message)


def _int_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    low, high = python_int(parameter.low), python_int(parameter.high)
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "an integer such as 10, not 10.0 or 1e1")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "an integer such as 10, not 10.0 or 1e1")
    elif low > high:
        yield from shared.out_of_bounds(search, parameter, 1, "they are drawn between the two, the wrong way round")
    else:
        step = python_float(parameter.step) if parameter.step else None
        if step is not None and step > 1 and math.isfinite(step) and high > low:
            on = len(range(low, high + 1, int(step))) if step == int(step) else 1
            share = 1 - max(on - 1, 0.5) / (high - low)
            yield from shared.off_lattice(search, parameter, share, "hyperband ignores steps")
        yield from shared.ignored_distribution(search, parameter, "uniform")


def _double_problems(search: Search, parameter: Parameter) -> Iterator[Problem]:
    low, high = python_float(parameter.low), python_float(parameter.high)
    if low is None:
        yield shared.unreadable(parameter, "min", parameter.low, "a number")
    elif high is None:
        yield shared.unreadable(parameter, "max", parameter.high, "a number")
    elif not math.isfinite(high - low):
        yield shared.inverted(parameter, "the engine needs a finite range, every request fails")
    elif low > high:
        yield from shared.out_of_bounds(search, parameter, 1, "they are drawn between the two, the wrong way round")
    else:
        step = python_float(parameter.step) if parameter.step else None
        if step is not None and step > 0 and math.isfinite(step) and high > low:
            yield from shared.off_lattice(search, parameter, 1, "hyperband ignores steps")
        yield from shared.ignored_distribution(search, parameter, "uniform")
