"""Reduces what a trial reported to the least, the greatest and the latest value of each metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from kftune.metrics.definition import MetricDefinition
from kftune.metrics.log_scanner import (
    Finds,
    LineCutter,
    Scanner,
    finite_number,
    finite_numbers,
    scanners,
    step_before,
)
from kftune.metrics.parser import Observation, Refused, chunks

Reduce = Literal["min", "max", "latest"]


class Reduced(NamedTuple):
    """One metric of one trial."""

    min: str
    max: str
    latest: str
    """The values as they were printed; of equal ones the first."""
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody asks a Reduced for
    """How many observations there were."""
    step: int | None
    """The step of the latest; None when it had none."""

    def text(self, reduce: Reduce) -> str:
        """The value that stands for the trial, as it was printed."""
        return self.min if reduce == "min" else self.max if reduce == "max" else self.latest

    def value(self, reduce: Reduce) -> float:
        """The value that stands for the trial."""
        return float(self.text(reduce))


class Reducer:
    """Keeps min, max and latest of each metric of one trial, and nothing else.

    Feed it the trial's output, which it reads as `MetricParser` does but many times faster, or add observations.

    Args:
        names: The metrics to look for.
        definitions: How to find those that are not on metric lines.

    Raises:
        MetricError: A name that no metric line can carry.

    Source: Katib's getMetrics (pkg/controller.v1beta1/trial): texts are kept as they are, the first of equal values
        stays, without timestamps the last row is the latest.
    """

    __slots__ = ("_cutter", "_reduced", "_refused", "_scanners")

    def __init__(self, names: Sequence[str] = (), definitions: Sequence[MetricDefinition] = ()) -> None:
        self._scanners = scanners(names, definitions)
        self._cutter = LineCutter()
        self._refused = Refused()
        self._reduced: dict[str, Reduced] = {}

    @property
    def refused(self) -> Counter[tuple[str, str]]:
        """(metric, what was reported as its value) -> how often it was no finite number."""
        return self._refused.counts

    @property
    def results(self) -> dict[str, Reduced]:
        """Every metric that was reported."""
        return dict(self._reduced)

    def result(self, name: str) -> Reduced | None:
        """One metric; None when it was never reported."""
        return self._reduced.get(name)

    def feed(self, chunk: bytes) -> tuple[str, ...]:
        """Read the lines that `chunk` completes; returns the metrics that were reported in them."""
        block = self._cutter.feed(chunk)
        return self._read(block) if block else ()

    def close(self) -> tuple[str, ...]:
        """Read a last line without its end; returns the metrics that were reported in it."""
        return self._read(self._cutter.close())

    def add(self, observation: Observation) -> None:
        """Take one observation in."""
        name, text, value, step = observation
        self._merge(name, Reduced(text, text, text, 1, step), value, value)

    def _read(self, block: bytes) -> tuple[str, ...]:
        return tuple([scanner.name for scanner in self._scanners if self._take(scanner, block)])

    def _take(self, scanner: Scanner, block: bytes) -> bool:
        found = scanner.finds(block)
        if not found.texts:
            return False
        numbers = finite_numbers(found.texts)
        if numbers is None:
            found, numbers = self._sort_out(scanner, block)
            if not numbers:
                return False
        texts = found.texts
        low, high = min(numbers), max(numbers)
        step = step_before(block, found.last)
        least, greatest = texts[numbers.index(low)], texts[numbers.index(high)]
        news = Reduced(least.decode(), greatest.decode(), texts[-1].decode(), len(texts), step)
        self._merge(scanner.name, news, low, high)
        return True

    def _sort_out(self, scanner: Scanner, block: bytes) -> tuple[Finds, list[float]]:
        """The finite ones among a block's reports; the others are counted as refused."""
        texts, numbers, last = [], [], -1
        for offset, text in scanner.places(block):
            number = finite_number(text)
            if number is None:
                self._refused.add(scanner.name, text)
            else:
                texts.append(text)
                numbers.append(number)
                last = offset
        return Finds(texts, last), numbers

    def _merge(self, name: str, news: Reduced, low: float, high: float) -> None:
        known = self._reduced.get(name)
        if known is not None:
            news = Reduced(
                news.min if low < float(known.min) else known.min,
                news.max if high > float(known.max) else known.max,
                news.latest,
                known.count + news.count,
                news.step,
            )
        self._reduced[name] = news


def reduce_file(path: str | Path, names: Sequence[str], definitions: Sequence[MetricDefinition] = ()) -> Reducer:
    """A log file's metrics, reduced; memory does not grow with the file.

    Args:
        path: The log.
        names: The metrics to look for.
        definitions: How to find those that are not on metric lines.
    """
    reducer = Reducer(names, definitions)
    for chunk in chunks(path):
        reducer.feed(chunk)
    reducer.close()
    return reducer
