"""Hydra's sweeps in overrides: choices, ranges and intervals, with casts and modifiers around them.

Source: Hydra's override grammar, and the Optuna sweeper's plugin.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from kftune.importers.spaces import Space, choice, integers, log_uniform, quantised, uniform

_CALL = re.compile(r"\s*([a-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)
_FUNCTIONS = ("choice", "range", "interval", "glob", "tag", "sort", "shuffle", "int", "float", "str", "bool")
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d+)(?:[eE][+-]?\d+)?")


class NotASweepError(ValueError):
    """A text that cannot be read as a sweep."""


class Sweep(NamedTuple):
    """What an override sweeps."""

    space: Space | None = None
    """None for one value."""
    value: Any = None


def read_sweep(text: Any, *, inclusive: bool) -> Sweep:
    """Returns what the value of an override means.

    Args:
        text: The value, as the configuration has it.
        inclusive: Whether the stop of a range is tried, as by the Optuna sweeper if the steps lead there.

    Raises:
        NotASweepError: It cannot be read.
    """
    if not isinstance(text, str):
        return Sweep(value=text)
    call = _CALL.fullmatch(text)
    if call is not None and call[1] in _FUNCTIONS:
        return Sweep(_of_call(call[1], call[2], inclusive=inclusive, tags=frozenset()))
    parts = _split(text)
    if len(parts) > 1:
        return Sweep(choice([_value(part) for part in parts]))
    return Sweep(value=_value(text))


def _of_call(name: str, inside: str, *, inclusive: bool, tags: frozenset[str], cast: str = "") -> Space:
    parts = [part for part in _split(inside) if part]
    named = dict(part.split("=", 1) for part in parts if re.match(r"\w+\s*=", part))
    named = {key.strip(): value.strip() for key, value in named.items()}
    plain = [part for part in parts if not re.match(r"\w+\s*=", part)]
    if name in ("int", "float", "str", "bool"):
        return _inner(plain, inclusive=inclusive, tags=tags, cast=name)
    if name == "tag":
        found = frozenset(part.strip() for part in plain[:-1])
        return _inner(plain[-1:], inclusive=inclusive, tags=tags | found, cast=cast)
    if name in ("sort", "shuffle"):
        return _inner(plain, inclusive=inclusive, tags=tags, cast=cast)
    if name == "glob":
        raise NotASweepError("glob lists configuration files, which are not read; write the names as choice(a, b)")
    if name == "choice":
        if not plain:
            raise NotASweepError("choice needs at least one value")
        return choice([_cast(_value(part), cast) for part in plain])
    if name == "interval":
        return _interval([_number(part) for part in _arguments(plain, named, ("start", "end"))], tags, cast)
    return _range(plain, named, inclusive=inclusive)


def _inner(parts: list[str], *, inclusive: bool, tags: frozenset[str], cast: str) -> Space:
    call = _CALL.fullmatch(parts[0]) if len(parts) == 1 else None
    if call is not None and call[1] in _FUNCTIONS:
        return _of_call(call[1], call[2], inclusive=inclusive, tags=tags, cast=cast)
    if not parts:
        raise NotASweepError("there is nothing inside the brackets")
    return choice([_cast(_value(part), cast) for part in parts])


def _arguments(plain: list[str], named: dict[str, str], names: tuple[str, ...]) -> list[str]:
    given = {**dict(zip(names, plain, strict=False)), **named}
    missing = [name for name in names if name not in given]
    if missing or len(plain) > len(names):
        raise NotASweepError(f"it needs {' and '.join(names)}")
    return [given[name] for name in names]


def _interval(ends: list[float], tags: frozenset[str], cast: str) -> Space:
    low, high = ends
    if low > high:
        raise NotASweepError(f"the start must not be above the end, but {low:g} > {high:g}")
    log = "log" in tags
    if log and low <= 0:
        raise NotASweepError(f"a logarithmic interval is above 0, but starts at {low:g}")
    if cast == "int" or (cast != "float" and isinstance(low, int) and isinstance(high, int)):
        return integers(int(low), int(high), log=log)
    return log_uniform(low, high) if log else uniform(low, high)


def _range(plain: list[str], named: dict[str, str], *, inclusive: bool) -> Space:
    numbers = [_number(part) for part in plain]
    if len(numbers) == 1 and "stop" not in named:
        numbers = [0, *numbers]
    given: dict[str, float] = dict(zip(("start", "stop", "step"), numbers, strict=False))
    given |= {key: _number(value) for key, value in named.items() if key in ("start", "stop", "step")}
    start, stop, step = given.get("start", 0), given.get("stop"), given.get("step", 1)
    if stop is None or not step:
        raise NotASweepError("range needs a stop, and a step other than 0")
    if step < 0 or stop < start:
        raise NotASweepError("a range that goes down is written from its lowest value up")
    count = int((stop - start) / step + 1e-9)
    last = start + count * step
    if not inclusive and abs(last - stop) < 1e-9:
        last = start + (count - 1) * step
    if last < start:
        raise NotASweepError("the range is empty")
    note = f"the values are {start:g} to {last:g} in steps of {step:g}"
    if all(isinstance(each, int) for each in (start, stop, step)):
        return integers(int(start), int(last), int(step))._replace(converted=note)
    if start % step > 1e-9 and step - start % step > 1e-9:
        return Space({"quniform": [float(start), float(f"{last:.12g}")], "q": step}, "float", converted=note)
    return quantised(start, last, step)._replace(
        annotation="float", spec={"quniform": [float(start), float(f"{last:.12g}")], "q": step}, converted=note
    )


def _split(text: str) -> list[str]:
    """Returns the parts between commas that are in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += character
    return [part.strip() for part in parts]


def _number(text: str) -> int | float:
    text = text.strip()
    if _NUMBER.fullmatch(text) is None:
        raise NotASweepError(f"{text!r} is not a number")
    plain = text.replace("_", "")
    return int(plain) if re.fullmatch(r"[+-]?\d+", plain) else float(plain)


def _value(text: str) -> Any:
    """Returns a value of the grammar: a number, a boolean, null, or a text."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace(f"\\{text[0]}", text[0])
    words = {"true": True, "false": False, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    return _number(text) if _NUMBER.fullmatch(text) else text


_CASTS: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "str": str, "bool": bool}


def _cast(value: Any, cast: str) -> Any:
    if not cast:
        return value
    try:
        return _CASTS[cast](value)
    except (TypeError, ValueError) as error:
        raise NotASweepError(f"{value!r} is not {cast}") from error
