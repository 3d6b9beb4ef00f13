"""Writes judgements: as JSON for programs, as lines for people.

The JSON is one object {`katib`, `documents`, `summary`}. Each document has `file`, `index` (from 0), `name`,
`admitted`, `stage`, `message` (what was said without reasons), `reasons` [{`field`, `type`, `detail`}] in the
webhook's order, `outcome` and `findings` [{`code`, `severity`, `path`, `line`, `column`, `message`, `remedy`, `page`}].
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kftune.errors import YamlError
from kftune.katib.admission.reason import field_text
from kftune.katib.go.types import Path
from kftune.lint.judging import Judgement
from kftune.lint.rule import Finding
from kftune.lint.sources import Document
from kftune.yaml_text import locate

_IGNORED = re.compile(r"#\s*kftune:\s*ignore\[([A-Z0-9, ]+)\]")


class Placed(NamedTuple):
    """A finding with its place in the file, from 1."""

    finding: Finding
    line: int
    column: int


def placed(judgement: Judgement) -> Iterator[Placed]:
    """The findings with their places, without those that a comment on their line switches off."""
    piece = judgement.document.piece
    lines = piece.text.splitlines()
    for finding in judgement.findings:
        line, column = _place(judgement, finding)
        if not _is_ignored(lines, line, finding.code):
            yield Placed(finding, piece.line + line, column)


def _place(judgement: Judgement, finding: Finding) -> tuple[int, int]:
    verdict, document = judgement.verdict, judgement.document
    if verdict.line is not None and verdict.column is not None:
        return verdict.line, verdict.column
    path = _existing((*document.prefix, *finding.path), document)
    try:
        return locate(document.piece.text, path, key=finding.code == "KT104")
    except YamlError:
        return 1, 1


def _existing(path: Path, document: Document) -> Path:
    """As much of the path as the object has; what is missing need not be looked for in the text."""
    value: Any = document.value
    path = path[len(document.prefix) :]
    for length, part in enumerate(path):
        inside = dict(enumerate(value)) if isinstance(value, list) else value
        if not isinstance(inside, dict) or part not in inside:
            path = path[:length]
            break
        value = inside[part]
    return (*document.prefix, *path)


def _is_ignored(lines: list[str], line: int, code: str) -> bool:
    found = _IGNORED.search(lines[line - 1]) if 0 < line <= len(lines) else None
    return found is not None and code in {part.strip() for part in found[1].split(",")}


def page(code: str) -> str:
    """Where the rule is explained, below the project's docs."""
    return f"docs/lint/{code}.md"


def as_json(judgements: Iterable[tuple[Judgement, list[Placed]]], katib: str) -> dict[str, Any]:
    """All judgements as one object."""
    documents = [_document(judgement, found) for judgement, found in judgements]
    outcomes = Counter(document["outcome"] for document in documents)
    return {"katib": katib, "documents": documents, "summary": dict(sorted(outcomes.items()))}


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
        "findings": [
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
        ],
    }


def as_lines(judgement: Judgement, found: list[Placed]) -> Iterator[str]:
    """One line a finding, with its remedy below."""
    for each in found:
        finding = each.finding
        place = f"{judgement.document.file}:{each.line}:{each.column}"
        yield f"{place}: {finding.code} {finding.severity}: {_one_line(finding.message)}"
        yield f"    {finding.remedy}"


def summary_line(judgements: list[Judgement]) -> str:
    """How many documents there were, and what becomes of them."""
    outcomes = Counter(judgement.outcome for judgement in judgements)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    count = len(judgements)
    return f"{count} Experiment{'' if count == 1 else 's'}: {told or 'none'}"


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n").encode(errors="backslashreplace").decode()
