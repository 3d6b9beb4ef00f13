"""Makes findings of rules."""

from __future__ import annotations

from kftune.katib.go.types import Path
from kftune.lint.rules.rule import Finding, Severity


def finding(code: str, path: Path, message: str, severity: Severity | None = None) -> Finding:
    """A finding of a rule, with the rule's remedy and, unless another is given, its severity."""
    from kftune.lint.rules.all import RULES

    rule = RULES[code]
    return Finding(code, severity or rule.severity, path, message, rule.remedy)
