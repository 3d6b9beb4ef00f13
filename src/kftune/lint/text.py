"""Tells people and programs what `kftune lint` found."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TextIO

from kftune.lint.report import Checked, Found, as_json, as_lines, summary_line

if TYPE_CHECKING:
    from kftune.lint.sampling import Sample
    from kftune.lint.studies import StudyReport


class Report(NamedTuple):
    """Where a report goes, and how it looks."""

    stream: TextIO
    format: str
    """text, json, github or sarif."""
    katib: str
    """Which Katib was asked about."""
    done: str = "fixed"
    """What has become of the changes of --fix: fixed, or would be fixed."""

    def tell(self, checked: Checked) -> None:
        """Writes the report."""
        if self.format == "json":
            lines = iter([json.dumps(as_json(checked, self.katib), indent=2)])
        elif self.format == "sarif":
            from kftune.lint.exchange import as_sarif

            lines = iter([json.dumps(as_sarif(checked.found), indent=2)])
        elif self.format == "github":
            from kftune.lint.exchange import github_lines

            lines = github_lines(checked.found)
        else:
            lines = self._text(checked)
        for line in lines:
            # File names may hold bytes that are no UTF-8.
            print(line.encode(errors="backslashreplace").decode(), file=self.stream)

    def _text(self, checked: Checked) -> Iterator[str]:
        colours = self.stream.isatty() and "NO_COLOR" not in os.environ
        for change in checked.changes:
            yield f"{change.file}:{change.line}:{change.column}: {change.code} {self.done}: {change.what}"
        for found in checked.found:
            yield from as_lines(*found, colours=colours)
        for study in checked.studies:
            if study.note:
                yield f"{study.found[0].document.file}: not compared with a script in full: {study.note}"
        for pipeline in checked.pipelines:
            if pipeline.note:
                yield f"{pipeline.found[0].document.file}: not rendered for every target: {pipeline.note}"
        for found, sample in zip(checked.experiments, checked.samples, strict=False):
            yield from _sample(found, sample)
        for study in checked.studies:
            yield from _read_here(study)
        changed = f"{len(checked.changes)} {self.done}" if checked.changes else ""
        yield summary_line(checked, changed)


def _sample(found: Found, sample: Sample) -> Iterator[str]:
    from kftune.lint.sampling import as_lines as sample_lines

    judgement = found[0]
    name = f" ({judgement.name})" if judgement.name else ""
    yield f"{sample.log}, as Katib's collector reads it for {judgement.document.file}{name}:"
    yield from sample_lines(sample)


def _read_here(study: StudyReport) -> Iterator[str]:
    if study.here:
        yield f"the same log, as kftune run reads it for {study.name}:"
    for metric in study.here:
        count = f"{metric.values} value{'' if metric.values == 1 else 's'}"
        value = "no value" if metric.value is None else f"{count}; {metric.reduce} {metric.value!r}"
        refused = f"; {metric.refused} refused, no finite number" if metric.refused else ""
        yield f"  {metric.name}: {value}{refused}"
