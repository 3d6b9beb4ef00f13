"""Texts for which a regular expression may take more than linear time, made from its own parts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_CHARS = "a1 -._/A=:,\t\n" + "".join(map(chr, [*range(33, 0x250), *range(33)]))
_ENDS = ("\0", "\n!", "")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_KINDS = {
    "DIGIT": str.isdigit,
    "SPACE": str.isspace,
    "WORD": lambda char: char == "_" or unicodedata.category(char)[0] in "LN",
}


def texts(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    """Returns a beginning, a text to repeat and an end for each way in which a pattern repeats something."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin1")
    repeats = [*dict.fromkeys(_repeats(_parser.parse(source, pattern.flags & ~re.UNICODE), ""))]
    found = [
        (head, part, end)
        for before, part in repeats
        for end in _ENDS
        for head, part in ((before, part), ("", part), ("", before + part))
    ]
    pairs = [one + other for _, one in repeats for _, other in repeats if one != other]
    return [*dict.fromkeys([*found, *(("", pair, "\0") for pair in pairs[:10])])]


def _repeats(items: Iterable[Any], before: str) -> Iterator[tuple[str, str]]:
    """Yields what precedes each repetition, and what it repeats."""
    for operator, value in items:
        name = str(operator)
        inner = _inner(name, value)
        if name in _REPEATS and value[1] > 100:
            yield from ((before, part) for part in {_sample(each) for each in _ways(value[2])} if part)
        for each in inner:
            yield from _repeats(each, before)
        before += _sample([(operator, value)])


def _inner(name: str, value: Any) -> list[Any]:
    if name in _REPEATS:
        return [value[2]]
    if name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT"):
        return [value[-1]]
    if name == "ATOMIC_GROUP":
        return [value]
    return list(value[1]) if name == "BRANCH" else []


def _ways(items: Any) -> Sequence[Any]:
    value: Any
    name, value = (str(items[0][0]), items[0][1]) if len(items) == 1 else ("", None)
    if name == "BRANCH":
        return list(value[1])
    return _ways(value[3]) if name == "SUBPATTERN" else [items]


def _sample(items: Iterable[Any]) -> str:
    """Returns a text that the items match."""
    text = ""
    for operator, value in items:
        name = str(operator)
        if name == "LITERAL":
            text += chr(value)
        elif name in ("ANY", "NOT_LITERAL"):
            text += "a" if name == "ANY" or value != ord("a") else "b"
        elif name == "IN":
            text += next((char for char in _CHARS if _holds(value, char)), "a")
        elif name in _REPEATS:
            text += _sample(value[2]) * value[0]
        elif name in ("SUBPATTERN", "BRANCH", "ATOMIC_GROUP"):
            text += _sample(_inner(name, value)[0])
    return text


def _holds(members: Any, char: str) -> bool:
    negated = str(members[0][0]) == "NEGATE"
    return any(_is_member(str(name), value, char) for name, value in members) != negated


def _is_member(name: str, value: Any, char: str) -> bool:
    if name == "LITERAL":
        return bool(value == ord(char))
    if name == "RANGE":
        return bool(value[0] <= ord(char) <= value[1])
    if name != "CATEGORY":
        return False
    kind = str(value).removeprefix("CATEGORY_")
    return _KINDS[kind.removeprefix("NOT_")](char) != kind.startswith("NOT_")
