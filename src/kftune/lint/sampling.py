"""Shows what Katib's collector stores of a real log, and why it does not read similar lines.

Katib's own collector reads the log; `kftune.metrics.near_lines` explains the lines that it does not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from kftune.katib.go.numbers import go_float
from kftune.katib.trial.aggregation import AggregationError, observation
from kftune.katib.trial.collector import Collector, CollectorError, Row, as_passed, value_places
from kftune.lint.json_types import Place
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.metrics.cut_numbers import whole_number
from kftune.metrics.near_rows import near_rows

_MOST_BEHIND = 200
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
    """The values found, in the log's order."""
    min: str
    """As Katib reports it, 'unavailable' for none."""
    max: str
    latest: str
    counts: str
    """The value of the trial, by the strategy."""


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


def sample(spec: Mapping[str, Any], log: bytes, file: str, *, near: bool = True) -> Sample:
    """Returns what an Experiment reads from a log.

    Args:
        spec: The decoded spec of an admitted Experiment, with its defaults.
        log: The content of the log.
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
        odd = next((row for row in metric.rows if row.note), None)
        if odd is not None:
            message = f"{read.log}:{odd.line}: {metric.name} is stored as {odd.value!r}: {odd.note}"
            yield finding("KT503", place, message)


class _Reading:
    """One log, read by the collector of one Experiment."""

    def __init__(self, names: Sequence[str], filters: Sequence[str], form: str, strategies: Mapping[str, str]) -> None:
        self._names = list(dict.fromkeys(names))
        self._filters = filters
        self._form = form
        self._strategies = strategies

    def sample(self, log: bytes, file: str) -> Sample:
        lines = log.split(b"\n")
        collector = Collector(self._names, self._filters, self._form)
        rows: list[tuple[int, Row]] = []
        error = ""
        for number, line in enumerate(lines, 1):
            try:
                rows += [(number, row) for row in collector.line(line)]
            except CollectorError as stopped:
                error = f"line {number}: {stopped}"
                break
        metrics = tuple(self._metrics(rows, lines)) if not error else ()
        numbers = {row.name for _, row in rows if go_float(row.value) is not None}
        missing = [name for name in self._names if name not in numbers]
        near = tuple(self._near(lines, missing)) if missing and not error else ()
        return Sample(file, metrics, near, error)

    def _metrics(self, rows: list[tuple[int, Row]], lines: list[bytes]) -> Iterator[MetricSample]:
        # Without a value of the objective, Katib keeps no other metric.
        kept = rows if any(row.name == self._names[0] for _, row in rows) else []
        try:
            observed = {each.name: each for each in observation((row for _, row in kept), self._names)}
        except AggregationError:
            observed = {each.name: each for each in observation((), self._names)}
        notes = list(self._notes(rows, lines))
        for name in self._names:
            metric = observed[name]
            found = tuple(
                SampleRow(number, row.value, row.timestamp, note)
                for (number, row), note in zip(rows, notes, strict=True)
                if row.name == name
            )
            strategy = self._strategies.get(name, "latest")
            values = {"min": metric.min, "max": metric.max, "latest": metric.latest}
            counts = values.get(strategy, metric.latest)
            yield MetricSample(name=name, strategy=strategy, rows=found, counts=counts, **values)

    def _notes(self, rows: list[tuple[int, Row]], lines: list[bytes]) -> Iterator[str]:
        """Yields what is unusual about each value; mostly an empty text."""
        for number, group in groupby(rows, key=lambda pair: pair[0]):
            text = lines[number - 1].decode("utf-8", "surrogateescape")
            found = [row for _, row in group]
            if self._form == "JSON":
                yield from (_oddity(row.value, row.value, 0) for row in found)
            else:
                places = [place for place in value_places(text, self._filters) if place[0] in self._names]
                yield from (_oddity(row.value, text, start) for row, (_, start, _) in zip(found, places, strict=True))

    def _near(self, lines: list[bytes], missing: list[str]) -> Iterator[NearMiss]:
        for name in missing:
            for near in near_rows(name, lines, self._filters, self._form):
                yield NearMiss(name, *near)


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
