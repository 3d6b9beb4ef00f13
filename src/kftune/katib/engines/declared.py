"""Reads the parameters of an Experiment as domains, as declared; Katib's engines may draw other values.

If the Experiment was rendered from a study and a parameter is an encoded value, the domain of the value itself is
searched. So study and Experiment choose the same values.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import unquote

from kftune import json_input
from kftune.domains import (
    Choice,
    Conditional,
    Constant,
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
    domain_from_spec,
)
from kftune.domains.encoding import MILLION, PREFIX, DomainValue, decode, picked
from kftune.domains.shares import share_of
from kftune.errors import DomainError, KftuneError, RunError
from kftune.katib.engines.sampling import SearchedParameter
from kftune.katib.go.numbers import python_float, python_int

_SURROGATE = re.compile(
    rf"{PREFIX}(?P<mode>quantile|millionth|index):(?P<spec>[^:\s'\"\\]+):\$\{{trialParameters\.(?P<name>[^{{}}]+)\}}"
)
# With at most so many points, a millionth still identifies each of them.
_MOST_POINTS = 10_000
_CONTINUOUS = (Uniform, LogUniform, ReverseLogUniform, Normal, LogNormal)


def parameters_of(spec: Mapping[str, Any]) -> tuple[list[SearchedParameter], list[str]]:
    """Returns the parameters of a decoded spec, and notes about them.

    Raises:
        RunError: A parameter cannot be searched.
    """
    # An index is searched as the number that it is.
    encoded = {name: how for name, how in _encoded_parameters(spec) if how[0] != "index"}
    notes: list[str] = []
    found = []
    for given in spec.get("parameters", ()):
        name = given.get("name", "")
        parameter = None if name not in encoded else _behind(name, *encoded[name])
        if parameter is None:
            try:
                parameter = _as_declared(given, notes)
            except DomainError as error:
                raise RunError(f"parameter {name!r} cannot be searched: {error}") from error
        found.append(parameter._replace(late=name in encoded and isinstance(encoded[name][1], Conditional)))
    if not found:
        raise RunError("an Experiment needs parameters to run here, but has none (nasConfig is for Katib only)")
    return found, notes


def readers_of(spec: Mapping[str, Any]) -> dict[str, Callable[[str], Any]]:
    """Returns what makes the value of a parameter from the text that a trial got, by parameter.

    An encoded value becomes the value itself. A text that is none of the parameter's values stays a text.

    Args:
        spec: The spec of an Experiment; it may lack defaults, and its parameters may be of unknown types.
    """
    encoded = dict(_encoded_parameters(spec))
    found: dict[str, Callable[[str], Any]] = {}
    for given in spec.get("parameters") or ():
        name, kind = given.get("name", ""), given.get("parameterType", "")
        read = partial(picked, *encoded[name]) if name in encoded else _READERS.get(kind, _decoded)
        found[name] = partial(_value_or_text, read)
    return found


def _value_or_text(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except (DomainError, ValueError, ArithmeticError):
        return text


def _whole_value(text: str) -> int:
    value = python_int(text)
    return int(Decimal(text)) if value is None else value  # engines may write 32 as 32.0


def _decoded(text: str) -> Any:
    found = decode(text)
    return found.value if isinstance(found, DomainValue) else found


_READERS: Mapping[str, Callable[[str], Any]] = {"int": _whole_value, "double": float}


# -- encoded values ----------------------------------------------------------------------------------------------------


def _encoded_parameters(spec: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, Domain]]]:
    """Parameters that are encoded values: name -> (mode, domain of the value)."""
    template = spec.get("trialTemplate") or {}
    references = {each.get("name"): each.get("reference", "") for each in template.get("trialParameters") or ()}
    text = json.dumps(template.get("trialSpec"))
    for match in _SURROGATE.finditer(text):
        reference = references.get(match["name"])
        if reference is None:
            continue
        try:
            domain = domain_from_spec(json_input.loads(unquote(match["spec"], errors="strict")))
        except (KftuneError, ValueError):  # the program explains that better
            continue
        yield reference, (match["mode"], domain)


def _behind(name: str, mode: str, domain: Domain) -> SearchedParameter | None:
    """A parameter searched by the encoded values; None if numbers serve as well, or do not identify the values."""
    inner = domain.domain if isinstance(domain, Conditional) else domain
    if inner is None or isinstance(inner, _CONTINUOUS):
        return None
    if mode == "millionth":
        if inner.size > _MOST_POINTS:
            return None
        return SearchedParameter(name, inner, lambda value: str(int(share_of(inner, value) * MILLION)))
    return SearchedParameter(name, inner, lambda value: repr(share_of(inner, value)))


# -- as declared ---------------------------------------------------------------------------------------------------


def _as_declared(given: Mapping[str, Any], notes: list[str]) -> SearchedParameter:
    name, kind, space = given.get("name", ""), given.get("parameterType", ""), given["feasibleSpace"]
    if kind in ("categorical", "discrete"):
        texts = list(dict.fromkeys(space.get("list", ())))
        if len(texts) < len(space.get("list", ())):
            notes.append(f"{name}: the list repeats values; each counts once")
        return SearchedParameter(name, Choice(*texts) if kind == "categorical" else Ordinal(*texts), str)
    if kind not in ("int", "double"):
        raise RunError(f"parameter {name!r} is of type {kind!r}; write double, int, discrete or categorical")
    distribution = space.get("distribution", "uniform")
    if distribution in ("normal", "logNormal"):
        notes.append(f"{name}: min and max are three deviations from the middle; a few values lie outside, as on Katib")
    domain = (_whole if kind == "int" else _number)(name, space, distribution)
    return SearchedParameter(name, domain, _whole_text if kind == "int" else _float_text)


def _whole_text(value: Any) -> str:
    return str(int(value))


def _float_text(value: Any) -> str:
    return repr(float(value))


def _whole(name: str, space: Mapping[str, Any], distribution: str) -> Domain:
    low, high, step = _bounds(name, space, python_int, "an integer such as 10")
    step = step or 1
    if distribution not in _SPREADS:
        return IntUniform(low, high, step, log=distribution == "logUniform")
    if low >= high:
        return Constant(low)
    spread, _, stepped = _SPREADS[distribution]
    return stepped(*spread(name, low, high), q=step)


def _number(name: str, space: Mapping[str, Any], distribution: str) -> Domain:
    low, high, step = _bounds(name, space, python_float, "a finite number")
    if low == high or (step is not None and step > high - low > 0):
        return Constant(low)
    if distribution in _SPREADS:
        spread, plain, stepped = _SPREADS[distribution]
        ends = spread(name, low, high)
        return plain(*ends) if step is None else stepped(*ends, q=step)
    if distribution == "logUniform":
        return LogUniform(low, high) if step is None else QLogUniform(low, high, step)
    return Uniform(low, high) if step is None else QUniform(low, high, step)


def _three_sigma(name: str, low: float, high: float) -> tuple[float, float]:
    """Mean and deviation.

    Source: katib, hyperopt/base_service.py. The ends were written rounded; 15 digits restore the exact values.
    """
    return float(f"{(low + high) / 2:.15g}"), float(f"{(high - low) / 6:.15g}")


def _log_three_sigma(name: str, low: float, high: float) -> tuple[float, float]:
    """Mean and deviation of the logarithm."""
    if low <= 0:
        raise RunError(f"parameter {name!r} is logNormal, so min must be above 0, but is {low:g}")
    ends = math.log(low), math.log(high)
    return round((ends[0] + ends[1]) / 2, 13), round((ends[1] - ends[0]) / 6, 13)


_Make = Callable[..., Domain]
_SPREADS: dict[str, tuple[Callable[[str, float, float], tuple[float, float]], _Make, _Make]] = {
    "normal": (_three_sigma, Normal, QNormal),
    "logNormal": (_log_three_sigma, LogNormal, QLogNormal),
}


def _bounds(name: str, space: Mapping[str, Any], read: Callable[[str], Any], what: str) -> tuple[Any, Any, Any]:
    """min, max and step; the step may be None."""
    found: dict[str, Any] = {}
    for field in ("min", "max", "step"):
        text = space.get(field, "")
        found[field] = read(text) if text else None
        if text and (found[field] is None or not math.isfinite(found[field])):
            raise RunError(f"parameter {name!r}: {field} must be {what}, but is {text!r}")
    if found["min"] is None or found["max"] is None:
        raise RunError(f"parameter {name!r} needs min and max")
    return found["min"], found["max"], found["step"]
