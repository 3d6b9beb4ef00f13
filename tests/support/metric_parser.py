"""Every report in a log, in order: what the tests compare the reducer with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.metrics.definition import MetricDefinition
from kftune.metrics.log_scanner import _STEP, _STEP_NEEDLE, LineCutter, scanners
from kftune.metrics.reduction import Refused
from kftune.metrics.values import MetricValues


class Observation(NamedTuple):
    """One finite value that a trial reported."""

    name: str
    text: str
    """The value as it was printed."""
    value: float
    step: int | None
    """The step given before the value on the same line; None when there is none."""


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
        reports: list[tuple[int, str, bytes, float]] = []
        for scanner in self._scanners:
            kept, numbers = self._refused.finite(scanner.name, scanner.find_places(block))
            found = [(offset, scanner.name, text, number) for (offset, text), number in zip(kept, numbers, strict=True)]
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
    """Yields the observations in a log file, in order.

    Args:
        path: The log.
        names: The metrics to look for.
        definitions: How to find metrics that are not printed on metric lines.
    """
    parser = MetricParser(names, definitions)
    yield from parser.feed(Path(path).read_bytes())
    yield from parser.close()


def steps_at(block: bytes, offsets: Sequence[int]) -> list[int | None]:
    """Returns the step of each report in a block: the nearest ``step=`` before it on its line.

    Args:
        block: Whole lines.
        offsets: Where the reports begin, in ascending order.
    """
    if _STEP_NEEDLE not in block:
        return [None] * len(offsets)
    marks = iter([*((match.start(), int(match[1])) for match in _STEP.finditer(block)), (len(block), 0)])
    steps: list[int | None] = []
    seen, step = 0, None
    mark, number = next(marks)
    for offset in offsets:
        while mark < offset:
            seen, step = mark, number
            mark, number = next(marks)
        if block.find(b"\n", seen, offset) >= 0:
            step = None
        seen = offset
        steps.append(step)
    return steps


def reduced(found: Sequence[Observation]) -> dict[str, MetricValues]:
    """Returns the values of each metric."""
    by_name: dict[str, list[Observation]] = {}
    for observation in found:
        by_name.setdefault(observation.name, []).append(observation)
    return {name: _values(all_of_one) for name, all_of_one in by_name.items()}


def _values(found: Sequence[Observation]) -> MetricValues:
    low, high = (choose(found, key=lambda observation: observation.value).text for choose in (min, max))
    return MetricValues(low, high, found[-1].text, len(found), found[-1].step)
