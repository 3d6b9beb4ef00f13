"""Reads the metrics that a trial reports, from its output as it comes or from a log file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.metrics.definition import MetricDefinition
from kftune.metrics.log_scanner import LineCutter, Scanner, finite_number, finite_numbers, scanners, steps_at

CHUNK = 1 << 16
"""Bytes of a log file that are read at once; malloc maps much larger blocks anew each time, which takes longer."""

_MOST_REFUSED = 100
_LONGEST_REFUSED = 40


class Observation(NamedTuple):
    """One finite value that a trial reported."""

    name: str
    text: str
    """The value as it was printed."""
    value: float
    step: int | None
    """The step on the same line, before the value; None when the line has none."""


class Refused:
    """Counts reports of tracked metrics whose value is no finite number, such as nan."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, text: bytes) -> None:
        """Count one; of many different texts, the late ones are counted together under ``…``."""
        shown = text.decode("utf-8", "replace")
        if len(shown) > _LONGEST_REFUSED:
            shown = shown[: _LONGEST_REFUSED - 1] + "…"
        known = (name, shown) in self.counts or len(self.counts) < _MOST_REFUSED
        self.counts[name, shown if known else "…"] += 1


class MetricParser:
    """Every report of the tracked metrics, in the order of the log.

    Reads metric lines just as a collector with METRIC_FORMAT does, and other lines by the metrics' definitions. A value
    that is no finite number is no observation; it is counted in `refused`.

    Args:
        names: The metrics to look for.
        definitions: How to find those that are not on metric lines.

    Raises:
        MetricError: A name that no metric line can carry.
    """

    __slots__ = ("_cutter", "_refused", "_scanners")

    def __init__(self, names: Sequence[str], definitions: Sequence[MetricDefinition] = ()) -> None:
        self._scanners = scanners(names, definitions)
        self._cutter = LineCutter()
        self._refused = Refused()

    @property
    def refused(self) -> Counter[tuple[str, str]]:
        """(metric, what was reported as its value) -> how often."""
        return self._refused.counts

    def feed(self, chunk: bytes) -> list[Observation]:
        """The observations in the lines that `chunk` completes."""
        block = self._cutter.feed(chunk)
        return self._read(block) if block else []

    def close(self) -> list[Observation]:
        """The observations in a last line without its end."""
        return self._read(self._cutter.close())

    def _read(self, block: bytes) -> list[Observation]:
        reports: list[tuple[int, str, bytes, float]] = []
        for scanner in self._scanners:
            found = self._finite(scanner, block)
            in_order = not reports or not found or reports[-1] < found[0]
            reports += found
            if not in_order:
                reports.sort()
        if not reports:
            return []
        offsets, names, texts, values = zip(*reports, strict=True)
        decoded = b" ".join(texts).decode().split(" ")
        return list(map(Observation._make, zip(names, decoded, values, steps_at(block, offsets), strict=True)))

    def _finite(self, scanner: Scanner, block: bytes) -> list[tuple[int, str, bytes, float]]:
        """The finite ones among a block's reports of one metric; the others are counted as refused."""
        name = scanner.name
        places = scanner.places(block)
        numbers = finite_numbers([text for _, text in places])
        if numbers is not None:
            return [(offset, name, text, number) for (offset, text), number in zip(places, numbers, strict=True)]
        found = []
        for offset, text in places:
            number = finite_number(text)
            if number is None:
                self._refused.add(name, text)
            else:
                found.append((offset, name, text, number))
        return found


def parse_file(
    path: str | Path, names: Sequence[str], definitions: Sequence[MetricDefinition] = ()
) -> Iterator[Observation]:
    """The observations in a log file, in order; memory does not grow with the file.

    Args:
        path: The log.
        names: The metrics to look for.
        definitions: How to find those that are not on metric lines.
    """
    parser = MetricParser(names, definitions)
    for chunk in chunks(path):
        yield from parser.feed(chunk)
    yield from parser.close()


def chunks(path: str | Path) -> Iterator[bytes]:
    """A file's bytes, piece by piece."""
    with Path(path).open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            yield chunk
