"""Tells people and programs what `kftune lint` found."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TextIO

from kftune.lint.report import Found, StudyReport, as_json, as_lines, summary_line

if TYPE_CHECKING:
    from kftune.lint.mending import Mended


class Report(NamedTuple):
    """Where a report goes, and how it looks."""

    stream: TextIO
    format: str
    """text, json, github or sarif."""
    katib: str
    """Which Katib was asked about."""

    def tell(
        self,
        experiments: Sequence[Found],
        studies: Sequence[StudyReport],
        changes: Sequence[Mended],
        *,
        shown_only: bool,
    ) -> None:
        """Writes the report.

        Args:
            experiments: What lint says of the Experiments.
            studies: What it says of study files.
            changes: What `--fix` has done.
            shown_only: Whether these changes were only shown.
        """
        found = [*experiments, *(study.found for study in studies)]
        if self.format == "json":
            self._line(json.dumps(as_json(experiments, self.katib, studies, changes), indent=2))
        elif self.format == "sarif":
            from kftune.lint.exchange import as_sarif

            self._line(json.dumps(as_sarif(found), indent=2))
        elif self.format == "github":
            from kftune.lint.exchange import github_lines

            for line in github_lines(found):
                self._line(line)
        else:
            self._text(experiments, studies, changes, "would be fixed" if shown_only else "fixed")

    def _text(
        self, experiments: Sequence[Found], studies: Sequence[StudyReport], changes: Sequence[Mended], done: str
    ) -> None:
        colours = self.stream.isatty() and "NO_COLOR" not in os.environ
        for change in changes:
            self._line(f"{change.file}:{change.line}:{change.column}: {change.code} {done}: {change.what}")
        for study in studies:
            for line in as_lines(*study.found, colours=colours):
                self._line(line)
            if study.note:
                self._line(f"{study.found[0].document.file}: not compared with a script in full: {study.note}")
        for found in experiments:
            for line in as_lines(*found, colours=colours):
                self._line(line)
        self._line(summary_line(experiments, studies, f"{len(changes)} {done}" if changes else ""))

    def _line(self, text: str) -> None:
        print(text, file=self.stream)
