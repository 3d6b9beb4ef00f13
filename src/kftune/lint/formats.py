"""Writes reports: as text, as GitHub's annotations, as SARIF for code scanning, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from kftune.lint.report import LintReport, PipelineReport, StudyReport
from kftune.lint.rules.rule import SEVERITIES, Outcome, Severity, worst
from kftune.shown import on_one_line

if TYPE_CHECKING:
    from kftune.lint.sampling import MetricSample, NearMiss, Sample

Format = Literal["text", "json", "github", "sarif"]
Level = Literal["error", "warning", "advice"]

_LEVELS: dict[Severity, Level] = {"wrong": "warning", "advice": "advice"}  # all others are errors
_COLOURS: dict[Level, str] = {"error": "\033[31m", "warning": "\033[33m", "advice": "\033[36m"}
_PLURALS = {"class": "classes", "study": "studies"}
_MOST_ENDS = 3


def level(severity: Severity) -> Level:
    """Returns the level of a severity: error, warning or advice."""
    return _LEVELS.get(severity, "error")


def lines(report: LintReport, form: Format, *, done: str = "fixed", colours: bool = False) -> Iterator[str]:
    """Returns the lines of a report.

    Args:
        report: What was found.
        form: The format.
        done: For text, what happened to the fixes: "fixed" or "would be fixed".
        colours: Whether the text has a terminal's colours.
    """
    if form == "json":
        return iter([json.dumps(report.as_json(), indent=2)])
    if form == "sarif":
        return iter([json.dumps(_sarif(report), indent=2)])
    return _github(report) if form == "github" else _text(report, done, colours=colours)


# -- text ------------------------------------------------------------------------------------------------------------


def _text(report: LintReport, done: str, *, colours: bool) -> Iterator[str]:
    bold, end = ("\033[1m", "\033[0m") if colours else ("", "")
    for change in report.fixed:
        yield f"{change.file}:{change.line}:{change.column}: {change.code} {done}: {change.what}"
    for each in report.findings:
        colour = _COLOURS[level(each.severity)] if colours else ""
        place = f"{bold}{each.file}:{each.line}:{each.column}{end}"
        yield f"{place}: {colour}{each.code} {each.severity}{end}: {on_one_line(each.message)}"
        yield f"    {each.remedy}"
    yield from _notes(report)
    yield from _samples(report)
    yield from _imported(report)
    yield _summary(report, done)


def _notes(report: LintReport) -> Iterator[str]:
    """Says what was not looked at, and why."""
    for study in report.studies:
        if study.note:
            yield f"{study.file}: not fully compared with a script: {study.note}"
        if study.unjudged and not study.not_imported and _outcome(study) != "refused":
            yield f"{study.file}: no Experiment was checked: {study.unjudged}"
    for pipeline in report.pipelines:
        if pipeline.note:
            yield f"{pipeline.file}: not rendered for every target: {pipeline.note}"
    for each in _authored(report):
        yield from (f"{each.file}: not judged (--no-import): {why}" for why in each.not_imported)
        for name in each.read:
            yield f"{each.file}: {name} was read from its source, so what its methods refuse is unknown"


def _imported(report: LintReport) -> Iterator[str]:
    """Says whose code has run."""
    modules = {module for each in _authored(report) for module in each.imported}
    if modules:
        yield f"imported: {', '.join(f'{each.name} ({each.file})' for each in sorted(modules))}"


def _samples(report: LintReport) -> Iterator[str]:
    for document in report.documents:
        if document.sample is not None:
            name = f" ({document.name})" if document.name else ""
            yield f"{document.sample.log}, as Katib's collector reads it for {document.file}{name}:"
            yield from sample_lines(document.sample)
    for study in report.studies:
        if study.here:
            yield f"the same log, as kftune run reads it for {study.name}:"
        for metric in study.here:
            value = "no value"
            if metric.value is not None:
                value = f"{_number(metric.values, 'value')}; {metric.reduce} {metric.value!r}"
            refused = f"; {metric.refused} not a finite number" if metric.refused else ""
            yield f"  {metric.name}: {value}{refused}"
        yield from _near(study.near)


def sample_lines(sample: Sample) -> Iterator[str]:
    """Returns the lines that show what the collector reads in a log."""
    if sample.unread or sample.error:
        yield f"  {sample.unread or f'the collector stops, and the trial fails: {sample.error}'}"
    for index, metric in enumerate(sample.metrics):
        role = "objective" if index == 0 else "additional"
        yield f"  {metric.name} ({role}, {metric.strategy} counts): {_values(metric)}"
        many = metric.values > 2 * _MOST_ENDS
        for row in metric.rows[:_MOST_ENDS] if many else metric.rows:
            yield _row(row.line, row.value, row.note)
        if many:
            yield "    ..."
            yield from (_row(row.line, row.value, row.note) for row in metric.rows[-_MOST_ENDS:])
    yield from _near(sample.near)


def _near(found: Sequence[NearMiss]) -> Iterator[str]:
    for near in found:
        yield f"  line {near.line} almost has a value of {near.metric}: {on_one_line(near.text)}"
        yield f"    {near.why}; {near.remedy}"


def _row(line: int, value: str, note: str) -> str:
    return f"    line {line}: {value!r}{f'   ({note})' if note else ''}"


def _values(metric: MetricSample) -> str:
    from kftune.katib.trial.collector import UNAVAILABLE

    if not metric.rows:
        return "no value; Katib stores 'unavailable'" if metric.counts == UNAVAILABLE else "no value"
    count = _number(metric.values, "value")
    if metric.latest == UNAVAILABLE:
        return f"{count}, but Katib keeps none because the objective has no value"
    return f"{count}; min {metric.min!r}, max {metric.max!r}, latest {metric.latest!r}"


def _summary(report: LintReport, done: str) -> str:
    """Returns how many documents and findings there are, and how many files were passed over."""
    groups: dict[str, list[Outcome]] = {"class": [], "study": [], "pipeline": []}
    for study in report.studies:
        groups["class" if study.file.endswith(".py") else "study"].append(_outcome(study))
    groups["pipeline"] += [_outcome(pipeline) for pipeline in report.pipelines]
    parts = []
    for what, found in groups.items():
        bad = _counts(found) if set(found) - {"ok"} else ""
        parts += [f"{_number(len(found), what)}{bad and f': {bad}'}"] if found else []
    if report.documents or not parts:
        outcomes = _counts([each.outcome for each in report.documents])
        parts.append(f"{_number(len(report.documents), 'Experiment')}: {outcomes or 'none'}")
    if report.findings:
        severities = _counts([each.severity for each in report.findings])
        parts.append(f"{_number(len(report.findings), 'finding')}: {severities}")
    if report.fixed:
        parts.append(f"{len(report.fixed)} {done}")
    if report.passed_over:
        parts.append(f"{_number(len(report.passed_over), 'other file')} passed over")
    return "; ".join(parts)


def _authored(report: LintReport) -> list[StudyReport | PipelineReport]:
    return [*report.studies, *report.pipelines]


def _outcome(report: StudyReport | PipelineReport) -> Outcome:
    """Returns the outcome that the reported findings stand for."""
    return worst(each.severity for each in report.findings)


def _number(count: int, what: str) -> str:
    return f"{count} {what if count == 1 else _PLURALS.get(what, f'{what}s')}"


def _counts(found: Sequence[str]) -> str:
    """Returns counts of severities or outcomes, the worst first."""
    counts = Counter(found)
    return ", ".join(f"{counts[name]} {name}" for name in (*SEVERITIES, "ok") if counts[name])


# -- other programs --------------------------------------------------------------------------------------------------


def _github(report: LintReport) -> Iterator[str]:
    for each in report.findings:
        kind = level(each.severity).replace("advice", "notice")
        place = f"file={_escaped(each.file)},line={each.line},col={each.column}"
        message = _escaped(f"{each.severity}: {each.message}; {each.remedy}")
        yield f"::{kind} {place},title={each.code}::{message}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _sarif(report: LintReport) -> dict[str, Any]:
    """Returns a SARIF 2.1.0 log."""
    from kftune._version import __version__
    from kftune.lint.placing import page
    from kftune.lint.rules.all import RULES

    rules = [
        {
            "id": rule.code,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.explanation},
            "help": {"text": f"{rule.remedy} ({page(rule.code)})"},
            "defaultConfiguration": {"level": _sarif_level(rule.severity)},
        }
        for rule in RULES.values()
    ]
    results = [
        {
            "ruleId": each.code,
            "level": _sarif_level(each.severity),
            "message": {"text": f"{each.message}; {each.remedy}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": each.file},
                        "region": {"startLine": each.line, "startColumn": each.column},
                    }
                }
            ],
        }
        for each in report.findings
    ]
    driver = {"name": "kftune lint", "version": __version__, "rules": rules}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _sarif_level(severity: Severity) -> str:
    return level(severity).replace("advice", "note")
