"""Parameters as Katib's engines sample them, faults included.

Lattices, bounds and distributions are the engines'; the very values are those of grid and sobol only, whose orders do
not depend on a random generator of another library.

Source: katib v0.19.0, pkg/suggestion/v1beta1; recorded runs of the engines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

from kftune.domains import Choice, Domain, IntUniform, LogUniform, Ordinal, Uniform
from kftune.errors import DomainError, RunError
from kftune.katib.go.numbers import positional, python_float, python_int


class Parameter(NamedTuple):
    """One parameter as it is searched."""

    name: str
    domain: Domain
    text: Callable[[Any], str]
    """What stands for a value in the assignment."""
    late: bool = False
    """Whether it has a condition in the study; such names are drawn last."""


@dataclass(frozen=True, eq=False)
class Drawn(Domain):
    """What an engine makes of a share from 0 to 1."""

    draw: Callable[[float], float]

    def quantile(self, u: float) -> float:
        """The value at a share."""
        return self.draw(u)

    def contains(self, value: object) -> bool:
        """Engines leave their own bounds, so nothing is refused."""
        return True


class Range(NamedTuple):
    """A parameter with bounds, as an engine reads it."""

    name: str
    is_int: bool
    low: float
    high: float
    step: float | None
    distribution: str


def engine_parameters(spec: Mapping[str, Any], algorithm: str) -> list[Parameter]:
    """The parameters of a decoded spec as an algorithm's engine samples them.

    Raises:
        RunError: The engine makes no suggestion of this space, so that the Experiment fails or hangs.
    """
    if algorithm not in _ENGINES:
        raise RunError(
            f"--as-katib does not know the engine of {algorithm}, only of {', '.join(_ENGINES)}; run without it"
        )
    return [_parameter(given, algorithm) for given in spec.get("parameters", ())]


def _parameter(given: Mapping[str, Any], algorithm: str) -> Parameter:
    name, kind, space = given.get("name", ""), given.get("parameterType", ""), given["feasibleSpace"]
    if kind in ("categorical", "discrete"):
        return _listed(name, list(space.get("list", ())), algorithm)
    found = Range(
        name,
        kind == "int",
        _number(name, kind, space, "min"),
        _number(name, kind, space, "max"),
        _number(name, kind, space, "step") if space.get("step") else None,
        space.get("distribution", "uniform"),
    )
    if found.step is not None and found.step <= 0:
        raise _no_trial(name, f"step is {space['step']!r}")
    try:
        return Parameter(name, _ENGINES[algorithm](found), _text(found, algorithm))
    except (DomainError, ValueError) as error:
        raise _no_trial(found.name, f"the engine cannot draw from it: {error}") from error


def _listed(name: str, texts: list[str], algorithm: str) -> Parameter:
    if algorithm in ("grid", "sobol", "random"):
        # A value that is there twice is drawn twice as often.
        return Parameter(name, Ordinal(*range(len(texts))), lambda index: texts[int(index)])
    return Parameter(name, Choice(*dict.fromkeys(texts)), str)


def _number(name: str, kind: str, space: Mapping[str, Any], field: str) -> float:
    text = space.get(field, "")
    value = python_int(text) if kind == "int" else python_float(text)
    if value is None or not math.isfinite(value):
        raise _no_trial(name, f"{field} is {text!r}")
    return value


def _no_trial(name: str, why: str) -> RunError:
    return RunError(f"Katib's engine makes no trial of parameter {name!r}: {why}; run without --as-katib")


def _text(given: Range, algorithm: str) -> Callable[[Any], str]:
    if given.is_int:
        return lambda value: str(int(value))
    return (lambda value: positional(float(value))) if algorithm == "sobol" else (lambda value: repr(float(value)))


# -- engines -------------------------------------------------------------------------------------------------------


def _hyperopt(given: Range) -> Domain:
    """random, tpe: round(draw / step) * step, so that values are multiples of the step; normal draws are not cut."""
    step = given.step if given.step is not None else 1.0 if given.is_int else None
    low, high = given.low, given.high
    log = given.distribution in ("logUniform", "logNormal")
    if log:
        if low <= 0:
            raise ValueError("the logarithm of min")
        low, high = math.log(low), math.log(high)
    normal = NormalDist((low + high) / 2, abs(high - low) / 6 or 1e-300) if "ormal" in given.distribution else None

    def draw(u: float) -> float:
        inside = min(max(u, 2.0**-53), 1 - 2.0**-53)
        value = low + (high - low) * u if normal is None else normal.inv_cdf(inside)
        value = math.exp(value) if log else value
        return value if step is None else round(value / step) * step

    return Drawn(draw)


def _optuna(given: Range) -> Domain:
    """multivariate-tpe: it knows no normal distribution, and no steps of a logarithm."""
    if given.distribution in ("normal", "logNormal"):
        raise _no_trial(given.name, f"{given.distribution} is left out of every suggestion")
    log = given.distribution == "logUniform"
    if given.is_int:
        step = 1 if log or given.step is None else int(given.step)
        return IntUniform(max(1, int(given.low)) if log else int(given.low), int(given.high), step, log=log)
    if log:
        return LogUniform(max(1e-10, given.low), given.high)
    return Uniform(given.low, given.high) if given.step is None else _steps(given)


def _steps(given: Range) -> Domain:
    low, step = given.low, given.step or 1.0
    count = math.floor((given.high - low) / step + 1e-9) + 1
    return Drawn(lambda u: low + min(int(u * count), count - 1) * step)


def _grid(given: Range) -> Domain:
    """grid: numpy.arange, which may lose the last point, with the digits of its sums."""
    if given.distribution in ("normal", "logNormal"):
        raise _no_trial(given.name, f"{given.distribution} is left out of every suggestion")
    if given.is_int:
        return Ordinal(*range(int(given.low), int(given.high) + 1, int(given.step or 1)))
    if given.step is None:
        raise _no_trial(given.name, "a double needs a step")
    count = max(0, math.ceil((given.high + given.step - given.low) / given.step))
    spacing = (given.low + given.step) - given.low
    points = [given.low + index * spacing for index in range(count)]
    if points and points[-1] > given.high:
        points.pop()
    return Ordinal(*points)


def _skopt(given: Range) -> Domain:
    """bayesianoptimization: ints evenly, doubles by orders of magnitude, whatever is asked for."""
    if given.is_int:
        return IntUniform(int(given.low), int(given.high))
    return LogUniform(given.low, given.high)


def _cmaes(given: Range) -> Domain:
    """cmaes: no distribution but the even one."""
    if given.is_int:
        return IntUniform(int(given.low), int(given.high), int(given.step or 1))
    return Uniform(given.low, given.high) if given.step is None else _steps(given)


def _sobol(given: Range) -> Domain:
    """sobol: no distribution but the even one; integers are rounded down, so that max never comes.

    With a step, a share of half a step more at both ends is rounded to the lattice, held within the bounds, and rounded
    once more, which may lift it above max.
    """
    low, width = given.low, given.high - given.low
    if given.is_int:
        step = int(given.step or 1)
        return Drawn(lambda u: math.floor(u * (width / step)) * step + low)
    if given.step is None:
        return Drawn(lambda u: low + u * width)
    q = given.step

    def rounded(value: float) -> float:
        return low + math.floor((value - low) / q + 0.5) * q

    return Drawn(lambda u: rounded(min(max(rounded(low - q / 2 + u * (width + q)), low), given.high)))


_ENGINES: Mapping[str, Callable[[Range], Domain]] = {
    "random": _hyperopt,
    "tpe": _hyperopt,
    "multivariate-tpe": _optuna,
    "grid": _grid,
    "bayesianoptimization": _skopt,
    "cmaes": _cmaes,
    "sobol": _sobol,
}
