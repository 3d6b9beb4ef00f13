"""Domains in the words of other systems: what each becomes in a study, and what of it changes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

_FUZZ = 1e-9

Bounds = Literal["exponents", "values"]


class Space(NamedTuple):
    """What a study searches in place of a domain of another system."""

    spec: dict[str, Any]
    """As a study has it."""
    annotation: str
    """The type of the field."""
    converted: str = ""
    """What is written in another form, and means the same."""
    lost: str = ""
    """What means something else here, and what to do."""
    check: str = ""
    """What the user has to look at."""


def uniform(low: float, high: float) -> Space:
    """Returns a range of numbers.

    Args:
        low: The lowest.
        high: The highest.
    """
    return Space({"uniform": [float(low), float(high)]}, "float") if low < high else _single(low, float)


def log_uniform(low: float, high: float) -> Space:
    """Returns a range of numbers on a logarithmic scale.

    Args:
        low: The lowest, above 0.
        high: The highest.
    """
    return Space({"loguniform": [float(low), float(high)]}, "float") if low < high else _single(low, float)


def integers(low: int, high: int, step: int = 1, *, log: bool = False) -> Space:
    """Returns a range of integers with both ends.

    Args:
        low: The lowest.
        high: The highest.
        step: Their distance.
        log: Whether the scale is logarithmic.
    """
    options = {**({} if step == 1 else {"step": step}), **({"log": True} if log else {})}
    return Space({"int": [low, high], **options}, "int")


def quantised(low: float, high: float, q: float, *, log: bool = False) -> Space:
    """Returns what is drawn between two values and then rounded to a multiple of `q`.

    Args:
        low: The lowest before rounding.
        high: The highest before rounding.
        q: The distance of the values.
        log: Whether the draw is uniform in the logarithm.
    """
    # A draw at a bound halfway between two multiples never comes out beyond it.
    first, last = math.floor(low / q + 0.5 + _FUZZ), math.ceil(high / q - 0.5 - _FUZZ)
    lost = ""
    if log and first < 1:
        first = 1
        lost = f"values that round to 0 are left out: the lowest is {_multiple(1, q)}"
    ends = [_multiple(first, q), _multiple(last, q)]
    whole = all(float(each).is_integer() for each in (*ends, q))
    kind = int if whole else float
    if first >= last:
        return _single(ends[0], kind)._replace(lost=lost)
    text = f"multiples of {q:g} from {ends[0]:g} to {ends[1]:g}"
    if not log and math.isclose(first * q, low, abs_tol=_FUZZ * q):
        text += "; the ends are as likely as the others here, rounding makes them half as likely there"
    spec = {"qloguniform" if log else "quniform": [kind(each) for each in ends], "q": kind(q)}
    return Space(spec, kind.__name__, converted=text, lost=lost)


def normal(mean: float, std: float, q: float | None = None, *, log: bool = False) -> Space:
    """Returns a normal distribution.

    Args:
        mean: The mean, of the logarithm with `log`.
        std: The standard deviation, of the logarithm with `log`.
        q: The distance of the values, if they are rounded to multiples of it.
        log: Whether the logarithm is normal.
    """
    name = f"{'q' if q else ''}{'log' if log else ''}normal"
    whole = q is not None and float(q).is_integer()
    spec: dict[str, Any] = {name: [float(mean), float(std)]}
    if q is not None:
        spec["q"] = int(q) if whole else q
    return Space(spec, "int" if whole else "float")


def choice(options: Sequence[Any], weights: Sequence[float] | None = None, *, texts: bool = False) -> Space:
    """Returns a list of values. Equal ones become one, and add their weights.

    Args:
        options: The values.
        weights: How likely each is.
        texts: Whether numbers are written as texts, as in files that have texts only.
    """
    given = [_from_text(each) for each in options] if texts and all(isinstance(x, str) for x in options) else options
    annotation, typed, note = typed_values(given)
    totals: dict[str, float] = {}
    kept: dict[str, Any] = {}
    for index, option in enumerate(typed):
        key = json.dumps(option, sort_keys=True, default=str)
        kept.setdefault(key, option)
        totals[key] = totals.get(key, 0.0) + (1.0 if weights is None else float(weights[index]))
    likely = [key for key in kept if totals[key] > 0]
    spec: dict[str, Any] = {"choice": [kept[key] for key in likely]}
    notes = [note] if note else []
    if texts and given is not options and annotation != "str":
        notes.append(f"the texts are {annotation} values")
    if len(likely) < len(typed):
        notes.append("values that are there twice, or have the weight 0, are written once or left out")
    if len({totals[key] for key in likely}) > 1:
        spec["weights"] = [totals[key] for key in likely]
    return Space(spec, annotation, converted="; ".join(notes))


def exponents(low: float, high: float, bounds: Bounds, base: float = math.e) -> tuple[float, float, str, str]:
    """Returns the values that the bounds of a logarithmic range mean, and what to say about them.

    Args:
        low: The lower bound as the file has it.
        high: The upper bound as the file has it.
        bounds: How to read them.
        base: The base of the exponents.

    Returns:
        Both values, the note with both readings, and what to check, empty if the bounds look right.

    Raises:
        ValueError: The bounds cannot be read like that.
    """
    powers = [_power(base, each) for each in (low, high)]
    as_exponents = "too large for a number" if math.inf in powers else f"{powers[0]:.6g} to {powers[1]:.6g}"
    as_values = f"{low:.6g} to {high:.6g}" if low > 0 else "impossible, as a logarithmic range is above 0"
    name = "e" if base == math.e else f"{base:g}"
    readings = f"as exponents of {name}: {as_exponents}; as values: {as_values}"
    if bounds == "values" and low <= 0:
        raise ValueError(f"bounds of a logarithmic range are above 0; {readings}")
    if bounds == "exponents" and math.inf in powers:
        raise ValueError(f"{readings}; if these are values, give --log-bounds values")
    taken = [low, high] if bounds == "values" else [float(f"{each:.6g}") for each in powers]
    looks_like_values = 0 < low < high and (high <= 1 or high >= 20)
    check = (
        f"the bounds look like values; give --log-bounds values if they are ({readings})" if looks_like_values else ""
    )
    note = f"{readings}; taken: {bounds} (--log-bounds)"
    return taken[0], taken[1], note, "" if bounds == "values" else check


def typed_values(options: Sequence[Any]) -> tuple[str, list[Any], str]:
    """Returns the type of values, the values with that type, and what changes."""
    present = [each for each in options if each is not None]
    optional = " | None" if len(present) < len(options) else ""
    kinds = {type(each) for each in present}
    if kinds in ({bool}, {int}, {float}, {str}):
        return f"{kinds.pop().__name__}{optional}", list(options), ""
    if kinds == {int, float}:
        return f"float{optional}", [each if each is None else float(each) for each in options], ""
    if kinds and kinds <= {list, tuple}:
        inner = {type(each) for option in present for each in option}
        item = inner.pop().__name__ if len(inner) == 1 and inner <= {bool, int, float, str} else None
        if item is not None:
            return f"list[{item}]{optional}", [each if each is None else list(each) for each in options], ""
    if not present:
        return "str | None", list(options), "null has no type; the field is a text that may be null"
    texts = [each if each is None else each if isinstance(each, str) else json.dumps(each) for each in options]
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    return f"str{optional}", texts, f"values of several types ({names}) are texts"


def _from_text(text: str) -> Any:
    """Returns the number that has this text, if writing it gives the same text."""
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text and math.isfinite(value):
            return value
    return text


def value_of(text: Any) -> Any:
    """Returns the value of a text in a file that has texts only: a number, a boolean, or the text."""
    if not isinstance(text, str):
        return text
    if text in ("true", "false"):
        return text == "true"
    return _from_text(text)


def _single(value: float, kind: type) -> Space:
    return Space({"constant": kind(value)}, kind.__name__, converted="both bounds are the same value")


def _multiple(index: int, q: float) -> float:
    return float(f"{index * q:.12g}")


def _power(base: float, exponent: float) -> float:
    try:
        # As floats: the power of two integers may have any number of digits.
        return math.exp(exponent) if base == math.e else float(base) ** float(exponent)
    except OverflowError:
        return math.inf
