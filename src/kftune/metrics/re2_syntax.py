"""Checks whether Katib can run a regex that Python compiles, and finds the plain text in it.

Source: regexp/syntax of Go, which Katib runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from kftune.errors import MetricError

if TYPE_CHECKING:
    from kftune.katib.go.regex import Token

_FROM_NONE = re.compile(r"\{,[0-9]*\}")

# Beginning of what Go rejects and Python compiles -> what is wrong, and the remedy.
_REMEDIES = {
    "(?=": ("no lookahead", "match the text itself behind the group"),
    "(?!": ("no negative lookahead", "name the characters that may follow"),
    "(?<=": ("no lookbehind", "match the text itself before the group"),
    "(?<!": ("no negative lookbehind", "name the characters that may precede"),
    "(?P=": ("no back-reference", "write the text again"),
    "(?P<": ("group names are ASCII", "use plain letters"),
    "(?(": ("no conditional", "write the alternatives with |"),
    "(?>": ("no atomic group", "use (?:...)"),
    "(?#": ("no comment", "remove it"),
    "(?": ("only the flags i, m and s", "remove the others"),
    "+": ("no possessive repetition", "remove the last +"),
    "{": ("at most 1000 repeats, nested ones multiplied", "use * or +"),
    "[:": ("[: begins a class by name", "write its characters, as in [A-Za-z]"),
    "\\Z": ("no \\Z", "use $"),
    "\\b": ("no \\b in a class", "write the character as \\xNN"),
    **{f"\\{digit}": ("no back-reference", "write the text again, or the character as \\xNN") for digit in "123456789"},
}


class Item(NamedTuple):
    """One part of a regex outside of all groups; a group is one part."""

    kind: str
    """``literal`` (a character that a match contains exactly once), ``capture``, ``|`` or ``other``."""
    start: int
    end: int
    text: str = ""
    """The character of a literal."""


def scan(regex: str) -> tuple[Item, ...]:
    """Checks a regex and returns its parts outside of all groups.

    Args:
        regex: A regex that Python compiles.

    Raises:
        MetricError: RE2 refuses it or reads it differently than Python; names the construct, its position, a remedy.
    """
    items: list[Item] = []
    opened: list[Token] = []
    for token in _checked(regex):
        written = regex[token.start : token.end]
        if token.depth > len(opened):
            opened.append(token)
        elif token.depth < len(opened):
            opening = opened.pop()
            if not opened:
                kind = "capture" if _captures(regex, opening) else "other"
                items.append(Item(kind, opening.start, token.end))
        elif not opened:
            if token.text:
                items.append(Item("literal", token.start, token.end, token.text))
            elif written[0] not in "*+?{":
                items.append(Item("|" if written == "|" else "other", token.start, token.end))
            elif items[-1].kind == "literal":
                items[-1] = items[-1]._replace(kind="other")
    return tuple(items)


def inside_of_group(regex: str, number: int) -> slice:
    """Returns where the inside of a capturing group is.

    Args:
        regex: A regex that Go compiles.
        number: The group, from 1.

    Raises:
        MetricError: The regex has no such group.
    """
    from kftune.katib.go.regex import tokens  # noqa: PLC0415 - most studies have no regex

    opened: list[tuple[Token, int]] = []
    count = 0
    for token in tokens(regex):
        if token.depth > len(opened):
            captures = _captures(regex, token)
            count += captures
            opened.append((token, count if captures else 0))
        elif token.depth < len(opened):
            opening, found = opened.pop()
            if found == number:
                return slice(opening.end, token.start)
    raise MetricError(f"a regex must have {number} groups; given {regex!r}; put brackets around the value")


def _captures(regex: str, opening: Token) -> bool:
    named = regex.startswith(("(?P<", "(?<"), opening.start)
    return named or not regex.startswith("(?", opening.start)


def _checked(regex: str) -> Iterator[Token]:
    """Yields the parts of a regex that RE2 and Python read alike."""
    from kftune.katib.go.regex import GoRegexError, tokens  # noqa: PLC0415 - most studies have no regex

    end = 0
    try:
        for token in tokens(regex):
            written = regex[token.start : token.end]
            if written == "{" and (found := _FROM_NONE.match(regex, token.start)):
                raise _refused(regex, found[0], token.start, ("{,n} are plain characters", "write {0,n}"))
            if written[0] == "[" and "[:" in written[1:]:
                raise _refused(regex, written, token.start, _REMEDIES["[:"])
            end = token.end
            yield token
    except GoRegexError as error:
        start = regex.index(error.part, end) if regex[end] == "[" else end
        text = error.part if error.part.startswith(("\\", "[")) else regex[start:]
        known = next((beginning for beginning in _REMEDIES if text.startswith(beginning)), "")
        remedy = _REMEDIES.get(known, (f"no {error.part}", "write the character itself"))
        raise _refused(regex, max(known, error.part, key=len), start, remedy) from None


def _refused(regex: str, part: str, start: int, remedy: tuple[str, str]) -> MetricError:
    return MetricError(
        f"a metric's regex must also work in RE2, which Katib uses; {remedy[0]} in {regex!r}: {part!r} at position "
        f"{start}; {remedy[1]}"
    )
