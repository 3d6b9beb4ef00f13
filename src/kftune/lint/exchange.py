"""Findings in the formats of other programs: GitHub's annotations, and SARIF for code scanning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kftune._version import __version__
from kftune.lint.judging import Judgement
from kftune.lint.report import Found, Placed, page
from kftune.lint.rules.all import RULES
from kftune.lint.rules.rule import Severity


def github_lines(judged: Iterable[Found]) -> Iterator[str]:
    """One workflow command a finding."""
    for judgement, found in judged:
        for each in found:
            kind = "notice" if each.finding.severity == "habit" else "error"
            place = f"file={_escaped(judgement.document.file)},line={each.line},col={each.column}"
            message = _escaped(f"{each.finding.severity}: {each.finding.message}; {each.finding.remedy}")
            yield f"::{kind} {place},title={each.finding.code}::{message}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def as_sarif(judged: Iterable[Found]) -> dict[str, Any]:
    """All findings as one SARIF 2.1.0 log."""
    results = [_result(judgement, each) for judgement, found in judged for each in found]
    rules = [
        {
            "id": rule.code,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.explanation},
            "help": {"text": f"{rule.remedy} ({page(rule.code)})"},
            "defaultConfiguration": {"level": _level(rule.severity)},
        }
        for rule in RULES.values()
    ]
    driver = {"name": "kftune lint", "version": __version__, "rules": rules}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(judgement: Judgement, each: Placed) -> dict[str, Any]:
    location = {
        "artifactLocation": {"uri": judgement.document.file},
        "region": {"startLine": each.line, "startColumn": each.column},
    }
    return {
        "ruleId": each.finding.code,
        "level": _level(each.finding.severity),
        "message": {"text": f"{each.finding.message}; {each.finding.remedy}"},
        "locations": [{"physicalLocation": location}],
    }


def _level(severity: Severity) -> str:
    return "note" if severity == "habit" else "error"
