"""What Katib's collector would store of a real log, and which lines it nearly reads.

The collector itself answers, line by line. A line that it does not read is changed in the ways in which logs usually
differ from what a filter wants, and the fewest changes that make it a report say why it was none.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.katib.go.numbers import go_float
from kftune.katib.trial.aggregation import AggregationError, observation
from kftune.katib.trial.collector import UNAVAILABLE, Collector, CollectorError, Row, as_passed, json_object
from kftune.lint.report import printable
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.metrics.line import METRIC_FORMAT, NUMBER

_MOST_NEAR_LINES = 500
_MOST_NEAR = 5
_LONGEST_SHOWN = 160
_MOST_ENDS = 3

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_NO_NUMBER = re.compile(r"(=\s*[+-]?)(?:nan|inf(?:inity)?|none|null)\b", re.IGNORECASE)
_SEPARATOR = r"\s*(:=|:|->|=>|==)\s*(?=[-+.$\[('\"\w])"
_IN_BRACKETS = re.compile(r"(=\s*)(?:[A-Za-z_][\w.]*\(|[\[($])")
_PUNCTUATION = re.compile(r"[,;|()\[\]{}<>%]")


class SampleRow(NamedTuple):
    """One value that would be stored."""

    line: int
    """From 1."""
    value: str
    """Exactly as it is stored."""
    timestamp: str
    note: str
    """What is odd about it; mostly empty."""


class MetricSample(NamedTuple):
    """What would be stored of one metric."""

    name: str
    strategy: str
    """min, max or latest."""
    rows: tuple[SampleRow, ...]
    min: str
    max: str
    latest: str
    """As Katib would report them; `unavailable` for none."""

    @property
    def counts(self) -> str:
        """The value that stands for the trial."""
        texts = {"min": self.min, "max": self.max, "latest": self.latest}
        return texts.get(self.strategy, self.latest)


class Near(NamedTuple):
    """A line that would be a report if it were written a little differently."""

    metric: str
    line: int
    text: str
    why: str
    remedy: str


class Sample(NamedTuple):
    """What an Experiment would make of a log."""

    log: str
    metrics: tuple[MetricSample, ...] = ()
    """The objective first."""
    near: tuple[Near, ...] = ()
    error: str = ""
    """Why the collector stops, and the trial fails."""
    unread: str = ""
    """Why no log is read at all."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        metrics = [
            {**metric._asdict(), "counts": metric.counts, "rows": [row._asdict() for row in metric.rows]}
            for metric in self.metrics
        ]
        return {**self._asdict(), "metrics": metrics, "near": [each._asdict() for each in self.near]}


def sample(spec: Mapping[str, Any], log: bytes, file: str) -> Sample:
    """What an Experiment would make of a log.

    Args:
        spec: The decoded spec of an admitted Experiment, with its defaults.
        log: What a trial wrote.
        file: What the log is called.
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


def sample_findings(made: Sample) -> Iterator[Finding]:
    """What a sample says against its Experiment."""
    path = ("spec", "objective", "objectiveMetricName")
    if made.error:
        yield finding("KT501", path, f"with {made.log} the collector stops: {made.error}", "fails")
    for index, metric in enumerate(made.metrics):
        place = path if index == 0 else ("spec", "objective", "additionalMetricNames", index - 1)
        near = next(
            (f": line {each.line} nearly, but {each.why}" for each in made.near if each.metric == metric.name), ""
        )
        if not metric.rows and not made.error:
            message = f"no line of {made.log} holds a value of {metric.name!r}{near}"
            yield finding("KT501" if index == 0 else "KT502", place, message)
        odd = next((row for row in metric.rows if row.note), None)
        if odd is not None:
            message = f"{made.log}:{odd.line}: {metric.name} is stored as {odd.value!r}: {odd.note}"
            yield finding("KT503", place, message)


def as_lines(made: Sample) -> Iterator[str]:
    """A sample for people."""
    if made.unread or made.error:
        yield f"  {made.unread or f'the collector stops, and the trial fails: {made.error}'}"
    for index, metric in enumerate(made.metrics):
        role = "objective" if index == 0 else "additional"
        yield f"  {metric.name} ({role}, {metric.strategy} counts): {_told(metric)}"
        for row in _some(metric.rows):
            note = f"   ({row.note})" if row and row.note else ""
            yield f"    line {row.line}: {row.value!r}{note}" if row else "    ..."
    for near in made.near:
        yield f"  line {near.line} is nearly a value of {near.metric}: {printable(near.text)}"
        yield f"    {near.why}; {near.remedy}"


def _told(metric: MetricSample) -> str:
    if not metric.rows:
        return "no value; Katib stores 'unavailable'" if metric.counts == UNAVAILABLE else "no value"
    count = f"{len(metric.rows)} value{'' if len(metric.rows) == 1 else 's'}"
    if metric.latest == UNAVAILABLE:
        return f"{count}, and none is kept: the objective has none"
    return f"{count}; min {metric.min!r}, max {metric.max!r}, latest {metric.latest!r}"


def _some(rows: Sequence[SampleRow]) -> list[SampleRow | None]:
    """All of a few rows; of many the first and the last ones, with None between them."""
    return list(rows) if len(rows) <= 2 * _MOST_ENDS else [*rows[:_MOST_ENDS], None, *rows[-_MOST_ENDS:]]


class _Reading:
    """One log, read by one Experiment's collector."""

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
        # Without a value of the objective Katib keeps nothing else either.
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
            yield MetricSample(name, strategy, found, metric.min, metric.max, metric.latest)

    def _oddity(self, row: Row, line: bytes) -> str:
        number = go_float(row.value)
        text = line.decode(errors="replace")
        behind = re.search(rf"{re.escape(row.name)}\s*=\s*([^\s,;|)\]}}]+(?:,[0-9][^\s,;|)\]}}]*)?)", text)
        given = behind[1] if behind else row.value
        if number is None:
            return f"{given!r} is no number, and Katib keeps it as it is"
        if number - number != 0:
            return "it is not finite, and no engine can use it"
        if given.startswith(row.value) and re.match(r"[,._]?[0-9A-Za-z_]", given[len(row.value) :]):
            return f"the filter takes only a part of {given!r}"
        return ""

    # -- lines that are nearly read ------------------------------------------------------------------------

    def _near(self, lines: list[bytes], missing: list[str]) -> Iterator[Near]:
        for name in missing:
            loose = _loosely(name)
            candidates = (
                (number, text)
                for number, text in enumerate((line.decode("utf-8", "surrogateescape") for line in lines), 1)
                if loose.search(_COLOUR.sub("", text))
            )
            told: dict[str, int] = {}
            for number, text in itertools.islice(candidates, _MOST_NEAR_LINES):
                reason = self._json_reason(name, text) if self._form == "JSON" else self._reason(name, text)
                if reason and len(told) < _MOST_NEAR and reason[0] not in told:
                    told[reason[0]] = number
                    yield Near(name, number, text.strip()[:_LONGEST_SHOWN], *reason)

    def _json_reason(self, name: str, text: str) -> tuple[str, str] | None:
        try:
            found = json_object(text)
        except ValueError:
            return None
        if name in found and not isinstance(found[name], str):
            return (
                "its value is no text, and Katib reads texts only",
                f'write the number in quotes: {{"{name}": "0.3"}}',
            )
        other = next((key for key in found if _loosely(name).fullmatch(key) and key != name), None)
        return None if other is None else (f"the log calls it {other!r}", f"rename the metric, or write {name!r}")

    def _reason(self, name: str, text: str) -> tuple[str, str] | None:
        """The fewest changes that make a line a report, in words, and the remedy of the first of them."""
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
                        remedy = f"print {name}=0.3 as kftune.report does, or give metricsFormat this filter: {regex}"
                    return why, remedy
        return None

    def _reads(self, name: str, text: str, filters: Sequence[str]) -> bool:
        try:
            rows = Collector([name], filters).line(text.encode("utf-8", "surrogateescape"))
        except CollectorError:
            return False
        return any(go_float(row.value) is not None for row in rows)


class _Way(NamedTuple):
    """One way in which logs differ from what filters want."""

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

    def stands(text: str) -> str:
        found = separated.search(_COLOUR.sub("", text))
        return f"{found[2]!r} stands where '=' should" if found else "a blank stands where '=' should"

    return [
        _Way(lambda text: _COLOUR.sub("", text), lambda _: "colour codes stand in it", "print without colours"),
        _Way(
            lambda text: blank.sub(f"{name}=", separated.sub(r"\1=", text)),
            stands,
            f"print {name}=0.3 as kftune.report does",
        ),
        _Way(
            lambda text: re.sub("['\"]", "", text),
            lambda _: "quotes stand around the name or the value",
            f"print {name}=0.3 without quotes, as kftune.report does",
        ),
        _Way(
            lambda text: _IN_BRACKETS.sub(r"\1", text),
            lambda _: "brackets or a name stand before the number",
            "print the number alone, such as loss.item()",
        ),
        _Way(
            lambda text: _PUNCTUATION.sub(" ", text),
            lambda _: "punctuation stands right behind the value or before the name",
            "put blanks around name=value",
        ),
        _Way(
            lambda text: loose.sub(name, text),
            called,
            "give the objective the log's name, or print the name that the Experiment has",
        ),
        _Way(
            str,
            lambda _: "the filter does not find such a name",
            f"give metricsFormat this filter: {METRIC_FORMAT}",
            (METRIC_FORMAT,),
        ),
        _Way(
            lambda text: _NO_NUMBER.sub(r"\g<1>0", text),
            lambda _: "the value is no finite number",
            "stop the training at such a value, or report nothing for the step",
        ),
    ]


def _filter_for(name: str, text: str) -> str:
    """A filter for the form in which a line has the metric, as far as one can be."""
    found = re.search(rf"{re.escape(name)}(['\"]?){_SEPARATOR}(['\"]?)", text)
    between = f"{found[1]}\\s*{found[2]}\\s*{found[3]}" if found else "\\s+"
    return f"({re.escape(name)}){between}({NUMBER})"


def _loosely(name: str) -> re.Pattern[str]:
    """The name in any case, its words joined in any way."""
    words = [re.escape(word) for word in re.split(r"[^A-Za-z0-9]+", name) if word] or [re.escape(name)]
    return re.compile(r"(?<![A-Za-z0-9])" + r"[\s_/.:\\-]*".join(words) + r"(?![A-Za-z0-9])", re.IGNORECASE)
