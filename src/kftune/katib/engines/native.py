"""Which domains an engine draws as they are.

A domain is *native* to an algorithm if Katib has a feasibleSpace for it, `kftune lint` predicts no problem with that,
and each value gets nearly the share of the draws that the domain gives it.

Source: katib v0.19.0, pkg/suggestion/v1beta1, run on some thousands of parameters (v0.18.0 has the same engines); for
"main", the changes merged since (katib pull requests 2685 and 2689).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune.domains import (
    Choice,
    Conditional,
    Discrete,
    Domain,
    IntUniform,
    LogNormal,
    LogUniform,
    Normal,
    Ordinal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    ReverseLogUniform,
    Uniform,
)
from kftune.katib.engines import engine_of
from kftune.katib.engines.search import Problem, Search, parameters_of

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
    engine = engine_of(algorithm)
    if engine.exhaustive:
        feasible.space.pop("distribution", None)
    (parameter,) = parameters_of([{"name": name, "parameterType": feasible.type, "feasibleSpace": feasible.space}])
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
    return type(domain) in (Choice, Ordinal, Discrete) and getattr(domain, "weights", None) is None


def is_even(domain: Domain) -> bool:
    """Returns whether the domain has finitely many values, which are equally likely."""
    if isinstance(domain, IntUniform):
        return not domain.log
    return isinstance(domain, QUniform) or is_list(domain)


# -- feasibleSpaces --------------------------------------------------------------------------------------------------


def _feasible(domain: Domain) -> Feasible | str:
    form = _FORMS.get(type(domain), "Katib has no such parameters")
    return form if isinstance(form, str) else form(domain)


def _range(domain: Uniform) -> Feasible:
    return _between("double", number_text(domain.low), number_text(domain.high))


def _log_range(domain: LogUniform) -> Feasible:
    return _between("double", number_text(domain.low), number_text(domain.high), "logUniform")


def _lattice(domain: QUniform) -> Feasible:
    found = _range(Uniform(domain.low, domain.point(domain.size - 1)))
    found.space["step"] = number_text(domain.q)
    return found


def _integers(domain: IntUniform) -> Feasible | str:
    if max(abs(domain.low), abs(domain.high)) > _LARGEST_WHOLE:
        return f"integers beyond {_LARGEST_WHOLE} lose digits there"
    # Engines may draw a `high` between two steps.
    top = domain.low + (domain.size - 1) * domain.step
    found = _between("int", str(domain.low), str(top))
    if domain.step != 1:
        found.space["step"] = str(domain.step)
    if domain.log:
        found.space["distribution"] = "logUniform"
    return found


def _normal(domain: Normal) -> Feasible | str:
    """Source: katib hyperopt/base_service.py takes (min + max) / 2 and (max - min) / 6 for mean and deviation."""
    if domain.low is not None or domain.high is not None:
        return "Katib's normal distribution has no bounds"
    return _three_deviations(domain.mean - 3 * domain.std, domain.mean + 3 * domain.std, "normal")


def _log_normal(domain: LogNormal) -> Feasible | str:
    if domain.low is not None or domain.high is not None:
        return "Katib's log-normal distribution has no bounds"
    ends = (domain.mean - 3 * domain.std, domain.mean + 3 * domain.std)
    if max(map(abs, ends)) > _LARGEST_EXPONENT:
        return "Katib describes a log-normal distribution by values, and these would be too large or too small"
    return _three_deviations(math.exp(ends[0]), math.exp(ends[1]), "logNormal")


def _three_deviations(low: float, high: float, distribution: str) -> Feasible | str:
    if not (math.isfinite(low) and low < high < math.inf):
        return "Katib describes a normal distribution by two ends, which are the same number here"
    return _between("double", number_text(low), number_text(high), distribution)


def _between(kind: str, low: str, high: str, distribution: str | None = None) -> Feasible:
    space = {"min": low, "max": high}
    return Feasible(kind, space if distribution is None else {**space, "distribution": distribution})


_FORMS: Mapping[type[Domain], Callable[[Any], Feasible | str] | str] = {
    Uniform: _range,
    LogUniform: _log_range,
    QUniform: _lattice,
    IntUniform: _integers,
    Normal: _normal,
    LogNormal: _log_normal,
    ReverseLogUniform: "Katib has no reverse logarithm",
    QLogUniform: "Katib has no logarithmic range of doubles with steps",
    QNormal: "Katib has no normal distribution with steps",
    QLogNormal: "Katib has no normal distribution with steps",
    Conditional: "Katib has no conditions",
    Choice: "Katib draws all values of a list equally often and ignores weights",
}
