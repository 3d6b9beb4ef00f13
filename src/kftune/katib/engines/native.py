"""Which domains an engine draws as they are.

A domain is *native* to an algorithm if Katib has a feasibleSpace for it, `kftune lint` predicts no problem with that,
and each value gets nearly the share of the draws that the domain gives it.

Source: katib v0.19.0, pkg/suggestion/v1beta1, run on some thousands of parameters (v0.18.0 has the same engines); for
"main", the changes merged since (katib pull requests 2666, 2685 and 2689).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune.domains import Domain
from kftune.katib.engines import engine_of
from kftune.katib.engines.search import Problem, Search, parameter_of

if TYPE_CHECKING:
    from kftune.katib.admission.defaults import KatibVersion


class Feasible(NamedTuple):
    """A parameter as Katib describes it."""

    type: str
    """``double``, ``int``, ``discrete`` or ``categorical``."""
    space: dict[str, str]
    """The feasibleSpace of a double or an int."""
    ends: tuple[float, float] | None = None
    """The least and the greatest value of a range with a step, as the engine writes them: rounding may lift them."""


# The largest integer that survives as a floating point number, with which the engines calculate.
_LARGEST_WHOLE = 2**53

# e to this power, or one divided by it, is still a number with all its digits.
_LARGEST_EXPONENT = 700.0

# Bounds beyond this number, or below one divided by it, are checked one by one.
_EXTREME = 1e6

# A range is judged by so many draws that anything which can happen does.
_MANY_TRIALS = 10**9

# A normal distribution without bounds is not cut: what lint reports of a feasibleSpace is what the domain means.
_MEANT = "KT210"


def number_text(number: float) -> str:
    """Returns the shortest plain decimal that reads back as `number`: Go and Python disagree on some exponents."""
    text = repr(number)
    if "e" in text:
        return format(Decimal(text), "f")
    return text.removesuffix(".0") if number else "0"


def native(name: str, domain: Domain, algorithm: str, version: KatibVersion) -> Feasible | str:
    """Returns the domain as a parameter of Katib, or why the algorithm would not draw its values correctly.

    Args:
        name: The parameter's name.
        domain: A domain with more than one value.
        algorithm: The algorithm.
        version: The version of Katib.
    """
    feasible = _feasible(domain)
    if isinstance(feasible, str):
        return feasible
    if _is_ordinary(domain) and _draws_ordinary(domain.kind, algorithm, version):
        return feasible
    return _checked(name, feasible, algorithm, version)


def _is_ordinary(domain: Any) -> bool:
    """Returns whether the domain is a range without a step whose bounds are extreme for no engine."""
    kind = _kind(domain)
    if kind not in ("uniform", "loguniform"):
        return False
    low, high, least = float(domain.low), float(domain.high), 1 / _EXTREME
    return -_EXTREME < low and high < _EXTREME and (low if kind == "loguniform" else high - low) > least


@cache
def _draws_ordinary(kind: str, algorithm: str, version: KatibVersion) -> bool:
    """Returns whether an ordinary range is native: one answer for all of them."""
    example = Feasible("double", {"min": "0.25", "max": "0.5"})
    if kind == "loguniform":
        example.space["distribution"] = "logUniform"
    return isinstance(_checked("x", example, algorithm, version), Feasible)


def _checked(name: str, feasible: Feasible, algorithm: str, version: KatibVersion) -> Feasible | str:
    engine = engine_of(algorithm)
    if engine.exhaustive:
        feasible.space.pop("distribution", None)
    parameter = parameter_of(0, name, feasible.type, feasible.space)
    search = Search(
        algorithm=algorithm, settings=(), parameters=(parameter,), parallel=1, most=_MANY_TRIALS, version=version
    )
    for problem in engine.parameter_problems(search, parameter):
        if problem.code != _MEANT:
            return problem.message
    found = engine.read(search, parameter)
    if isinstance(found, Problem):
        return found.message
    return engine.uneven(found) or feasible._replace(ends=None if found.step is None else engine.ends(found))


def is_list(domain: Domain) -> bool:
    """Returns whether the domain is a list of equally likely values, as Katib draws them."""
    return getattr(domain, "kind", "") in _LISTS and getattr(domain, "weights", None) is None


def is_even(domain: Domain) -> bool:
    """Returns whether the domain has finitely many values, which are equally likely."""
    kind = _kind(domain)
    return kind == "quniform" or (kind == "int" and not getattr(domain, "log", False)) or is_list(domain)


def _kind(domain: Domain) -> str:
    return getattr(domain, "kind", "conditional")  # a domain with a condition has no kind


_LISTS = frozenset(("choice", "ordinal", "discrete"))

# -- feasibleSpaces --------------------------------------------------------------------------------------------------


def _feasible(domain: Domain) -> Feasible | str:
    form = _FORMS.get(_kind(domain), "Katib has no such parameters")
    return form if isinstance(form, str) else form(domain)


def _range(domain: Any) -> Feasible:
    return _between(domain.low, domain.high)


def _log_range(domain: Any) -> Feasible:
    return _between(domain.low, domain.high, distribution="logUniform")


def _lattice(domain: Any) -> Feasible:
    return _between(domain.low, domain.point(domain.size - 1), step=number_text(domain.q))


def _integers(domain: Any) -> Feasible | str:
    if max(abs(domain.low), abs(domain.high)) > _LARGEST_WHOLE:
        return f"integers beyond {_LARGEST_WHOLE} lose digits there"
    # Engines may draw a `high` between two steps.
    space = {"min": str(domain.low), "max": str(domain.low + (domain.size - 1) * domain.step)}
    if domain.step != 1:
        space["step"] = str(domain.step)
    return Feasible("int", {**space, "distribution": "logUniform"} if domain.log else space)


def _normal(domain: Any) -> Feasible | str:
    """Source: katib hyperopt/base_service.py takes (min + max) / 2 and (max - min) / 6 for mean and deviation."""
    is_log = domain.kind == "lognormal"
    low, high = domain.mean - 3 * domain.std, domain.mean + 3 * domain.std
    if domain.low is not None or domain.high is not None:
        return f"Katib's {'log-' if is_log else ''}normal distribution has no bounds"
    if is_log and max(abs(low), abs(high)) > _LARGEST_EXPONENT:
        return "Katib describes a log-normal distribution by values, and these would be too large or too small"
    if is_log:
        low, high = math.exp(low), math.exp(high)
    if not (math.isfinite(low) and low < high < math.inf):
        return "Katib describes a normal distribution by two ends, which are the same number here"
    return _between(low, high, distribution="logNormal" if is_log else "normal")


def _between(low: float, high: float, **more: str) -> Feasible:
    return Feasible("double", {"min": number_text(low), "max": number_text(high), **more})


_FORMS: Mapping[str, Callable[[Any], Feasible | str] | str] = {
    "uniform": _range,
    "loguniform": _log_range,
    "quniform": _lattice,
    "int": _integers,
    "normal": _normal,
    "lognormal": _normal,
    "reverse_loguniform": "Katib has no reverse logarithm",
    "qloguniform": "Katib has no logarithmic range of doubles with steps",
    "qnormal": "Katib has no normal distribution with steps",
    "qlognormal": "Katib has no normal distribution with steps",
    "conditional": "Katib has no conditions",
    "choice": "Katib draws all values of a list equally often and ignores weights",
}
