"""Finds values of which a regex reads only a part, such as 1 of 1e-05."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from kftune.metrics.definition import VALUE_GROUP, MetricDefinition, required_text

_DIGITS = r"0[xX][0-9A-Fa-f]+|[0-9]{1,3}(?:[,_][0-9]{3})+(?![0-9])(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_WHOLE = re.compile(rf"(?:(?<![\w.)\]}}])[+-])?(?<![\w.])(?:{_DIGITS})(?:[eE][+-]?[0-9]+)?", re.ASCII)
_BEFORE = 64
"""Characters before a part in which its number begins."""
_BEHIND = 1000
"""Characters behind it in which it ends."""

GROUP_REMEDY = f"write {VALUE_GROUP} for the group of its regex"
PLAIN_REMEDY = "print plain decimal numbers, without separators"

Place = tuple[str, int, int]
"""A metric, and where the text of its value begins and ends in a line."""


class CutNumber(NamedTuple):
    """A value of which only a part is read."""

    metric: str
    line: int
    """In the log, from 1."""
    text: str
    """The line."""
    read: str
    """The part that is read."""
    whole: str
    """The number that stands there."""
    remedy: str


def whole_number(text: str, start: int, end: int) -> str:
    """Returns the number that stands where only a part of it is read; empty if the part has the same value.

    Args:
        text: A line.
        start: Where the part begins.
        end: Where it ends.
    """
    for found in _WHOLE.finditer(text, max(0, start - _BEFORE), end + _BEHIND):
        if found.start() >= end:
            break
        if start < end and found.start() <= start and found.end() >= end:
            return "" if _same(text[start:end], found[0]) else found[0]
    return ""


def cut_reports(lines: Iterable[bytes], definitions: Sequence[MetricDefinition]) -> Iterator[CutNumber]:
    """Yields the first value of each metric of a study of which only a part is read.

    Args:
        lines: The lines of a log.
        definitions: The metrics that are found by a regex.
    """
    if not definitions:
        return iter(())
    patterns = [(each.name, each.pattern, required_text(each)) for each in definitions]

    def places(text: str) -> Iterator[Place]:
        for name, pattern, needle in patterns:
            if needle in text:
                yield from ((name, *match.span(1)) for match in pattern.matches(text))

    return first_of_each(lines, places, GROUP_REMEDY)


def first_of_each(lines: Iterable[bytes], places: Callable[[str], Iterable[Place]], remedy: str) -> Iterator[CutNumber]:
    """Yields the first value of each metric of which only a part is read.

    Args:
        lines: The lines of a log.
        places: Returns what is read in a line.
        remedy: What to do if a group that reads each number helps.
    """
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8", "surrogateescape")
        for name, start, end in places(text):
            whole = "" if name in seen else whole_number(text, start, end)
            if whole:
                seen.add(name)
                advice = remedy if re.fullmatch(VALUE_GROUP, whole) else PLAIN_REMEDY
                yield CutNumber(name, number, text.strip(), read=text[start:end], whole=whole, remedy=advice)


def _same(one: str, other: str) -> bool:
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False
