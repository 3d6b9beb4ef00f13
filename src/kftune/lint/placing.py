"""Places findings in files: line, column, and the comments that switch findings off."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kftune import yaml_text
from kftune.errors import KftuneError, YamlError
from kftune.katib.admission.reason import field_text
from kftune.lint.experiment import CheckedDocument
from kftune.lint.report import LintFinding
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import Document

_IGNORED = re.compile(r"#\s*kftune:\s*ignore\[([A-Z0-9, ]+)\]")
# A further line of an error message that begins with its place.
_MOST_REPEATED = 10
_PLACED = re.compile(r".*?:(\d+):(\d+): (.*)")


Found = tuple[CheckedDocument, list[LintFinding]]


def placed(checked: CheckedDocument) -> Iterator[LintFinding]:
    """Returns the findings with their places, except those that a comment on their line switches off."""
    piece = checked.document.piece
    found = [*zip(checked.findings, _places(checked), strict=True), *_repeated(checked.document)]
    lines = piece.text.splitlines() if found else []
    for each, (line, column) in found:
        ignored = _IGNORED.search(lines[line - 1]) if 0 < line <= len(lines) else None
        if ignored is None or each.code not in ignored[1].replace(" ", "").split(","):
            yield lint_finding(checked.document, each, piece.line + line, column)


def lint_finding(document: Document, found: Finding, line: int = 1, column: int = 1) -> LintFinding:
    """Returns a finding for a report.

    Args:
        document: The document of the finding.
        found: The finding.
        line: In the file, from 1.
        column: From 1.
    """
    return LintFinding(
        file=document.file,
        code=found.code,
        severity=found.severity,
        path=field_text((*document.prefix, *found.path)),
        line=line,
        column=column,
        message=found.message,
        remedy=found.remedy,
        page=page(found.code),
    )


def _repeated(document: Document) -> Iterator[tuple[Finding, tuple[int, int]]]:
    for each in document.repeated[:_MOST_REPEATED]:
        message = f"{each.key!r} is given twice: kubectl takes the last one, and a strict client refuses the file"
        yield finding("KT122", (), message), (each.line, each.column)
    for each in document.repeated[_MOST_REPEATED : _MOST_REPEATED + 1]:
        message = f"and {len(document.repeated) - _MOST_REPEATED} more keys are given twice"
        yield finding("KT122", (), message), (each.line, each.column)


def _places(checked: CheckedDocument) -> list[tuple[int, int]]:
    verdict, document, findings = checked.verdict, checked.document, checked.findings
    if not findings:
        return []  # the text need not be read again
    if verdict.line is not None and verdict.column is not None:
        return [(verdict.line, verdict.column)] * len(findings)
    wanted = [((*document.prefix, *each.path), each.code == "KT104") for each in findings]
    try:
        return yaml_text.locate_all(document.piece.text, wanted)
    except YamlError:
        return [(1, 1)] * len(findings)


def error_findings(document: Document, error: KftuneError, code: str) -> tuple[LintFinding, ...]:
    """Returns a finding for each line of an error about a study or pipeline, with its place if it has one.

    Args:
        document: The study or pipeline.
        error: Its error.
        code: The rule.
    """
    first, *others = str(getattr(error, "message", error)).split("\n")
    found = [(first, getattr(error, "line", None) or 1, getattr(error, "column", None) or 1)]
    for line in others:
        place = _PLACED.fullmatch(line)
        if place:
            found.append((place[3], int(place[1]), int(place[2])))
        else:
            found[-1] = (f"{found[-1][0]} {line.strip()}", *found[-1][1:])
    return tuple(lint_finding(document, finding(code, (), message), *place) for message, *place in found)


def page(code: str) -> str:
    """Returns where a rule is explained, relative to the project's folder."""
    return f"docs/lint/{code}.md"
