"""Which domains each of Katib's algorithms samples as they are meant.

A domain is *native* to an algorithm when the engine draws from all of it, from nothing else, and nearly as often as the
domain itself would. A rule below makes Katib's form of a native domain, or says why there is none.

Source: katib v0.19.0, pkg/suggestion/v1beta1, run on some thousands of parameters (v0.18.0 has the same engines); for
"main", the changes merged since (katib pull requests 2685 and 2689).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

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
from kftune.domains.encoding import Mode


class Feasible(NamedTuple):
    """A parameter as Katib describes it."""

    type: str
    """``double``, ``int``, ``discrete`` or ``categorical``."""
    space: dict[str, Any]
    """The feasibleSpace."""


Rule = Callable[[Any], Feasible | str]

# By how much one value's share of the draws may be off. Engines that round a uniform draw give both ends half of what
# they should have: with 19 values 2.8 % instead of 5.3 %.
MOST_OFF = 0.025

# The largest integer that survives as a floating point number, which is what the engines calculate with.
_LARGEST_WHOLE = 2**53


@dataclass(frozen=True)
class Engine:
    """How one algorithm of Katib samples.

    Attributes:
        native: Type of domain -> what makes Katib's form of it, or why that cannot be had.
        mode: How the number of a surrogate picks the value.
        surrogate: The parameter that this engine does draw evenly.
        orderless: Whether the engine learns nothing from the order of values, so that a list of them serves as well as
            a range.
        seeded: Whether the engine takes a seed.
        discrete: The type under which it draws a list of numbers alike.
    """

    native: Mapping[type[Domain], Rule | str]
    mode: Mode = "quantile"
    surrogate: Feasible = Feasible("double", {"min": "0", "max": "1"})  # noqa: RUF009  # copied before it is given away
    orderless: bool = False
    seeded: bool = True
    discrete: str = "discrete"


def number_text(number: float) -> str:
    """The shortest plain decimal that reads back as `number`: Go and Python do not agree on exponents everywhere."""
    text = repr(number)
    if "e" in text:
        return format(Decimal(text), "f")
    return text.removesuffix(".0") if number else "0"


def engine_of(algorithm: str, version: str) -> Engine:
    """The engine that a version of Katib has for an algorithm."""
    return (_MAIN if version == "main" else _RELEASED).get(algorithm) or _RELEASED[algorithm]


def native(domain: Domain, engine: Engine) -> Feasible | str:
    """The domain in Katib's own form, or why the engine would not sample it rightly."""
    kind = type(domain)
    reason = _NOT_IN_KATIB.get(kind)
    if reason is not None:
        return reason
    rule = engine.native.get(kind, "it does not know such domains")
    return rule if isinstance(rule, str) else rule(domain)


def is_list(domain: Domain) -> bool:
    """Whether the domain is a list whose values Katib draws alike, as the domain does."""
    return type(domain) in _LISTS and getattr(domain, "weights", None) is None


def is_even(domain: Domain) -> bool:
    """Whether the domain has finitely many values and draws all of them alike."""
    kind = type(domain)
    return kind is QUniform or (kind is IntUniform and not domain.log) or is_list(domain)  # type: ignore[attr-defined]


_LISTS = (Choice, Ordinal, Discrete)

_NOT_IN_KATIB: Mapping[type[Domain], str] = {
    ReverseLogUniform: "Katib knows no reverse logarithm",
    QLogUniform: "Katib knows no logarithm with steps",
    QNormal: "Katib knows no normal distribution with steps of its own",
    QLogNormal: "Katib knows no normal distribution with steps of its own",
    Conditional: "Katib knows no conditions",
    Choice: "Katib draws the values of a list alike, whatever their weights",
}


# -- forms ---------------------------------------------------------------------------------------------------------


def _range(domain: Uniform) -> Feasible | str:
    if math.isinf(domain.high - domain.low):
        return "the range is wider than any number"
    return Feasible("double", {"min": number_text(domain.low), "max": number_text(domain.high)})


def _log_range(domain: LogUniform) -> Feasible:
    space = {"min": number_text(domain.low), "max": number_text(domain.high), "distribution": "logUniform"}
    return Feasible("double", space)


def _whole(domain: IntUniform) -> Feasible | str:
    if max(abs(domain.low), abs(domain.high)) > _LARGEST_WHOLE:
        return f"integers beyond {_LARGEST_WHOLE} lose digits there"
    space = {"min": str(domain.low), "max": str(_top(domain))}
    if domain.step != 1:
        space["step"] = str(domain.step)
    return Feasible("int", space)


def _logarithmic(found: Feasible | str) -> Feasible | str:
    if isinstance(found, Feasible):
        found.space["distribution"] = "logUniform"
    return found


def _top(domain: IntUniform) -> int:
    """The greatest value; engines that are told of a `high` beyond it may go there."""
    return domain.low + (domain.size - 1) * domain.step


def _steps(domain: QUniform) -> Feasible:
    top = domain.point(domain.size - 1)
    return Feasible("double", {"min": number_text(domain.low), "max": number_text(top), "step": number_text(domain.q)})


# -- rules ---------------------------------------------------------------------------------------------------------


def _rounded_whole(domain: IntUniform) -> Feasible | str:
    """For engines that round a draw from [low, high] to the nearest integer."""
    if domain.log:
        return "it draws integers evenly, not by orders of magnitude"
    if domain.step != 1:
        return "it takes no notice of steps"
    return _ends_off(domain.size) or _whole(domain)


def _ends_off(size: int) -> str | None:
    off = 1 / size - 1 / (2 * (size - 1))
    return f"it gives both ends half the share of the other {size - 2} values" if off > MOST_OFF else None


def _hyperopt_whole(domain: IntUniform) -> Feasible | str:
    """Source: hyperopt 0.2.5, quniform and qloguniform: round(draw / step) * step."""
    if domain.log:
        return _hyperopt_log_whole(domain)
    if domain.low % domain.step:
        return f"its steps are multiples of {domain.step}, not {domain.low} and every {domain.step} from there"
    return _ends_off(domain.size) or _whole(domain)


def _hyperopt_log_whole(domain: IntUniform) -> Feasible | str:
    if domain.step != 1:
        return "its steps of logarithmic integers are multiples of the step"
    low, high = domain.low, domain.high
    meant = math.log((low + 0.5) / (low - 0.5)) / math.log((high + 0.5) / (low - 0.5))
    drawn = math.log((low + 0.5) / low) / math.log(high / low)
    if meant - drawn > MOST_OFF:
        return f"it draws {low} in {drawn:.0%} of the trials instead of {meant:.0%}"
    return _logarithmic(_whole(domain))


def _hyperopt_steps(domain: QUniform) -> Feasible | str:
    """Source: hyperopt 0.2.5, quniform: round(draw / step) * step, in floating point."""
    low, top, q = domain.low, domain.point(domain.size - 1), domain.q
    first, last = round(low / q), round(top / q)
    if abs(first * q - low) > q * 1e-9 or first * q < low or last * q > top:
        return f"its steps are multiples of {number_text(q)}, and the ends of this domain are none (in floating point)"
    return _ends_off(domain.size) or _steps(domain)


def _three_sigma(domain: Normal) -> Feasible | str:
    """Source: katib hyperopt/base_service.py takes (min + max) / 2 and (max - min) / 6 for mean and deviation."""
    if domain.low is not None or domain.high is not None:
        return "its normal distribution has no bounds"
    return _normal_range(domain.mean - 3 * domain.std, domain.mean + 3 * domain.std, "normal")


def _log_three_sigma(domain: LogNormal) -> Feasible | str:
    if domain.low is not None or domain.high is not None:
        return "its log-normal distribution has no bounds"
    ends = (domain.mean - 3 * domain.std, domain.mean + 3 * domain.std)
    if max(map(abs, ends)) > _LARGEST_EXPONENT:
        return "its log-normal distribution is given by values, and these would be too large or too small for a number"
    return _normal_range(math.exp(ends[0]), math.exp(ends[1]), "logNormal")


# e to this power, or one divided by it, is still a number with all its digits.
_LARGEST_EXPONENT = 700.0


def _normal_range(low: float, high: float, distribution: str) -> Feasible | str:
    if not (math.isfinite(low) and low < high < math.inf):
        return "its normal distribution is given by two ends, which are the same number here"
    return Feasible("double", {"min": number_text(low), "max": number_text(high), "distribution": distribution})


def _optuna_log_range(domain: LogUniform) -> Feasible | str:
    """Source: katib v0.19.0, optuna/base_service.py: low = max(1e-10, min)."""
    return _log_range(domain) if domain.low >= _OPTUNA_LEAST else "it draws nothing below 1e-10"


_OPTUNA_LEAST = 1e-10


def _optuna_whole(domain: IntUniform) -> Feasible | str:
    if domain.log and domain.step != 1:
        return "it takes no notice of the steps of logarithmic integers"
    return _logarithmic(_whole(domain)) if domain.log else _whole(domain)


# -- engines -------------------------------------------------------------------------------------------------------

_HYPEROPT: Mapping[type[Domain], Rule | str] = {
    Uniform: _range,
    LogUniform: _log_range,
    QUniform: _hyperopt_steps,
    IntUniform: _hyperopt_whole,
    Normal: _three_sigma,
    LogNormal: _log_three_sigma,
}
_EVEN_ONLY = "it draws every number evenly, whatever the distribution"
_NO_STEPS = "it takes no notice of steps"
_NO_NORMAL = "it knows no normal distribution"
_ONE_SPREAD = "it starts all numbers with one spread, that of the narrowest range"
_POPULATION = "it needs steps, and leaves them and the type when it perturbs a value"

_RELEASED: Mapping[str, Engine] = {
    "random": Engine(_HYPEROPT, orderless=True),
    "tpe": Engine(_HYPEROPT),
    "multivariate-tpe": Engine(
        {
            Uniform: _range,
            LogUniform: _optuna_log_range,
            QUniform: _steps,
            IntUniform: _optuna_whole,
            Normal: "it leaves parameters with a normal distribution out",
            LogNormal: "it leaves parameters with a normal distribution out",
        }
    ),
    "grid": Engine(
        {IntUniform: _whole, QUniform: "it may lose the last point of a range with steps"}, mode="index", orderless=True
    ),
    "bayesianoptimization": Engine(
        {
            Uniform: "it draws every double by orders of magnitude",
            LogUniform: _log_range,
            QUniform: _NO_STEPS,
            IntUniform: _rounded_whole,
            Normal: _NO_NORMAL,
            LogNormal: _NO_NORMAL,
        },
        mode="millionth",
        surrogate=Feasible("int", {"min": "0", "max": "999999"}),
    ),
    "cmaes": Engine(
        {
            Uniform: _range,
            LogUniform: _EVEN_ONLY,
            QUniform: "it may go one step beyond the end",
            IntUniform: _rounded_whole,
            Normal: _NO_NORMAL,
            LogNormal: _NO_NORMAL,
        }
    ),
    "sobol": Engine(
        {
            Uniform: _range,
            LogUniform: _EVEN_ONLY,
            QUniform: "it may go one step beyond the end",
            IntUniform: "it never draws the greatest value of an integer",
            Normal: _EVEN_ONLY,
            LogNormal: _EVEN_ONLY,
        },
        orderless=True,
        seeded=False,
    ),
    "hyperband": Engine(
        {
            Uniform: _range,
            LogUniform: _EVEN_ONLY,
            QUniform: _NO_STEPS,
            IntUniform: _rounded_whole,
            Normal: _EVEN_ONLY,
            LogNormal: _EVEN_ONLY,
        },
        orderless=True,
        seeded=False,
        discrete="categorical",
    ),
    "pbt": Engine(
        dict.fromkeys((Uniform, LogUniform, QUniform, IntUniform, Normal, LogNormal), _POPULATION),
        surrogate=Feasible("double", {"min": "0", "max": "1", "step": "0.0001"}),
        seeded=False,
    ),
}

_MAIN: Mapping[str, Engine] = {
    "bayesianoptimization": Engine(
        {**_RELEASED["bayesianoptimization"].native, Uniform: _range},
        mode="millionth",
        surrogate=Feasible("int", {"min": "0", "max": "999999"}),
    ),
}
