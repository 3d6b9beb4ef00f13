"""Places findings in files: line, column, and the comments that switch findings off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kftune import yaml_text
from kftune.errors import KftuneError, YamlError
from kftune.katib.admission.reason import field_text
from kftune.katib.go.types import Path
from kftune.lint.experiment import CheckedDocument
from kftune.lint.report import LintFinding
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.sources import Document

_FEW = 2  # places that are found faster one by one
_IGNORED = re.compile(r"#\s*kftune:\s*ignore\[([A-Z0-9, ]+)\]")
# A further line of an error message that begins with its place.
_PLACED = re.compile(r".*?:(\d+):(\d+): (.*)")


class Placed(NamedTuple):
    """A finding with its place in the file, from 1."""

    finding: Finding
    line: int
    column: int


Found = tuple[CheckedDocument, list[Placed]]


def placed(checked: CheckedDocument) -> Iterator[Placed]:
    """Returns the findings with their places, without those that a comment on their line switches off."""
    piece = checked.document.piece
    lines = piece.text.splitlines() if checked.findings else []
    for each, (line, column) in zip(checked.findings, _places(checked), strict=True):
        ignored = _IGNORED.search(lines[line - 1]) if 0 < line <= len(lines) else None
        if ignored is None or each.code not in ignored[1].replace(" ", "").split(","):
            yield Placed(each, piece.line + line, column)


def _places(checked: CheckedDocument) -> list[tuple[int, int]]:
    verdict, document, findings = checked.verdict, checked.document, checked.findings
    if verdict.line is not None and verdict.column is not None:
        return [(verdict.line, verdict.column)] * len(findings)
    wanted = [(document.prefix + _existing(each.path, document.value), each.code == "KT104") for each in findings]
    try:
        if len(wanted) > _FEW:
            return yaml_text.locate_all(document.piece.text, wanted)
        return [yaml_text.locate(document.piece.text, path, key=key) for path, key in wanted]
    except YamlError:
        return [(1, 1)] * len(findings)


def _existing(path: Path, value: Any) -> Path:
    """Returns the part of a path that the object has; the rest cannot be found in the text."""
    for length, part in enumerate(path):
        if isinstance(value, list):
            known = isinstance(part, int) and part < len(value)
        else:
            known = isinstance(value, dict) and part in value
        if not known:
            return path[:length]
        value = value[part]
    return path


def lint_findings(document: Document, found: Iterable[Placed]) -> tuple[LintFinding, ...]:
    """Returns findings of a document for a report."""
    return tuple(
        LintFinding(
            file=document.file,
            code=each.code,
            severity=each.severity,
            path=field_text((*document.prefix, *each.path)),
            line=line,
            column=column,
            message=each.message,
            remedy=each.remedy,
            page=page(each.code),
        )
        for each, line, column in found
    )


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
    return lint_findings(document, [Placed(finding(code, (), message), *place) for message, *place in found])


def page(code: str) -> str:
    """Returns where a rule is explained, relative to the project's folder."""
    return f"docs/lint/{code}.md"
