"""Reduces what a trial reported to the smallest, greatest and latest value of each metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kftune.metrics.definition import MetricDefinition
from kftune.metrics.log_scanner import (
    LineCutter,
    Place,
    Reports,
    Scanner,
    finite_number,
    finite_numbers,
    is_not_finite,
    scanners,
    step_before,
)
from kftune.metrics.values import MetricValues

_CHUNK = 1 << 16
"""Bytes of a log file to read at a time; malloc maps larger blocks again for each read, which takes longer."""
_MOST_REFUSED = 100
_LONGEST_REFUSED = 40


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
        found = []
        for offset, text in places:
            number = finite_number(text)
            if number is None:
                self._add(name, text)
            else:
                found.append((offset, name, text, number))
        return found

    def _add(self, name: str, text: bytes) -> None:
        # After many different texts, further ones are counted together.
        shown = text.decode("utf-8", "replace")
        if len(shown) > _LONGEST_REFUSED:
            shown = shown[: _LONGEST_REFUSED - 1] + "…"
        known = (name, shown) in self.counts or len(self.counts) < _MOST_REFUSED
        self.counts[name, shown if known else "…"] += 1


class Reducer:
    """Keeps only the minimum, maximum and latest value of each metric of one trial.

    Reads metric lines exactly as a collector with METRIC_FORMAT does, and other lines by the metrics' definitions. A
    value that is not a finite number is counted, in `refused`; nan and infinity are also kept if they are the latest.

    Args:
        names: The metrics to look for.
        definitions: How to find metrics that are not printed on metric lines.
        keep_new: Whether to collect each finite report, in `new`.

    Attributes:
        new: The metric, value and step of each finite report since `new` was emptied last; None if not collected.

    Raises:
        MetricError: A metric line cannot carry one of the names.

    Source: Katib's getMetrics (pkg/controller.v1beta1/trial): it keeps texts as printed and the first of equal values;
        without timestamps the last row is the latest.
    """

    __slots__ = ("_cutter", "_reduced", "_refused", "_scanners", "new")

    def __init__(
        self, names: Sequence[str], definitions: Sequence[MetricDefinition] = (), *, keep_new: bool = False
    ) -> None:
        self._scanners = scanners(names, definitions)
        self._cutter = LineCutter()
        self._refused = Refused()
        self._reduced: dict[str, MetricValues] = {}
        self.new: list[tuple[str, float, int | None]] | None = [] if keep_new else None

    @property
    def refused(self) -> Counter[tuple[str, str]]:
        """(metric, text that is not a finite number) -> how often it was reported."""
        return self._refused.counts

    @property
    def results(self) -> dict[str, MetricValues]:
        """Every metric that was reported."""
        return dict(self._reduced)

    def result(self, name: str) -> MetricValues | None:
        """Returns the values of one metric; None when it was never reported."""
        return self._reduced.get(name)

    def feed(self, chunk: bytes) -> tuple[str, ...]:
        """Reads the lines that `chunk` completes and returns the metrics reported in them."""
        block = self._cutter.feed(chunk)
        return self._read(block) if block else ()

    def close(self) -> tuple[str, ...]:
        """Reads a last line that has no line break and returns the metrics reported in it."""
        return self._read(self._cutter.close())

    def _read(self, block: bytes) -> tuple[str, ...]:
        return tuple([scanner.name for scanner in self._scanners if self._take(scanner, block)])

    def _take(self, scanner: Scanner, block: bytes) -> bool:
        found = scanner.find(block)
        if not found.texts:
            return False
        numbers = finite_numbers(found.texts)
        if numbers is None:
            return self._take_finite(scanner, block)
        self._add(scanner.name, block, found, numbers)
        if self.new is not None:
            self._collect(block, self._refused.finite(scanner.name, scanner.find_places(block)))
        return True

    def _take_finite(self, scanner: Scanner, block: bytes) -> bool:
        """Takes a block's reports with finite values, counts the others as refused, and keeps a last nan."""
        places = scanner.find_places(block)
        kept = self._refused.finite(scanner.name, places)
        if kept:
            found = Reports.of([(offset, text) for offset, _, text, _ in kept])
            self._add(scanner.name, block, found, [number for *_, number in kept])
            self._collect(block, kept)
        diverged = [place for place in places if is_not_finite(place[1])]
        known = self._reduced.get(scanner.name)
        if known and diverged and (not kept or diverged[-1][0] > kept[-1][0]):
            offset, text = diverged[-1]
            self._reduced[scanner.name] = known._replace(latest=text.decode(), step=step_before(block, offset))
        return bool(kept)

    def _add(self, name: str, block: bytes, found: Reports, numbers: list[float]) -> None:
        texts = found.texts
        low, high = min(numbers), max(numbers)
        step = step_before(block, found.last)
        least, greatest = texts[numbers.index(low)], texts[numbers.index(high)]
        news = MetricValues(least.decode(), greatest.decode(), texts[-1].decode(), len(texts), step)
        self._merge(name, news, low, high)

    def _collect(self, block: bytes, reports: list[FiniteReport]) -> None:
        if self.new is not None:
            self.new += [(name, number, step_before(block, offset)) for offset, name, _, number in reports]

    def _merge(self, name: str, news: MetricValues, low: float, high: float) -> None:
        known = self._reduced.get(name)
        if known is not None:
            news = MetricValues(
                news.min if low < float(known.min) else known.min,
                news.max if high > float(known.max) else known.max,
                news.latest,
                known.count + news.count,
                news.step,
            )
        self._reduced[name] = news


def reduce_file(path: str | Path, names: Sequence[str], definitions: Sequence[MetricDefinition] = ()) -> Reducer:
    """Reads a log file and returns the reducer that has read it; memory does not grow with the file.

    Args:
        path: The log.
        names: The metrics to look for.
        definitions: How to find metrics that are not printed on metric lines.
    """
    reducer = Reducer(names, definitions)
    with Path(path).open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            reducer.feed(chunk)
    reducer.close()
    return reducer
