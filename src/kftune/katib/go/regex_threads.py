"""Runs a regex in time that is linear in the text: all alternatives go through it together, one character at a time.

It finds what Go's `regexp` finds, and needs no package. RE2 is about a hundred times as fast.

Source: Go, regexp/syntax/compile.go (the program) and regexp/exec.go (its threads).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kftune.errors import MetricError
from kftune.katib.go.regex_classes import PERL
from kftune.katib.go.regex_operations import Operation

_MOST_INSTRUCTIONS = 50_000
_STEPS = 1000
"""Characters between two looks at the clock."""
_WORDS = frozenset(chr(code) for low, high in PERL["w"] for code in range(low, high + 1))

Spans = tuple[int, ...]
"""Begin and end of the match and of each group; -1 for a group that is not set."""


class _Part(NamedTuple):
    """A piece of a program: what it jumps to is relative."""

    code: list[tuple[str, object, object]]
    empty: bool
    """Whether it may match an empty text."""


class Threads:
    """A regex as a program.

    Args:
        made: Its operations.
        groups: The number of its groups.

    Raises:
        MetricError: Its repetitions, written out, are too many instructions.
    """

    def __init__(self, made: Sequence[Operation], groups: int) -> None:
        code = _program(made)
        self._kinds = [kind for kind, _, _ in code] + ["match"]
        self._one = [one for _, one, _ in code] + [None]
        self._two = [two for _, _, two in code] + [None]
        self._slots = 2 * groups + 2
        self._ways: dict[tuple[int, frozenset[str]], list[tuple[int, tuple[int, ...]]]] = {}
        self._taken: list[dict[str, bool]] = [{} for _ in self._kinds]

    def search(self, text: str, start: int, alive: Callable[[], None]) -> Spans | None:
        """Returns the leftmost match from `start` on; None if there is none.

        Args:
            text: The text.
            start: Where to begin.
            alive: Is called now and then; what it raises ends the search.
        """
        threads: list[tuple[int, Spans]] = []
        best: Spans | None = None
        fresh = (-1,) * (self._slots - 1)
        match = len(self._kinds) - 1
        for at in range(start, len(text) + 1):
            if at % _STEPS == 0:
                alive()
            if best is None:
                threads.append((-1, (at, *fresh)))
            char = text[at : at + 1]
            ahead: list[tuple[int, Spans]] = []
            for place, spans in self._followed(threads, text, at):
                if place == match:
                    best = (spans[0], at, *spans[2:])
                    break
                if char and self._takes(place, char):
                    ahead.append((place, spans))
            threads = ahead
            if best is not None and not threads:
                break
        return best

    def _followed(self, threads: list[tuple[int, Spans]], text: str, at: int) -> list[tuple[int, Spans]]:
        """Returns the threads at their next places that take a character, in the order of their priority."""
        edges = _edges(text, at)
        found: list[tuple[int, Spans]] = []
        seen: set[int] = set()
        for place, spans in threads:
            for following, saved in self._closure(place + 1, edges):
                if following not in seen:
                    seen.add(following)
                    found.append((following, _with(spans, saved, at)))
        return found

    def _takes(self, place: int, char: str) -> bool:
        known = self._taken[place]
        found = known.get(char)
        if found is None:
            edges = self._one[place]
            assert isinstance(edges, tuple)  # noqa: S101 - what `_program` writes for `chars`
            found = known[char] = bisect_right(edges, ord(char)) % 2 == 1
        return found

    def _closure(self, start: int, edges: frozenset[str]) -> list[tuple[int, tuple[int, ...]]]:
        """Returns the places that take a character, from a place on, with what is saved on the way to each."""
        key = (start, edges)
        found = self._ways.get(key)
        if found is None:
            found = self._ways[key] = list(self._walk(start, edges))
        return found

    def _walk(self, start: int, edges: frozenset[str]) -> Iterator[tuple[int, tuple[int, ...]]]:
        waiting: list[tuple[int, tuple[int, ...]]] = [(start, ())]
        seen: set[int] = set()
        while waiting:
            place, saved = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            kind, one, two = self._kinds[place], self._one[place], self._two[place]
            if kind in ("chars", "match"):
                yield place, saved
            elif kind == "save":
                assert isinstance(one, int)  # noqa: S101 - as `_program` writes it
                waiting.append((place + 1, (*saved, one)))
            elif kind == "edge":
                if one in edges:
                    waiting.append((place + 1, saved))
            else:
                for step in (two, one):
                    if isinstance(step, int):
                        waiting.append((place + step, saved))


def _with(spans: Spans, saved: tuple[int, ...], at: int) -> Spans:
    if not saved:
        return spans
    changed = [*spans]
    for slot in saved:
        changed[slot] = at
    return tuple(changed)


_CASES: dict[tuple[bool, bool, bool, bool, bool, bool], frozenset[str]] = {}


def _edges(text: str, at: int) -> frozenset[str]:
    """Returns the edges at a place of a text."""
    before, behind = text[at - 1 : at] if at else "", text[at : at + 1]
    word = (before in _WORDS) != (behind in _WORDS)
    key = (not at, not behind, not at or before == "\n", not behind or behind == "\n", word, not word)
    found = _CASES.get(key)
    if found is None:
        found = _CASES[key] = frozenset(edge for edge, holds in zip("Az^$bB", key, strict=True) if holds)
    return found


def _program(made: Sequence[Operation]) -> list[tuple[str, object, object]]:
    parts: list[_Part] = []
    for each in made:
        if each.kind == "chars":
            edges = tuple(edge for low, high in each.ranges for edge in (low, high + 1))
            parts.append(_Part([("chars", edges, None)], empty=False))
        elif each.kind == "edge":
            parts.append(_Part([("edge", each.edge, None)], empty=True))
        elif each.kind == "empty":
            parts.append(_Part([], empty=True))
        elif each.kind == "group":
            inner = parts.pop()
            code = [("save", 2 * each.low, None), *inner.code, ("save", 2 * each.low + 1, None)]
            parts.append(_Part(code, inner.empty))
        elif each.kind == "repeat":
            parts.append(_repeated(parts.pop(), each))
        else:
            parts[-each.low :] = [(_join if each.kind == "join" else _either)(parts[-each.low :])]
    return parts[-1].code


def _join(parts: Sequence[_Part]) -> _Part:
    return _Part([step for part in parts for step in part.code], all(part.empty for part in parts))


def _either(parts: Sequence[_Part]) -> _Part:
    rest = sum(len(part.code) + 2 for part in parts[:-1]) + len(parts[-1].code)
    code: list[tuple[str, object, object]] = []
    for part in parts[:-1]:
        rest -= len(part.code) + 2
        code += [("jump", 1, len(part.code) + 2), *part.code, ("jump", rest + 1, None)]
    return _Part([*code, *parts[-1].code], any(part.empty for part in parts))


def _repeated(part: _Part, how: Operation) -> _Part:
    low, high, lazy = how.low, how.high, how.lazy
    if len(part.code) * max(low, high, 1) > _MOST_INSTRUCTIONS:
        raise MetricError(
            f"a regex has at most {_MOST_INSTRUCTIONS} parts when its repetitions are written out; given one that "
            "repeats more; write * or +, or install google-re2"
        )
    if high < 0:
        if low == 0:
            return _optional(_plus(part, lazy), lazy) if part.empty else _star(part, lazy)
        return _join([*[part] * (low - 1), _plus(part, lazy)])
    # x{2,5} is xx(x(x(x)?)?)?
    optional = _Part([], empty=True)
    for _ in range(high - low):
        optional = _optional(_join([part, optional]), lazy)
    return _join([*[part] * low, optional])


def _fork(lazy: bool, inside: int, outside: int) -> tuple[str, object, object]:
    return ("jump", outside, inside) if lazy else ("jump", inside, outside)


def _optional(part: _Part, lazy: bool) -> _Part:
    return _Part([_fork(lazy, 1, len(part.code) + 1), *part.code], empty=True)


def _plus(part: _Part, lazy: bool) -> _Part:
    return _Part([*part.code, _fork(lazy, -len(part.code), 1)], part.empty)


def _star(part: _Part, lazy: bool) -> _Part:
    size = len(part.code)
    return _Part([_fork(lazy, 1, size + 2), *part.code, ("jump", -size - 1, None)], empty=True)
