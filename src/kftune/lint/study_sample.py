"""Shows what `kftune run` reads in a real log of a study, why it does not read similar lines, and what regexes cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from kftune.lint.report import LocalMetric
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.sampling import NearMiss
from kftune.metrics.cut_numbers import cut_reports
from kftune.metrics.definition import exponent_notes
from kftune.metrics.log_lines import LogLines
from kftune.metrics.near_reports import near_reports
from kftune.metrics.reduction import reduce_file
from kftune.study import Study
from kftune.study.objectives import place_of


class StudySample(NamedTuple):
    """What `kftune run` reads in a log."""

    metrics: tuple[LocalMetric, ...] = ()
    """The objectives first."""
    near: tuple[NearMiss, ...] = ()
    """Lines that could be read if they, or the study, were written slightly differently."""
    findings: tuple[Finding, ...] = ()
    """What is wrong, with places in the study."""


def study_sample(study: Study, log: str | Path) -> StudySample:
    """Returns what `kftune run` reads in a log.

    Args:
        study: The study.
        log: The file.
    """
    definitions = {each.name: each for each in study.metric_definitions}
    lines = LogLines(log)
    read = reduce_file(log, [*study.reductions], study.metric_definitions)
    metrics: list[LocalMetric] = []
    near: list[NearMiss] = []
    for name, reduce in study.reductions.items():
        values = read.result(name)
        counts = values is not None and values.number(reduce) is not None
        refused = sum(count for (metric, _), count in read.refused.items() if metric == name)
        text = values.text(reduce) if values is not None and counts else None
        metrics.append(LocalMetric(name, reduce, values.count if values else 0, text, refused))
        if values is None:
            found = near_reports(name, lines, definitions.get(name), place_of(name, study)[0])
            near += [NearMiss(name, *each) for each in found]
    findings = (*_missing(str(log), metrics, near, study), *_cut(str(log), lines, study))
    return StudySample(tuple(metrics), tuple(near), findings)


def regex_findings(study: Study) -> Iterator[Finding]:
    """Yields what is wrong with the regexes of a study's metrics."""
    for definition in study.metric_definitions:
        for note in exponent_notes([definition]):
            yield finding("KT248", (*place_of(definition.name, study), "regex"), note)


def _cut(log: str, lines: Iterable[bytes], study: Study) -> Iterator[Finding]:
    """Yields the values of which only a part is read."""
    for cut in cut_reports(lines, study.metric_definitions):
        message = f"{log}:{cut.line}: {cut.metric} is read as {cut.read!r}, where {cut.whole!r} stands"
        found = finding("KT503", (*place_of(cut.metric, study), "regex"), message)
        yield found._replace(remedy=cut.remedy)


def _missing(log: str, metrics: list[LocalMetric], near: list[NearMiss], study: Study) -> Iterator[Finding]:
    """Yields the metrics without a value."""
    for metric in metrics:
        if metric.value is not None:
            continue
        message = f"no line of {log} has a value of {metric.name!r}"
        remedy = f"print {metric.name}=0.3 as kftune.report does, or give it a regex"
        line = next((each for each in near if each.metric == metric.name), None)
        if line is not None:
            message += f": line {line.line} almost, but {line.why}"
            remedy = line.remedy
        if metric.values:
            message = f"the latest value of {metric.name!r} in {log} counts, and it is not a finite number"
            remedy = "let the training end with an exit code other than 0 at such a value"
        place = place_of(metric.name, study)
        if place[0] == "metrics":
            yield finding("KT502", place, message)._replace(remedy=remedy)
        else:
            yield finding("KT501", (*place, "metric"), message)._replace(remedy=remedy)
