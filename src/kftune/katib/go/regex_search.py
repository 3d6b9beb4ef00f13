"""Finds what Go's regexps find, in time that is linear in the text: with RE2 where it is installed, else by itself.

A regex of a file is never given to Python's `re`, whose time can double with each character.

Source: Go, regexp/regexp.go (allMatches); RE2, whose results Go's have by design.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from time import monotonic
from typing import Any, NamedTuple, Protocol

from kftune.errors import MetricError
from kftune.katib.go.regex import operations
from kftune.katib.go.regex_classes import text_of
from kftune.katib.go.regex_operations import Operation
from kftune.katib.go.regex_threads import Spans, Threads

MOST_SECONDS = 10.0
"""How long all matches in one text may take: each one takes linear time, but there may be as many as characters."""

_MOST_BYTES = 64 << 20
"""Of a compiled regex in RE2."""
_NOT_UTF8 = re.compile("[\ud800-\udfff]")
_TIMES = {(0, -1): "*", (1, -1): "+", (0, 1): "?"}
_EDGES = {"A": r"\A", "z": r"\z", "^": "(?m:^)", "$": "(?m:$)", "b": r"\b", "B": r"\B"}


class Match(NamedTuple):
    """A match of a regex."""

    text: str
    """The text in which it is."""
    spans: Spans

    @property
    def groups(self) -> int:
        """The number of groups of the regex."""
        return len(self.spans) // 2 - 1

    def group(self, number: int) -> str:
        """Returns the text of a group, 0 for the whole match; an unset group is empty."""
        start, end = self.span(number)
        return "" if start < 0 else self.text[start:end]

    def span(self, number: int = 0) -> tuple[int, int]:
        """Returns where a group begins and ends; -1 and -1 for an unset one."""
        return self.spans[2 * number], self.spans[2 * number + 1]


class _Engine(Protocol):
    def found(self, text: str, alive: Callable[[], None]) -> Iterator[Spans]:
        """Yields the matches in a text from left to right, with the empty ones that Go leaves out."""


class GoRegex:
    """A regex that finds what Go's `regexp` finds.

    Args:
        regex: The regex.

    Raises:
        GoRegexError: Go does not compile it.
        MetricError: Go compiles it, but it is too large to run here.
    """

    def __init__(self, regex: str) -> None:
        made = operations(regex)
        self._regex = regex
        self._groups = max((each.low for each in made if each.kind == "group"), default=0)
        self._made = made
        self._fast = _by_re2(made)
        # RE2 also looks between the bytes of a character, where no word has an edge.
        self._ascii_only = any(each.edge == "B" for each in made)
        self._own = None if self._fast else _OwnEngine(made, self._groups)

    def matches(self, text: str) -> Iterator[Match]:
        """Yields all matches in a text, which is decoded as UTF-8 with `surrogateescape` to keep other bytes.

        Raises:
            MetricError: They take longer than `MOST_SECONDS`.
        """
        # Go reads each byte that is not UTF-8 as the replacement character.
        plain = text if text.isascii() else _NOT_UTF8.sub("\ufffd", text)
        last_end = -1
        for spans in self._engine(plain).found(plain, self._clock(len(text))):
            start, end = spans[:2]
            if start < end or start != last_end:
                yield Match(text, spans)
            last_end = end

    def find_all(self, text: str) -> Iterator[tuple[str, ...]]:
        """`FindAllStringSubmatch`: the groups of each match, the whole match first; an unset group is empty."""
        for found in self.matches(text):
            yield tuple([found.group(number) for number in range(self._groups + 1)])

    def search(self, text: str) -> Match | None:
        """Returns the first match in a text; None if there is none."""
        return next(self.matches(text), None)

    def _engine(self, text: str) -> _Engine:
        if self._fast is not None and (text.isascii() or not self._ascii_only):
            return self._fast
        if self._own is None:
            self._own = _OwnEngine(self._made, self._groups)
        return self._own

    def _clock(self, size: int) -> Callable[[], None]:
        end = monotonic() + MOST_SECONDS

        def alive() -> None:
            if monotonic() > end:
                raise MetricError(
                    f"a regex must find its matches in a line within {MOST_SECONDS:.0f} s; given {self._regex[:80]!r} "
                    f"and a line of {size} characters; print shorter lines, or write fewer repetitions into the regex"
                    + ("; it is faster with `pip install google-re2`" if self._fast is None else "")
                )

        return alive


@lru_cache(maxsize=512)
def compiled(regex: str) -> GoRegex:
    """Returns the regex, compiled once."""
    return GoRegex(regex)


class _Re2Engine:
    def __init__(self, pattern: Any, bytes_pattern: Any) -> None:
        self._pattern = pattern
        self._bytes_pattern = bytes_pattern
        self._numbers = range(pattern.groups + 1)

    def found(self, text: str, alive: Callable[[], None]) -> Iterator[Spans]:
        matches = self._bytes_pattern.finditer(text.encode()) if text.isascii() else self._pattern.finditer(text)
        for match in matches:
            alive()
            yield tuple([place for number in self._numbers for place in match.span(number)])


class _OwnEngine:
    def __init__(self, made: Sequence[Operation], groups: int) -> None:
        self._threads = Threads(made, groups)

    def found(self, text: str, alive: Callable[[], None]) -> Iterator[Spans]:
        start = 0
        while start <= len(text):
            spans = self._threads.search(text, start, alive)
            if spans is None:
                return
            alive()
            yield spans
            start = start + 1 if spans[1] == start else spans[1]


@cache
def _re2() -> Any:
    """Returns the package google-re2; None if it is not installed."""
    try:
        import re2  # noqa: PLC0415 - optional, and most studies have no regex
    except ImportError:
        return None
    return re2


def _by_re2(made: Sequence[Operation]) -> _Re2Engine | None:
    """Compiles a regex with RE2; None if it is not installed, or does not take this regex."""
    re2 = _re2()
    if re2 is None or _repeats_empty(made):
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_BYTES
    text = _written(made)
    try:
        return _Re2Engine(re2.compile(text, options), re2.compile(text.encode(), options))
    except re2.error:
        return None


def _repeats_empty(made: Sequence[Operation]) -> bool:
    """Whether a regex repeats a part that may match an empty text: there RE2 and Go set other groups."""
    empty: list[bool] = []
    for each in made:
        if each.kind == "join":
            empty[-each.low :] = [all(empty[-each.low :])]
        elif each.kind == "either":
            empty[-each.low :] = [any(empty[-each.low :])]
        elif each.kind == "repeat":
            if empty[-1] and (each.low, each.high) != (0, 1):
                return True
            empty[-1] = empty[-1] or each.low == 0
        elif each.kind != "group":
            empty.append(each.kind != "chars")
    return False


def _written(made: Sequence[Operation]) -> str:
    """Returns a regex for RE2."""
    parts: list[str] = []
    for each in made:
        if each.kind == "chars":
            parts.append(text_of(each.ranges))
        elif each.kind == "edge":
            parts.append(_EDGES[each.edge])
        elif each.kind == "empty":
            parts.append("(?:)")
        elif each.kind == "group":
            parts[-1] = f"({parts[-1]})"
        elif each.kind == "repeat":
            high = "" if each.high < 0 else each.high
            times = _TIMES.get((each.low, each.high), f"{{{each.low},{high}}}")
            parts[-1] = f"(?:{parts[-1]}){times}{'?' if each.lazy else ''}"
        elif each.kind == "join":
            parts[-each.low :] = ["".join(parts[-each.low :])]
        else:
            parts[-each.low :] = [f"(?:{'|'.join(parts[-each.low :])})"]
    return parts[-1]
