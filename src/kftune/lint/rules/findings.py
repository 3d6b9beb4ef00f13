"""Creates findings."""

from __future__ import annotations

from kftune.katib.go.types import Path
from kftune.lint.rules.rule import Finding, Severity


def finding(code: str, path: Path, message: str, severity: Severity | None = None) -> Finding:
    """Returns a finding with the remedy of its rule.

    Args:
        code: The rule.
        path: The place in the object.
        message: What is wrong, and why.
        severity: None for the severity of the rule.
    """
    from kftune.lint.rules.all import RULES  # loaded with the first finding: most files have none

    rule = RULES[code]
    return Finding(code, severity or rule.severity, path, message, rule.remedy)
