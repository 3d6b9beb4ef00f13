"""Rules and findings: what lint can say of an Experiment, and where it says it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from kftune.katib.go.types import Path

Severity = Literal["refused", "fails", "hangs", "wrong", "habit"]

# Worst first.
SEVERITIES: tuple[Severity, ...] = ("refused", "fails", "hangs", "wrong", "habit")

MEANINGS: dict[Severity, str] = {
    "refused": "the cluster does not create it",
    "fails": "it is created and ends Failed at once",
    "hangs": "it is created and never completes",
    "wrong": "it completes with numbers that are not what was asked for",
    "habit": "it works; another way is safer",
}


class Rule(NamedTuple):
    """One kind of finding; its page in docs/lint is made of this."""

    code: str
    """Stable: `KT1..` admission, `KT2..` prediction, `KT3..` habit."""
    severity: Severity
    """The usual one; a finding may have another where the algorithm decides it."""
    title: str
    explanation: str
    remedy: str
    fails: str
    """YAML that is laid over the example Experiment and makes the rule speak; null removes a field."""
    passes: str
    """The same for an Experiment that the rule has nothing against; empty for the example itself."""
    source: str


class Finding(NamedTuple):
    """What lint says of one place."""

    code: str
    severity: Severity
    path: Path
    message: str
    remedy: str


def worst(severities: list[Severity]) -> Severity | None:
    """The worst of them; None when there are none."""
    return min(severities, key=SEVERITIES.index, default=None)
