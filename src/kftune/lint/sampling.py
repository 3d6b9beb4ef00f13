"""Shows what Katib's collector stores of a real log, and why it does not read similar lines.

Katib's own collector reads the log; `kftune.metrics.near_lines` explains the lines that it does not read.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.katib.go.numbers import go_float
from kftune.katib.trial.aggregation import AggregationError, Metric, Observing
from kftune.katib.trial.collector import Collector, CollectorError, Row, as_passed, value_places
from kftune.lint.json_types import Place
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.metrics.cut_numbers import whole_number
from kftune.metrics.near_rows import near_rows

_MOST_BEHIND = 200
_MOST_ENDS = 10_000
"""The values that are kept of the beginning, and of the end, of a log."""
_GIVEN = re.compile(r"[^\s,;|)\]}]+(?:,[0-9][^\s,;|)\]}]*)?")


class SampleRow(NamedTuple):
    """A value that Katib stores."""

    line: Place
    value: str
    """Exactly as it is stored."""
    timestamp: str
    """From the line, or 0001-01-01T00:00:00Z."""
    note: str
    """What is unusual about the value; mostly empty."""


class MetricSample(NamedTuple):
    """What Katib stores of one metric."""

    name: str
    strategy: str
    """min, max or latest."""
    rows: tuple[SampleRow, ...]
    """The values found, in the log's order; of very many, the first and the last."""
    min: str
    """As Katib reports it, 'unavailable' for none."""
    max: str
    latest: str
    counts: str
    """The value of the trial, by the strategy."""
    values: int = 0
    """How many values were found."""
    odd: SampleRow | None = None
    """The first value with a note."""


class NearMiss(NamedTuple):
    """A line that is not read, but a similar one would be."""

    metric: str
    line: Place
    text: str
    why: str
    remedy: str


class Sample(NamedTuple):
    """What an Experiment reads from a log."""

    log: str
    """The file of --sample-log."""
    metrics: tuple[MetricSample, ...] = ()
    """The objective first; empty if the collector stops."""
    near: tuple[NearMiss, ...] = ()
    """Lines that could be read if they were written slightly differently."""
    error: str = ""
    """Why the collector stops, and the trial fails; empty if it does not."""
    unread: str = ""
    """Why no log is read at all; empty if one is."""


def sample(spec: Mapping[str, Any], log: Iterable[bytes], file: str, *, near: bool = True) -> Sample:
    """Returns what an Experiment reads from a log; memory does not grow with the log.

    Args:
        spec: The decoded spec of an admitted Experiment, with its defaults.
        log: The lines of the log, which are read several times.
        file: The name of the log.
        near: Whether to explain the lines that are almost read.
    """
    collecting = spec["metricsCollectorSpec"]
    kind = collecting["collector"].get("kind", "")
    source = collecting.get("source") or {}
    if kind not in ("StdOut", "File"):
        return Sample(file, unread=f"the collector {kind} reads no log")
    form = (source.get("fileSystemPath") or {}).get("format", "TEXT") if kind == "File" else "TEXT"
    objective = spec["objective"]
    named = [objective["objectiveMetricName"], *objective.get("additionalMetricNames", ())]
    names, filters = as_passed(named, (source.get("filter") or {}).get("metricsFormat", ()))
    strategies = {each.get("name", ""): each.get("value", "") for each in objective.get("metricStrategies", ())}
    read = _Reading(names, filters, form, strategies).sample(log, file)
    return read if near else read._replace(near=())


def sample_findings(read: Sample) -> Iterator[Finding]:
    """Returns the problems that a sample shows."""
    path = ("spec", "objective", "objectiveMetricName")
    if read.error:
        yield finding("KT501", path, f"with {read.log} the collector stops: {read.error}", "fails")
    for index, metric in enumerate(read.metrics):
        place = path if index == 0 else ("spec", "objective", "additionalMetricNames", index - 1)
        if not metric.rows and not read.error:
            near = next((each for each in read.near if each.metric == metric.name), None)
            hint = f": line {near.line} almost, but {near.why}" if near else ""
            message = f"no line of {read.log} has a value of {metric.name!r}{hint}"
            found = finding("KT501" if index == 0 else "KT502", place, message)
            yield found._replace(remedy=near.remedy if near else found.remedy)
        odd = metric.odd
        if odd is not None:
            message = f"{read.log}:{odd.line}: {metric.name} is stored as {odd.value!r}: {odd.note}"
            yield finding("KT503", place, message)


class _Rows:
    """The values of one metric: the first and the last, and how many there are."""

    def __init__(self) -> None:
        self.first: list[SampleRow] = []
        self.last: deque[SampleRow] = deque(maxlen=_MOST_ENDS)
        self.count = 0
        self.odd: SampleRow | None = None
        self.has_number = False

    def add(self, row: SampleRow) -> None:
        self.count += 1
        if len(self.first) < _MOST_ENDS:
            self.first.append(row)
        else:
            self.last.append(row)
        self.odd = self.odd or (row if row.note else None)
        self.has_number = self.has_number or go_float(row.value) is not None


class _Reading:
    """One log, read by the collector of one Experiment."""

    def __init__(self, names: Sequence[str], filters: Sequence[str], form: str, strategies: Mapping[str, str]) -> None:
        self._names = list(dict.fromkeys(names))
        self._filters = filters
        self._form = form
        self._strategies = strategies

    def sample(self, lines: Iterable[bytes], file: str) -> Sample:
        collector = Collector(self._names, self._filters, self._form, keep=False)
        observing, is_kept = Observing(self._names), True
        found = {name: _Rows() for name in self._names}
        for number, line in enumerate(lines, 1):
            try:
                rows = collector.line(line)
            except CollectorError as stopped:
                return Sample(file, error=f"line {number}: {stopped}")
            for row, note in zip(rows, self._notes(rows, line), strict=True):
                found[row.name].add(SampleRow(number, row.value, row.timestamp, note))
            is_kept = is_kept and _are_taken(rows, observing)
        # Without a value of the objective, Katib keeps no other metric.
        kept = observing if is_kept and found[self._names[0]].count else Observing(self._names)
        metrics = tuple(self._metric(observed, found[observed.name]) for observed in kept.metrics())
        missing = [name for name in self._names if not found[name].has_number]
        return Sample(file, metrics, tuple(self._near(lines, missing)) if missing else ())

    def _metric(self, observed: Metric, found: _Rows) -> MetricSample:
        strategy = self._strategies.get(observed.name, "latest")
        values = {"min": observed.min, "max": observed.max, "latest": observed.latest}
        counts = values.get(strategy, observed.latest)
        return MetricSample(
            name=observed.name,
            strategy=strategy,
            rows=(*found.first, *found.last),
            counts=counts,
            values=found.count,
            odd=found.odd,
            **values,
        )

    def _notes(self, rows: list[Row], line: bytes) -> list[str]:
        """Returns what is unusual about each value of a line; mostly an empty text."""
        if not rows:
            return []
        if self._form == "JSON":
            return [_oddity(row.value, row.value, 0) for row in rows]
        text = line.decode("utf-8", "surrogateescape")
        places = [place for place in value_places(text, self._filters) if place[0] in self._names]
        return [_oddity(row.value, text, start) for row, (_, start, _) in zip(rows, places, strict=True)]

    def _near(self, lines: Iterable[bytes], missing: list[str]) -> Iterator[NearMiss]:
        for name in missing:
            for near in near_rows(name, lines, self._filters, self._form):
                yield NearMiss(name, *near)


def _are_taken(rows: Iterable[Row], observing: Observing) -> bool:
    try:
        for row in rows:
            observing.take(row)
    except AggregationError:
        return False
    return True


def _oddity(value: str, text: str, start: int) -> str:
    """Returns what is unusual about a value.

    Args:
        value: The value.
        text: The text in which it is.
        start: Where it begins there; -1 if nothing is there.
    """
    number = go_float(value)
    behind = _GIVEN.match(text, start, start + len(value) + _MOST_BEHIND) if start >= 0 else None
    given = behind[0] if behind else value
    if number is None:
        return f"{given!r} is not a number, and Katib stores it unchanged"
    if number - number != 0:
        return "it is not finite, and no engine can use it"
    whole = whole_number(text, start, start + len(value))
    if not whole and given.startswith(value) and re.match(r"[,._]?[0-9A-Za-z_]", given[len(value) :]):
        whole = given
    return f"the filter reads only a part of {whole!r}" if whole else ""
