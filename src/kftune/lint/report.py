"""What lint reports: records for Python, and the JSON of `kftune lint --format json`.

Each record is one object of the JSON; `kftune.lint.schema` makes the JSON Schema of the same classes and docstrings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from kftune.katib.admission.defaults import KatibVersion
from kftune.lint.json_types import Count, Keywords, Place
from kftune.lint.rules.rule import SEVERITIES, Outcome, Severity

if TYPE_CHECKING:
    from kftune.lint.sampling import NearMiss, Sample


Code = Annotated[str, Keywords(pattern="^KT[1-9][0-9]{2}$")]


class LintFinding(NamedTuple):
    """A problem at one place of a file."""

    file: str
    """The file of the document, named as there."""
    code: Code
    """The rule; each has a page in docs/lint."""
    severity: Severity
    path: str
    """In the document, such as spec.parameters[0].name."""
    line: Place
    """In the file, from 1."""
    column: Place
    """From 1."""
    message: str
    """What is wrong, and why."""
    remedy: str
    """What to do."""
    page: str
    """The page of the rule, relative to the project's folder."""


class RefusalReason(NamedTuple):
    """A reason of the API server or the webhook."""

    field: str
    """The path as the webhook writes it."""
    type: str
    """Required, Invalid, Forbidden or TooLong."""
    detail: str


class ExperimentReport(NamedTuple):
    """An Experiment, or a document that should be one."""

    file: str
    """As it was given; <stdin>; FILE (rendered) for what a study renders to, FILE (step NAME, rendered) for what a
    tune step of a pipeline renders to."""
    index: Count  # type: ignore[assignment]  # hides tuple.index, which nothing calls
    """Which document of the file, from 0."""
    name: str | None
    """metadata.name, or generateName."""
    admitted: bool
    """Whether the cluster creates it."""
    stage: Literal["yaml", "server", "decode", "webhook", "panic", "admitted"]
    """Where it is refused: the text, the API server, Katib's decoding, Katib's webhook."""
    message: str
    """The message of a refusal without reasons; empty if there is none."""
    reasons: tuple[RefusalReason, ...]
    """Of the API server or the webhook, in their order."""
    outcome: Outcome
    findings: tuple[LintFinding, ...]
    sample: Sample | None = None
    """What it reads from the log of --sample-log."""


class LocalMetric(NamedTuple):
    """What `kftune run` reads of one metric in a sample log."""

    name: str
    reduce: Literal["min", "max", "latest"]
    values: Count
    """How many there are."""
    value: str | None
    """The value of the trial, as it was printed; null for none."""
    refused: Count
    """How many values are not finite numbers."""


class ImportedModule(NamedTuple):
    """A module that was imported, so its code ran."""

    name: str
    file: str
    """Empty if it has none."""


class StudyReport(NamedTuple):
    """A study file, or a class that was compared with --hparams."""

    file: str
    name: str | None
    """Of the study, or of the class."""
    outcome: Outcome
    findings: tuple[LintFinding, ...]
    script: str | None = None
    """The training script that it was compared with."""
    note: str = ""
    """Why the comparison is not complete; empty if it is."""
    here: tuple[LocalMetric, ...] = ()
    """What kftune run reads in the sample log."""
    near: tuple[NearMiss, ...] = ()
    """Lines of the sample log that could be read if they, or the study, were written slightly differently."""
    unjudged: str = ""
    """Why no Experiment was judged; empty if one was, and for a class."""
    imported: tuple[ImportedModule, ...] = ()
    """The modules that were imported for it, apart from kftune's own."""
    read: tuple[str, ...] = ()
    """With --no-import: the classes that were read from their source. Their methods are unknown."""
    not_imported: tuple[str, ...] = ()
    """With --no-import: why it was not judged, or not completely."""


class PipelineReport(NamedTuple):
    """A pipeline file."""

    file: str
    name: str | None
    outcome: Outcome
    findings: tuple[LintFinding, ...]
    note: str = ""
    """Why it was not rendered for a target; empty if it was."""
    imported: tuple[ImportedModule, ...] = ()
    """The modules that were imported for it, apart from kftune's own."""
    read: tuple[str, ...] = ()
    """With --no-import: the classes that were read from their source. Their methods are unknown."""
    not_imported: tuple[str, ...] = ()
    """With --no-import: why it was not judged, or not completely."""


class AppliedFix(NamedTuple):
    """A fix that --fix wrote, or --diff showed."""

    file: str
    line: Place
    """In the text before it."""
    column: Place
    code: Code
    what: str
    """What was done."""


class LintReport(NamedTuple):
    """All that one call of lint found; findings are sorted by line."""

    katib: KatibVersion
    """The version of Katib that is assumed."""
    documents: tuple[ExperimentReport, ...]
    """The Experiments, in the order of the input, and unreadable documents."""
    studies: tuple[StudyReport, ...]
    """The study files, and classes compared with --hparams."""
    pipelines: tuple[PipelineReport, ...]
    """The pipeline files."""
    passed_over: tuple[str, ...]
    """Files that contain nothing to check."""
    fixed: tuple[AppliedFix, ...]
    """What --fix wrote, or --diff showed."""
    summary: Mapping[str, Count]
    """Outcome -> how many documents have it."""

    @property
    def findings(self) -> tuple[LintFinding, ...]:
        """All findings, sorted by file, then by line."""
        parts: list[StudyReport | PipelineReport | ExperimentReport] = [*self.studies, *self.pipelines, *self.documents]
        return tuple(found for each in sorted(parts, key=lambda each: each.file) for found in each.findings)

    @property
    def ok(self) -> bool:
        """Whether `kftune lint` exits with 0 by default: nothing worse than advice."""
        return not self.fails("wrong")

    def fails(self, least: Severity) -> bool:
        """Returns whether there is a finding of the severity `least` or a worse one."""
        worse = SEVERITIES[: SEVERITIES.index(least) + 1]
        return any(finding.severity in worse for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Returns the report as plain values; `kftune schema lint` prints their JSON Schema."""
        found: dict[str, Any] = _plain(self)
        return found


def _plain(value: Any) -> Any:
    """Turns records into dicts, without a sample that is None."""
    if not hasattr(value, "_asdict"):
        return [_plain(each) for each in value] if isinstance(value, tuple) else value
    fields = value._asdict().items()
    return {name: _plain(each) for name, each in fields if each is not None or name != "sample"}
