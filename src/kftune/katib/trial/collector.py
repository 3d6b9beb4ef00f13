"""Katib's metrics collector: reads the rows that it stores from a trial's log.

Katib reads the whole file when the training has ended; `Collector` reads the same lines one by one while it runs.

Source: katib v0.19.0, pkg/metricscollector/v1beta1/file-metricscollector and cmd/metricscollector/v1beta1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from kftune.errors import KatibError
from kftune.katib.go import times
from kftune.katib.go.json_reading import loads, not_an_object
from kftune.katib.go.numbers import go_int, positional
from kftune.katib.go.regex import GoRegexError
from kftune.katib.go.regex_search import GoRegex, compiled
from kftune.katib.go.text import trim_space

UNAVAILABLE = "unavailable"
"""The stored value of a metric that was not reported."""

FORMATS = ("TEXT", "JSON")

# Katib's default filter, `([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)`, written for `re`. A name
# begins where no name character precedes it, and nothing is tried twice, so that the time grows with the line alone.
_SPACE = r"[\t\n\f\r ]*+"
_REPORT = rf"([0-9A-Za-z_|-]++){_SPACE}={_SPACE}([+-]?[0-9]*(?:\.[0-9]+)?(?:[Ee][+-]?[0-9]+)?)"
_DEFAULT_HERE = re.compile(_REPORT)
_DEFAULT_NEXT = re.compile(rf"(?<![0-9A-Za-z_|-]){_REPORT}")


class CollectorError(KatibError):
    """The collector ends with an error, and the trial's pod fails."""


class CollectorPanic(CollectorError):  # noqa: N818 - Go's word
    """The collector's process crashes."""


class Row(NamedTuple):
    """One reported value, as Katib stores it."""

    name: str
    value: str
    """Bytes that are not UTF-8 are kept as `surrogateescape` writes them; the database refuses such a row."""
    timestamp: str = times.ZERO


def collect(log: bytes, metrics: Sequence[str], filters: Sequence[str] = (), format: str = "TEXT") -> list[Row]:
    """Returns the rows of a log in their order; one row `unavailable` when the objective is not among them.

    Args:
        log: The whole log.
        metrics: Names of the metrics, the objective first.
        filters: Regexes with name and value as their first two groups; empty for the default filter.
        format: `TEXT` or `JSON`.

    Raises:
        CollectorError: A line is not a JSON object, or the format is unknown.
        CollectorPanic: There is no metric, or a line with a metric's name meets a filter that Go does not compile.
    """
    collector = Collector(metrics, filters, format)
    for line in log.split(b"\n"):
        collector.line(line)
    return collector.rows()


def as_passed(metrics: Sequence[str], filters: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns names and filters as the collector's process reads them: they are joined by `;` and split again.

    Args:
        metrics: Names of the metrics.
        filters: The filters of the Experiment.
    """
    joined = ";".join(metrics), ";".join(filters)
    names, regexes = (text.split(";") if text else [] for text in joined)
    return names, regexes


class Collector:
    """Reads a log line by line.

    Args:
        metrics: Names of the metrics, the objective first.
        filters: Regexes with name and value as their first two groups; empty for the default filter.
        format: `TEXT` or `JSON`.
        keep: Whether to keep the rows for `rows`.

    Raises:
        CollectorError: The format is unknown.
    """

    def __init__(
        self, metrics: Sequence[str], filters: Sequence[str] = (), format: str = "TEXT", *, keep: bool = True
    ) -> None:
        if format not in FORMATS:
            raise CollectorError("format must be set TEXT or JSON")
        self._metrics = tuple(metrics)
        self._needles = tuple(name.encode("utf-8", "surrogateescape") for name in metrics)
        self._filters = tuple(filters)
        self._read = self._text_rows if format == "TEXT" else self._json_rows
        self._rows: list[Row] = []
        self._keep = keep

    def line(self, line: bytes) -> list[Row]:
        """Reads one line and returns its rows.

        Args:
            line: The line without its newline; it may be empty.

        Raises:
            CollectorError: The line is not a JSON object.
            CollectorPanic: The line has a metric's name, and Go does not compile a filter.
        """
        found = list(self._read(line))
        if self._keep:
            self._rows += found
        return found

    def rows(self) -> list[Row]:
        """Returns the rows that are stored at the end.

        Raises:
            CollectorPanic: There are no metrics.
        """
        if not self._metrics:
            raise CollectorPanic("index out of range [0] with length 0: there must be a metric")
        if all(row.name != self._metrics[0] for row in self._rows):
            return [Row(self._metrics[0], UNAVAILABLE)]
        return list(self._rows)

    def _text_rows(self, line: bytes) -> Iterator[Row]:
        for needle in self._needles:
            if needle in line:
                break
        else:
            return
        text = line.decode("utf-8", "surrogateescape")
        timestamp = _leading_timestamp(text)
        for name, value in matches(text, self._filters):
            if name in self._metrics:
                yield Row(name, value, timestamp)

    def _json_rows(self, line: bytes) -> Iterator[Row]:
        if not line:
            return
        try:
            found = json_object(line.decode("utf-8", "surrogateescape"))
        except ValueError as error:
            raise CollectorError(f"failed to parse the json object: {error}") from None
        timestamp = _json_timestamp(found.get("timestamp")) or times.ZERO
        for name in self._metrics:
            value = found.get(name)
            if isinstance(value, str):
                yield Row(name, value, timestamp)


def matches(line: str, filters: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields name and value, trimmed, of each match of each filter in a line.

    Args:
        line: A line of a text log.
        filters: Regexes with name and value as their first two groups; empty for the default filter.

    Raises:
        CollectorPanic: Go does not compile a filter.
    """
    if not filters:
        for found in _default_found(line):
            yield found[1], found[2]
    for regex in filters:
        for groups in _compiled(regex).find_all(line):
            if len(groups) > 2:
                yield trim_space(groups[1]), trim_space(groups[2])


def value_places(line: str, filters: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yields the name of each match that `matches` finds, and where the text of its value begins and ends.

    Args:
        line: A line of a text log.
        filters: As for `matches`.

    Raises:
        CollectorPanic: Go does not compile a filter.
    """
    if not filters:
        for default in _default_found(line):
            yield default[1], *default.span(2)
    for match in chain.from_iterable(_compiled(regex).matches(line) for regex in filters):
        if match.groups >= 2:
            value = trim_space(match.group(2))
            start = match.span(2)[0] + match.group(2).find(value)
            yield trim_space(match.group(1)), start, start + len(value)


def json_object(line: str) -> dict[str, object]:
    """Parses a line of a JSON log; `null` gives an empty dict.

    Raises:
        ValueError: The line is not a JSON object; the text is Go's.
    """
    found = loads(line)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError(not_an_object(found))
    return found


def _compiled(regex: str) -> GoRegex:
    try:
        return compiled(regex)
    except GoRegexError as error:
        raise CollectorPanic(
            f"invalid memory address or nil pointer dereference: a filter must be a regex of Go; {error}"
        ) from None


def _default_found(line: str) -> Iterator[re.Match[str]]:
    found = _DEFAULT_NEXT.search(line)
    while found is not None:
        yield found
        end = found.end()
        found = _DEFAULT_HERE.match(line, end) or _DEFAULT_NEXT.search(line, end)


def _leading_timestamp(line: str) -> str:
    first, blank, _ = line.partition(" ")
    return first if blank and times.parse(first) is not None else times.ZERO


def _json_timestamp(value: object) -> str | None:
    """Reads text as a timestamp, and a number as seconds, with the digits of its fraction as nanoseconds."""
    if isinstance(value, str):
        return value if times.parse(value) is not None else None
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    whole, _, fraction = positional(value).partition(".")
    seconds, nanoseconds = go_int(whole), go_int(fraction or "0")
    return None if seconds is None or nanoseconds is None else times.unix_text(seconds, nanoseconds)
