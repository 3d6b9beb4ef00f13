"""What lint says of a study or pipeline file beside the Experiments that it renders to."""

from __future__ import annotations

from typing import Any, NamedTuple

from kftune.lint.report import Found, findings_json


class LocalMetric(NamedTuple):
    """What `kftune run` reads of one metric in a sample log."""

    name: str
    reduce: str
    values: int
    value: str | None
    """The value that stands for the trial; None for none."""
    refused: int
    """How many values were no finite numbers."""


class StudyReport(NamedTuple):
    """What lint says of a study file, or of a hyperparameter class, and its script."""

    found: Found
    name: str | None
    script: str | None = None
    """The script that it was compared with."""
    note: str = ""
    """Why something could not be compared."""
    here: tuple[LocalMetric, ...] = ()
    """What `kftune run` reads of the sample log."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        judgement, found = self.found
        return {
            "file": judgement.document.file,
            "name": self.name,
            "script": self.script,
            "note": self.note,
            "here": [metric._asdict() for metric in self.here],
            "outcome": judgement.outcome,
            "findings": findings_json(judgement.document, found),
        }


class PipelineReport(NamedTuple):
    """What lint says of a pipeline file."""

    found: Found
    name: str | None
    note: str = ""
    """Why it was not rendered for a target."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        judgement, found = self.found
        return {
            "file": judgement.document.file,
            "name": self.name,
            "note": self.note,
            "outcome": judgement.outcome,
            "findings": findings_json(judgement.document, found),
        }
