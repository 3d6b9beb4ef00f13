"""Shows what Katib's collector stores of a real log, and why it does not read similar lines.

Katib's own collector reads the log. A line that it does not read is changed in the ways in which logs usually differ
from what a filter expects. The fewest changes that make it readable are the explanation.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.katib.go.numbers import go_float
from kftune.katib.trial.aggregation import AggregationError, observation
from kftune.katib.trial.collector import Collector, CollectorError, Row, as_passed, json_object
from kftune.lint.json_types import Place
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.metrics.line import METRIC_FORMAT, NUMBER

_MOST_NEAR_LINES = 500
_MOST_NEAR = 5
_LONGEST_SHOWN = 160

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_NO_NUMBER = re.compile(r"(=\s*[+-]?)(?:nan|inf(?:inity)?|none|null)\b", re.IGNORECASE)
_SEPARATOR = r"\s*(:=|:|->|=>|==)\s*(?=[-+.$\[('\"\w])"
_IN_BRACKETS = re.compile(r"(=\s*)(?:[A-Za-z_][\w.]*\(|[\[($])")
_PUNCTUATION = re.compile(r"[,;|()\[\]{}<>%]")


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
    """A line that the collector does not read, but a similar one."""

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


def sample(spec: Mapping[str, Any], log: bytes, file: str) -> Sample:
    """Returns what an Experiment reads from a log.

    Args:
        spec: The decoded spec of an admitted Experiment, with its defaults.
        log: The content of the log.
        file: The name of the log.
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
    return _Reading(names, filters, form, strategies).sample(log, file)


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
            yield finding("KT501" if index == 0 else "KT502", place, message)
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
        for name in self._names:
            metric = observed[name]
            found = tuple(
                SampleRow(number, row.value, row.timestamp, self._oddity(row, lines[number - 1]))
                for number, row in rows
                if row.name == name
            )
            strategy = self._strategies.get(name, "latest")
            values = {"min": metric.min, "max": metric.max, "latest": metric.latest}
            counts = values.get(strategy, metric.latest)
            yield MetricSample(name=name, strategy=strategy, rows=found, counts=counts, **values)

    def _oddity(self, row: Row, line: bytes) -> str:
        number = go_float(row.value)
        text = line.decode(errors="replace")
        behind = re.search(rf"{re.escape(row.name)}\s*=\s*([^\s,;|)\]}}]+(?:,[0-9][^\s,;|)\]}}]*)?)", text)
        given = behind[1] if behind else row.value
        if number is None:
            return f"{given!r} is not a number, and Katib stores it unchanged"
        if number - number != 0:
            return "it is not finite, and no engine can use it"
        if given.startswith(row.value) and re.match(r"[,._]?[0-9A-Za-z_]", given[len(row.value) :]):
            return f"the filter reads only a part of {given!r}"
        return ""

    # -- similar lines --------------------------------------------------------------------------------------

    def _near(self, lines: list[bytes], missing: list[str]) -> Iterator[NearMiss]:
        for name in missing:
            loose = _loosely(name)
            candidates = (
                (number, text)
                for number, text in enumerate((line.decode("utf-8", "surrogateescape") for line in lines), 1)
                if loose.search(_COLOUR.sub("", text))
            )
            reasons: set[str] = set()
            for number, text in itertools.islice(candidates, _MOST_NEAR_LINES):
                reason = self._json_reason(name, text) if self._form == "JSON" else self._reason(name, text)
                if reason and len(reasons) < _MOST_NEAR and reason[0] not in reasons:
                    reasons.add(reason[0])
                    yield NearMiss(name, number, text.strip()[:_LONGEST_SHOWN], *reason)

    def _json_reason(self, name: str, text: str) -> tuple[str, str] | None:
        try:
            found = json_object(text)
        except ValueError:
            return None
        if name in found and not isinstance(found[name], str):
            return (
                "its value is not a string, and Katib reads only strings",
                f'write the number in quotes: {{"{name}": "0.3"}}',
            )
        other = next((key for key in found if _loosely(name).fullmatch(key) and key != name), None)
        return None if other is None else (f"the log calls it {other!r}", f"rename the metric, or write {name!r}")

    def _reason(self, name: str, text: str) -> tuple[str, str] | None:
        """Returns the fewest changes that make a line readable, in words, and their remedies."""
        ways = [way for way in _ways(name) if way.change(text) != text or way.filters]
        for count in range(1, 5):
            for chosen in itertools.combinations(ways, count):
                changed, filters = text, self._filters
                for way in chosen:
                    changed, filters = way.change(changed), way.filters or filters
                if self._reads(name, changed, filters):
                    why = " and ".join(way.why(text) for way in chosen)
                    remedy = "; ".join(way.remedy for way in chosen)
                    regex = _filter_for(name, text)
                    if self._reads(name, text, [regex]):
                        remedy = f"print {name}=0.3 as kftune.report does, or add this filter to metricsFormat: {regex}"
                    return why, remedy
        return None

    def _reads(self, name: str, text: str, filters: Sequence[str]) -> bool:
        try:
            rows = Collector([name], filters).line(text.encode("utf-8", "surrogateescape"))
        except CollectorError:
            return False
        return any(go_float(row.value) is not None for row in rows)


class _Way(NamedTuple):
    """A way in which logs differ from what filters expect."""

    change: Callable[[str], str]
    why: Callable[[str], str]
    remedy: str
    filters: tuple[str, ...] = ()


def _ways(name: str) -> list[_Way]:
    loose = _loosely(name)
    separated = re.compile(rf"({loose.pattern}['\"]?){_SEPARATOR}", re.IGNORECASE)
    blank = re.compile(rf"(?<![\w/.-]){re.escape(name)}[ \t]+(?:is[ \t]+)?(?=[-+]?\.?[0-9])")

    def called(text: str) -> str:
        found = loose.search(_COLOUR.sub("", text))
        return f"the log calls it {found[0]!r}" if found else ""

    def separator(text: str) -> str:
        found = separated.search(_COLOUR.sub("", text))
        return f"it has {found[2]!r} instead of '='" if found else "it has a space instead of '='"

    return [
        _Way(lambda text: _COLOUR.sub("", text), lambda _: "it contains colour codes", "print without colours"),
        _Way(
            lambda text: blank.sub(f"{name}=", separated.sub(r"\1=", text)),
            separator,
            f"print {name}=0.3 as kftune.report does",
        ),
        _Way(
            lambda text: re.sub("['\"]", "", text),
            lambda _: "quotes surround the name or the value",
            f"print {name}=0.3 without quotes, as kftune.report does",
        ),
        _Way(
            lambda text: _IN_BRACKETS.sub(r"\1", text),
            lambda _: "brackets or a name precede the number",
            "print the number alone, such as loss.item()",
        ),
        _Way(
            lambda text: _PUNCTUATION.sub(" ", text),
            lambda _: "punctuation touches the value or the name",
            "put spaces around name=value",
        ),
        _Way(
            lambda text: loose.sub(name, text),
            called,
            "use the log's name in the objective, or print the name that the Experiment has",
        ),
        _Way(
            str,
            lambda _: "the filter does not match such a name",
            f"add this filter to metricsFormat: {METRIC_FORMAT}",
            (METRIC_FORMAT,),
        ),
        _Way(
            lambda text: _NO_NUMBER.sub(r"\g<1>0", text),
            lambda _: "the value is not a finite number",
            "stop the training at such a value, or report nothing for the step",
        ),
    ]


def _filter_for(name: str, text: str) -> str:
    """Suggests a metricsFormat filter that matches this line."""
    found = re.search(rf"{re.escape(name)}(['\"]?){_SEPARATOR}(['\"]?)", text)
    between = f"{found[1]}\\s*{found[2]}\\s*{found[3]}" if found else "\\s+"
    return f"({re.escape(name)}){between}({NUMBER})"


def _loosely(name: str) -> re.Pattern[str]:
    """Matches the name in upper or lower case, with its words joined in any way."""
    words = [re.escape(word) for word in re.split(r"[^A-Za-z0-9]+", name) if word] or [re.escape(name)]
    return re.compile(r"(?<![A-Za-z0-9])" + r"[\s_/.:\\-]*".join(words) + r"(?![A-Za-z0-9])", re.IGNORECASE)
