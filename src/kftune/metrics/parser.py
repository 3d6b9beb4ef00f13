"""Reads the metrics that a trial reports, from its output while it runs or from a log file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.metrics.definition import MetricDefinition
from kftune.metrics.log_scanner import LineCutter, Place, finite_number, finite_numbers, scanners, steps_at

_CHUNK = 1 << 16
"""Bytes of a log file to read at a time; malloc maps larger blocks again for each read, which takes longer."""
_MOST_REFUSED = 100
_LONGEST_REFUSED = 40


class Observation(NamedTuple):
    """One finite value that a trial reported."""

    name: str
    text: str
    """The value as it was printed."""
    value: float
    step: int | None
    """The step given before the value on the same line; None when there is none."""


FiniteReport = tuple[int, str, bytes, float]
"""Where a report begins in its block, the metric, the printed value, and its number."""


class Refused:
    """Counts reports of tracked metrics with values that are not finite numbers, such as nan."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def finite(self, name: str, places: list[Place]) -> list[FiniteReport]:
        """Returns the reports with finite values, and counts the others.

        Args:
            name: The metric.
            places: All its reports in one block.
        """
        numbers = finite_numbers([text for _, text in places])
        if numbers is not None:
            return [(offset, name, text, number) for (offset, text), number in zip(places, numbers, strict=True)]
        found = []
        for offset, text in places:
            number = finite_number(text)
            if number is None:
                self._add(name, text)
            else:
                found.append((offset, name, text, number))
        return found

    def _add(self, name: str, text: bytes) -> None:
        """Counts one. After many different texts, further ones are counted together under ``…``."""
        shown = text.decode("utf-8", "replace")
        if len(shown) > _LONGEST_REFUSED:
            shown = shown[: _LONGEST_REFUSED - 1] + "…"
        known = (name, shown) in self.counts or len(self.counts) < _MOST_REFUSED
        self.counts[name, shown if known else "…"] += 1


class MetricParser:
    """Finds every report of the tracked metrics, in the order of the log.

    Reads metric lines exactly as a collector with METRIC_FORMAT does, and other lines by the metrics' definitions. A
    value that is not a finite number is counted in `refused` and gives no observation.

    Args:
        names: The metrics to look for.
        definitions: How to find metrics that are not printed on metric lines.

    Raises:
        MetricError: A metric line cannot carry one of the names.
    """

    __slots__ = ("_cutter", "_refused", "_scanners")

    def __init__(self, names: Sequence[str], definitions: Sequence[MetricDefinition] = ()) -> None:
        self._scanners = scanners(names, definitions)
        self._cutter = LineCutter()
        self._refused = Refused()

    @property
    def refused(self) -> Counter[tuple[str, str]]:
        """(metric, text that is not a finite number) -> how often it was reported."""
        return self._refused.counts

    def feed(self, chunk: bytes) -> list[Observation]:
        """Returns the observations in the lines that `chunk` completes."""
        block = self._cutter.feed(chunk)
        return self._read(block) if block else []

    def close(self) -> list[Observation]:
        """Returns the observations in a last line that has no line break."""
        return self._read(self._cutter.close())

    def _read(self, block: bytes) -> list[Observation]:
        reports: list[FiniteReport] = []
        for scanner in self._scanners:
            found = self._refused.finite(scanner.name, scanner.find_places(block))
            in_order = not reports or not found or reports[-1] < found[0]
            reports += found
            if not in_order:
                reports.sort()
        if not reports:
            return []
        offsets, names, texts, values = zip(*reports, strict=True)
        decoded = b" ".join(texts).decode().split(" ")
        return list(map(Observation._make, zip(names, decoded, values, steps_at(block, offsets), strict=True)))


def parse_file(
    path: str | Path, names: Sequence[str], definitions: Sequence[MetricDefinition] = ()
) -> Iterator[Observation]:
    """Yields the observations in a log file, in order; memory does not grow with the file.

    Args:
        path: The log.
        names: The metrics to look for.
        definitions: How to find metrics that are not printed on metric lines.
    """
    parser = MetricParser(names, definitions)
    for chunk in chunks(path):
        yield from parser.feed(chunk)
    yield from parser.close()


def chunks(path: str | Path) -> Iterator[bytes]:
    """Yields a file's bytes, piece by piece."""
    with Path(path).open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk
