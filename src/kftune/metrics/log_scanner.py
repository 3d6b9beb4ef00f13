"""Finds reports of metrics in a log that comes in pieces: bytes in, raw values and their places out.

Three things make it fast. A regex of bytes that begins with the plain name lets `re` skip ahead to the next occurrence;
what must precede the name is checked only there. One regex per name runs over a whole block of lines. The values of a
block are converted to numbers together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kftune.metrics.definition import MetricDefinition, required_text
from kftune.metrics.line import NUMBER, SPACE, STEP, check_metric_name

LONGEST_LINE = 1 << 20
"""Bytes of an unfinished line to keep; a longer line is read in parts."""

_SPACE = SPACE.encode()
_NUMBER = re.compile(NUMBER.encode())
_NOT_FINITE = r"[+-]?\b(?i:nan|inf(?:inity)?)\b"
_STEP_NEEDLE = STEP.encode() + b"="
_STEP = re.compile(rb"%b(?<![^%b]%b)([0-9]{1,18})(?![^%b])" % (_STEP_NEEDLE, _SPACE, _STEP_NEEDLE, _SPACE))

# What Go's strings.TrimSpace removes from a name besides RE2's own whitespace, and the last bytes of these in UTF-8.
_TRIMMED = "\v\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_TRIMMED_ENDS = bytes(sorted({character.encode()[-1] for character in _TRIMMED}))


Place = tuple[int, bytes]
"""A report in a block: the offset of its name, and the text of its value."""


class Reports(NamedTuple):
    """The reports of one metric in a block."""

    texts: list[bytes]
    """The texts of the values, in order."""
    last: int
    """The offset of the last report; -1 when there is none."""
    offsets: list[int] | None = None
    """The offsets of all reports; None if only the last one is known."""

    @classmethod
    def of(cls, places: list[Place]) -> Reports:
        """Makes the record from all places."""
        offsets = [offset for offset, _ in places]
        return cls([text for _, text in places], offsets[-1] if places else -1, offsets)


class LineCutter:
    """Cuts the output of a pipe into blocks of whole lines."""

    __slots__ = ("_held", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> bytes:
        """Returns the lines that `chunk` completes, as one block; empty when it completes none."""
        cut = chunk.rfind(b"\n") + 1
        block = b""
        if cut:
            block = b"".join((*self._pieces, chunk[:cut])) if self._pieces else chunk[:cut]
            self._pieces.clear()
            self._held = 0
            chunk = chunk[cut:]
        if chunk:
            self._pieces.append(chunk)
            self._held += len(chunk)
            if self._held > LONGEST_LINE:
                block += self._part_of_long_line()
        return block

    def close(self) -> bytes:
        """Returns the rest: a last line that has no line break."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        return rest

    def _part_of_long_line(self) -> bytes:
        text = self.close()
        cut = _last_space(text, 0, len(text)) + 1
        # A token of this length is not a report. A "=" replaces it, because no name can directly follow a "=".
        rest = text[cut:] if cut else b"="
        self._pieces.append(rest)
        self._held = len(rest)
        return text[:cut]


class TokenScanner:
    """Finds ``name=value`` on metric lines: wherever METRIC_FORMAT matches, or a value is refused."""

    __slots__ = ("_glued", "_needle", "_token", "name")

    def __init__(self, name: str) -> None:
        check_metric_name(name)
        self.name = name
        self._needle = name.encode() + b"="
        needle = re.escape(self._needle)
        self._token = re.compile(rb"%b(?<![^%b]%b)([^%b]*)" % (needle, _SPACE, needle, _SPACE))
        # a Unicode space right before the name: Katib trims it
        self._glued = re.compile(rb"%b(?<=[%b]%b)([^%b]*)" % (needle, re.escape(_TRIMMED_ENDS), needle, _SPACE))

    def find_places(self, block: bytes) -> list[Place]:
        """Returns all reports with their places."""
        found = [(match.start(), match[1]) for match in self._token.finditer(block)]
        if self._has_glued(block):
            found += self._glued_places(block)
            found.sort()
        return found

    def find(self, block: bytes) -> Reports:
        """Returns all reports, with the place of the last one only."""
        if self._has_glued(block):
            return Reports.of(self.find_places(block))
        texts = self._token.findall(block)
        if not texts:
            return Reports(texts, -1)
        last = block.rfind(self._needle)
        while self._token.match(block, last) is None:
            last = block.rfind(self._needle, 0, last)
        return Reports(texts, last)

    def offset(self, block: bytes, found: Reports, index: int) -> int:
        """Returns where a report is; it must be the first one with its text.

        Args:
            block: The block.
            found: What `find` returned for it.
            index: Which report: its place in `found.texts`.
        """
        text = found.texts[index]
        offset = block.find(self._needle + text)
        while (match := self._token.match(block, offset)) is None or match[1] != text:
            offset = block.find(self._needle + text, offset + 1)
        return offset

    def near(self, block: bytes, found: Reports, wanted: Sequence[int]) -> Iterator[Place]:
        """Yields for each report that is wanted the first one from where it is about, but none twice.

        To match each report only to know where some of them are would take longer than to read the block.

        Args:
            block: The block.
            found: What `find` returned for it.
            wanted: Which reports: their places in `found.texts`, in ascending order.
        """
        first, rest = block.find(self._needle), len(found.texts) - 1
        begin = 0
        for index in wanted:
            begin = max(begin, first + (found.last - first) * index // rest)
            while (begin := block.find(self._needle, begin)) >= 0:
                match = self._token.match(block, begin)
                begin += 1
                if match is not None:
                    yield match.start(), match[1]
                    break
            else:
                return

    def _has_glued(self, block: bytes) -> bool:
        return not (block.isascii() and b"\v" not in block) and self._glued.search(block) is not None

    def _glued_places(self, block: bytes) -> Iterator[Place]:
        for match in self._glued.finditer(block):
            line = block.rfind(b"\n", 0, match.start()) + 1
            begin = max(line, 1 + _last_space(block, line, match.start()))
            if not block[begin : match.start()].decode("utf-8", "replace").strip(_TRIMMED):
                yield match.start(), match[1]


class DefinitionScanner:
    """Finds the matches of a metric definition's regex, line by line.

    Where it has none, but would have one if its group matched nan and infinity too, that is a report.
    """

    __slots__ = ("_diverged", "_needle", "_pattern", "name")

    def __init__(self, definition: MetricDefinition) -> None:
        self.name = definition.name
        self._pattern = definition.pattern
        self._diverged = definition.with_group(_NOT_FINITE)
        self._needle = required_text(definition).encode()

    def find_places(self, block: bytes) -> list[Place]:
        """Returns all reports with their places."""
        found = []
        for begin, line in self._lines(block):
            text = line.decode("utf-8", "surrogateescape")
            for match in [*self._pattern.matches(text)] or self._diverged.matches(text):
                offset = begin + len(text[: match.span()[0]].encode("utf-8", "surrogateescape"))
                value = match.group(1).strip(_TRIMMED + "\t\n\f\r ")
                found.append((offset, value.encode("utf-8", "surrogateescape")))
        return found

    def find(self, block: bytes) -> Reports:
        """Returns all reports, with the place of the last one only."""
        return Reports.of(self.find_places(block))

    def _lines(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields the lines that may match, with their offsets."""
        begin = 0
        size = len(block)
        while begin < size:
            hit = block.find(self._needle, begin)
            if hit < 0:
                return
            begin = block.rfind(b"\n", begin, hit) + 1 or begin
            end = block.find(b"\n", hit)
            end = size if end < 0 else end
            yield begin, block[begin:end]
            begin = end + 1


Scanner = TokenScanner | DefinitionScanner
"""Finds the reports of one metric in a block of whole lines."""


def has_steps(block: bytes) -> bool:
    """Whether a report in a block may have a step."""
    return _STEP_NEEDLE in block


def step_before(block: bytes, offset: int) -> int | None:
    """Returns the step of one report: the nearest ``step=`` before it on its line.

    Args:
        block: Whole lines.
        offset: Where the report begins.
    """
    line = block.rfind(b"\n", 0, offset) + 1
    end = offset + len(_STEP_NEEDLE)
    while (found := block.rfind(_STEP_NEEDLE, line, end)) >= 0:
        match = _STEP.match(block, found)
        if match is not None:
            return int(match[1])
        end = found
    return None


def scanners(names: Sequence[str], definitions: Sequence[MetricDefinition]) -> tuple[Scanner, ...]:
    """Returns one scanner for each metric.

    Args:
        names: The metrics to look for, on metric lines unless they have a definition.
        definitions: How to find the others.
    """
    defined = {definition.name: definition for definition in definitions}
    return tuple(
        DefinitionScanner(defined[name]) if name in defined else TokenScanner(name)
        for name in dict.fromkeys((*names, *defined))
    )


def finite_number(text: bytes) -> float | None:
    """Returns the number of a value's text; None unless it is complete and finite."""
    if _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def is_not_finite(text: bytes | str) -> bool:
    """Whether a value's text is nan or infinite; a text that is not a number is neither."""
    try:
        return not math.isfinite(float(text))
    except ValueError:
        return False


def finite_numbers(texts: list[bytes]) -> list[float] | None:
    """Returns the numbers of all texts; None when `finite_number` may refuse one of them."""
    try:
        numbers = list(map(float, texts))
    except ValueError:
        return None
    # float() also accepts digit separators and whitespace; a token can contain only this kind of whitespace.
    joined = b"".join(texts)
    if b"_" in joined or b"\v" in joined or not math.isfinite(sum(numbers)):
        return None
    return numbers


def _last_space(block: bytes, begin: int, end: int) -> int:
    """Returns the offset of the last whitespace within a line; -1 when there is none."""
    return max(block.rfind(space, begin, end) for space in (b" ", b"\t", b"\r", b"\f"))
