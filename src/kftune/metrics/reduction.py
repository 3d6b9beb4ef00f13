"""Reduces what a trial reported to the smallest, greatest and latest value of each metric, and to curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from time import monotonic

from kftune.metrics.curves import Curve, CurveKeeper
from kftune.metrics.definition import MetricDefinition
from kftune.metrics.log_block import LogBlock
from kftune.metrics.log_scanner import (
    LineCutter,
    Place,
    Reports,
    Scanner,
    finite_number,
    finite_numbers,
    has_steps,
    is_not_finite,
    scanners,
    step_before,
)
from kftune.metrics.values import MetricValues

_CHUNK = 1 << 16
"""Bytes of a log file to read at a time; malloc maps larger blocks again for each read, which takes longer."""
_MOST_REFUSED = 100
_LONGEST_REFUSED = 40


NewReport = tuple[str, float, int | None]
"""A metric, a finite value of it, and its step."""


class Refused:
    """Counts reports of tracked metrics with values that are not finite numbers, such as nan."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def finite(self, name: str, places: list[Place]) -> tuple[list[Place], list[float]]:
        """Returns the reports with finite values, and these; counts the others.

        Args:
            name: The metric.
            places: All its reports in one block.
        """
        found, numbers = [], []
        for place in places:
            number = finite_number(place[1])
            if number is None:
                self._add(name, place[1])
            else:
                found.append(place)
                numbers.append(number)
        return found, numbers

    def _add(self, name: str, text: bytes) -> None:
        # After many different texts, further ones are counted together.
        shown = text.decode("utf-8", "replace")
        if len(shown) > _LONGEST_REFUSED:
            shown = shown[: _LONGEST_REFUSED - 1] + "…"
        known = (name, shown) in self.counts or len(self.counts) < _MOST_REFUSED
        self.counts[name, shown if known else "…"] += 1


class Reducer:
    """Keeps the minimum, maximum and latest value of each metric of one trial, and its curve if that is asked for.

    Reads metric lines exactly as a collector with METRIC_FORMAT does, and other lines by the metrics' definitions. A
    value that is not a finite number is counted, in `refused`; nan and infinity are also kept if they are the latest.

    Args:
        names: The metrics to look for.
        definitions: How to find metrics that are not printed on metric lines.
        most: How many reports of each metric to keep for its curve; 0 for none.
        every: Whether to collect each finite report for `take_new`.

    Raises:
        MetricError: A metric line cannot carry one of the names.

    Source: Katib's getMetrics (pkg/controller.v1beta1/trial): it keeps texts as printed and the first of equal values;
        without timestamps the last row is the latest.
    """

    __slots__ = (
        "_began",
        "_curves",
        "_cutter",
        "_every",
        "_most",
        "_new",
        "_reduced",
        "_refused",
        "_scanners",
        "_stepped",
    )

    def __init__(
        self,
        names: Sequence[str],
        definitions: Sequence[MetricDefinition] = (),
        *,
        most: int = 0,
        every: bool = False,
    ) -> None:
        self._scanners = scanners(names, definitions)
        self._cutter = LineCutter()
        self._refused = Refused()
        self._reduced: dict[str, MetricValues] = {}
        self._most = most
        self._curves: dict[str, CurveKeeper] = {}
        self._every = every
        self._new: list[tuple[int, NewReport]] = []
        self._stepped: bool | None = None
        self._began = monotonic()

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

    @property
    def curves(self) -> dict[str, Curve]:
        """The curve of every metric that was reported; times count from when this reducer was made."""
        return {name: keeper.curve() for name, keeper in self._curves.items()}

    def restore(self, results: Mapping[str, MetricValues], curves: Mapping[str, Curve], seconds: float) -> None:
        """Takes what an earlier part of the trial has reported, before anything else.

        Args:
            results: The values of its metrics.
            curves: Their curves.
            seconds: How long it ran.
        """
        self._reduced.update(results)
        self._began -= seconds
        for name, curve in curves.items() if self._most else ():
            self._curves[name] = CurveKeeper(self._most)
            self._curves[name].restore(curve)

    def take_new(self) -> list[NewReport]:
        """Returns each finite report since the last call, in their order."""
        found, self._new = self._new, []
        return [report for _, report in found]

    def feed(self, chunk: bytes) -> tuple[str, ...]:
        """Reads the lines that `chunk` completes and returns the metrics reported in them."""
        block = self._cutter.feed(chunk)
        return self._read(block) if block else ()

    def close(self) -> tuple[str, ...]:
        """Reads a last line that has no line break and returns the metrics reported in it."""
        return self._read(self._cutter.close())

    def _read(self, block: bytes) -> tuple[str, ...]:
        before = len(self._new)
        self._stepped = None
        names = tuple([scanner.name for scanner in self._scanners if self._take(scanner, block)])
        if len(names) > 1 and self._every:
            self._new[before:] = sorted(self._new[before:], key=itemgetter(0))
        return names

    def _take(self, scanner: Scanner, block: bytes) -> bool:
        found = scanner.find(block)
        if not found.texts:
            return False
        numbers = finite_numbers(found.texts)
        if numbers is None:
            return self._take_finite(scanner, block)
        self._add(scanner, block, found, numbers)
        return True

    def _take_finite(self, scanner: Scanner, block: bytes) -> bool:
        """Takes a block's reports with finite values, counts the others as refused, and keeps a last nan."""
        places = scanner.find_places(block)
        kept, numbers = self._refused.finite(scanner.name, places)
        if kept:
            self._add(scanner, block, Reports.of(kept), numbers)
        diverged = [place for place in places if is_not_finite(place[1])]
        known = self._reduced.get(scanner.name)
        if known and diverged and (not kept or diverged[-1][0] > kept[-1][0]):
            offset, text = diverged[-1]
            self._reduced[scanner.name] = known._replace(latest=text.decode(), step=step_before(block, offset))
        return bool(kept)

    def _add(self, scanner: Scanner, block: bytes, found: Reports, numbers: list[float]) -> None:
        name, texts = scanner.name, found.texts
        step = step_before(block, found.last)
        stepped = bool(self._most) and len(numbers) > 1 and (step is not None or self._has_steps(block))
        reports = LogBlock(scanner, block, found, numbers, last_step=step, stepped=stepped)
        low, high = reports.low, reports.high
        least, greatest = texts[numbers.index(low)], texts[numbers.index(high)]
        news = MetricValues(least.decode(), greatest.decode(), texts[-1].decode(), len(texts), step)
        self._merge(name, news, low, high)
        if self._most:
            keeper = self._curves.get(name)
            if keeper is None:
                keeper = self._curves[name] = CurveKeeper(self._most)
            keeper.add(reports, monotonic() - self._began)
        if self._every:
            self._new += [
                (offset, (name, number, step_before(block, offset)))
                for offset, number in zip(reports.offsets, numbers, strict=True)
            ]

    def _has_steps(self, block: bytes) -> bool:
        """Whether reports of a block may have steps; asked for each metric, but searched once."""
        if self._stepped is None:
            self._stepped = has_steps(block)
        return self._stepped

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
