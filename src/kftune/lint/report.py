"""Writes judgements: as JSON for programs (`kftune schema lint` describes it), as lines for people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune import yaml_text
from kftune.errors import YamlError
from kftune.katib.admission.reason import field_text
from kftune.lint.judging import Judgement
from kftune.lint.rules.rule import SEVERITIES, Finding
from kftune.lint.sources import Document

if TYPE_CHECKING:
    from kftune.lint.mending import Mended
    from kftune.lint.sampling import Sample
    from kftune.lint.studies import PipelineReport, StudyReport

# Red for what never gets its numbers, yellow for numbers that mislead, cyan for advice.
_COLOURS = {
    **dict.fromkeys(("refused", "fails", "hangs"), "\033[31m"),
    "wrong": "\033[33m",
    "habit": "\033[36m",
}

_IGNORED = re.compile(r"#\s*kftune:\s*ignore\[([A-Z0-9, ]+)\]")


class Placed(NamedTuple):
    """A finding with its place in the file, from 1."""

    finding: Finding
    line: int
    column: int


Found = tuple[Judgement, list[Placed]]


class Checked(NamedTuple):
    """All that one call of lint found."""

    experiments: Sequence[Found]
    studies: Sequence[StudyReport] = ()
    pipelines: Sequence[PipelineReport] = ()
    changes: Sequence[Mended] = ()
    """What --fix has changed."""
    samples: Sequence[Sample] = ()
    """What each Experiment would make of the sample log; empty when there is none."""

    @property
    def found(self) -> list[Found]:
        """The findings of all, by file."""
        found = [*(each.found for each in self.studies), *(each.found for each in self.pipelines), *self.experiments]
        return sorted(found, key=lambda pair: pair[0].document.file)


def placed(judgement: Judgement) -> Iterator[Placed]:
    """The findings with their places, without those that a comment on their line switches off."""
    piece = judgement.document.piece
    lines = piece.text.splitlines()
    for finding, (line, column) in zip(judgement.findings, _places(judgement), strict=True):
        if not _is_ignored(lines, line, finding.code):
            yield Placed(finding, piece.line + line, column)


def _places(judgement: Judgement) -> list[tuple[int, int]]:
    verdict, document, findings = judgement.verdict, judgement.document, judgement.findings
    if verdict.line is not None and verdict.column is not None:
        return [(verdict.line, verdict.column)] * len(findings)
    wanted = [((*document.prefix, *finding.path), finding.code == "KT104") for finding in findings]
    try:
        return yaml_text.locate_all(document.piece.text, wanted)
    except YamlError:
        return [(1, 1)] * len(findings)


def _is_ignored(lines: list[str], line: int, code: str) -> bool:
    found = _IGNORED.search(lines[line - 1]) if 0 < line <= len(lines) else None
    return found is not None and code in {part.strip() for part in found[1].split(",")}


def page(code: str) -> str:
    """Where the rule is explained, below the project's docs."""
    return f"docs/lint/{code}.md"


def as_json(checked: Checked, katib: str) -> dict[str, Any]:
    """All judgements as one object; its schema is `kftune.lint.schema`."""
    documents = [_document(judgement, found) for judgement, found in checked.experiments]
    for document, sample in zip(documents, checked.samples, strict=False):
        document["sample"] = sample.as_json()
    outcomes = Counter(document["outcome"] for document in documents)
    return {
        "katib": katib,
        "documents": documents,
        "studies": [study.as_json() for study in checked.studies],
        "pipelines": [pipeline.as_json() for pipeline in checked.pipelines],
        "fixed": [change._asdict() for change in checked.changes],
        "summary": dict(sorted(outcomes.items())),
    }


def _document(judgement: Judgement, found: list[Placed]) -> dict[str, Any]:
    verdict, document = judgement.verdict, judgement.document
    return {
        "file": document.file,
        "index": document.number,
        "name": judgement.name,
        "admitted": verdict.admitted,
        "stage": verdict.stage,
        "message": verdict.message,
        "reasons": [
            {"field": reason.field, "type": reason.type, "detail": reason.detail} for reason in verdict.reasons
        ],
        "outcome": judgement.outcome,
        "findings": findings_json(document, found),
    }


def findings_json(document: Document, found: list[Placed]) -> list[dict[str, Any]]:
    """The findings of a document for programs."""
    return [
        {
            "code": each.finding.code,
            "severity": each.finding.severity,
            "path": field_text((*document.prefix, *each.finding.path)),
            "line": each.line,
            "column": each.column,
            "message": each.finding.message,
            "remedy": each.finding.remedy,
            "page": page(each.finding.code),
        }
        for each in found
    ]


def as_lines(judgement: Judgement, found: list[Placed], *, colours: bool = False) -> Iterator[str]:
    """One line a finding, with its remedy below."""
    bold, colour, end = ("\033[1m", _COLOURS, "\033[0m") if colours else ("", {}, "")
    for each in found:
        finding = each.finding
        place = f"{judgement.document.file}:{each.line}:{each.column}"
        severity = f"{colour.get(finding.severity, '')}{finding.code} {finding.severity}{end}"
        yield f"{bold}{place}{end}: {severity}: {printable(finding.message)}"
        yield f"    {finding.remedy}"


def summary_line(checked: Checked, changed: str = "") -> str:
    """How many documents and findings there were, and what becomes of them."""
    outcomes = Counter(judgement.outcome for judgement, _ in checked.experiments)
    severities = Counter(each.finding.severity for _, found in checked.found for each in found)
    parts = []
    if checked.experiments or not (checked.studies or checked.pipelines):
        parts.append(f"{_number(len(checked.experiments), 'Experiment')}: {_counts(outcomes) or 'none'}")
    if severities or not parts:
        parts.append(f"{_number(sum(severities.values()), 'finding')}: {_counts(severities) or 'none'}")
    return "; ".join([*parts, *filter(None, [changed])])


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _counts(counter: Mapping[Any, int]) -> str:
    """Counts of severities or outcomes, the worst first."""
    return ", ".join(f"{counter[name]} {name}" for name in (*SEVERITIES, "ok") if counter.get(name))


def printable(text: str) -> str:
    """A text on one line, with what no terminal shows as escapes."""
    text = "".join(char if char.isprintable() or char in "\r\n" else f"\\x{ord(char):02x}" for char in text)
    return text.replace("\r", "\\r").replace("\n", "\\n").encode(errors="backslashreplace").decode()
