"""What a regex does, step by step in postfix order: no regex is nested too deeply for those who read it.

Source: Go, regexp/syntax/parse.go (calcSize).
"""

from __future__ import annotations

from typing import NamedTuple

from kftune.katib.go.regex_classes import Ranges


class Operation(NamedTuple):
    """One step of a regex in postfix order: it takes its operands from a stack and puts its result there."""

    kind: str
    """``chars``, ``edge``, ``empty``, ``join``, ``either``, ``repeat`` or ``group``."""
    ranges: Ranges = ()
    """Of ``chars``: the code points."""
    edge: str = ""
    """Of ``edge``: A and z (the text), ^ and $ (a line), b and B (a word)."""
    low: int = 0
    """Of ``repeat``: the least number; of ``group``: its number, from 1; of ``join`` and ``either``: their operands."""
    high: int = -1
    """Of ``repeat``: the greatest number; -1 for any."""
    lazy: bool = False
    """Of ``repeat``: whether few are better."""


def chars(found: Ranges) -> Operation:
    """Makes the operation that matches one character of a class."""
    return Operation("chars", ranges=found)


def joined(branches: list[list[list[Operation]]]) -> list[Operation]:
    """Returns the operations of alternatives, each of which is a list of pieces."""
    made: list[Operation] = []
    for pieces in branches:
        for piece in pieces:
            made += piece
        if len(pieces) != 1:
            made.append(Operation("join", low=len(pieces)) if pieces else Operation("empty"))
    if len(branches) > 1:
        made.append(Operation("either", low=len(branches)))
    return made


def size(made: list[Operation]) -> int:
    """Returns how many instructions a regex has in Go, about: repetitions are written out."""
    sizes: list[int] = []
    for each in made:
        if each.kind in ("join", "either"):
            sizes[-each.low :] = [sum(sizes[-each.low :]) + (each.low - 1) * (each.kind == "either")]
        elif each.kind == "repeat":
            sizes[-1] = 2 + sizes[-1] * max(each.low, each.high, 1)
        elif each.kind == "group":
            sizes[-1] += 2
        else:
            sizes.append(1)
    return sizes[-1]
