"""Rules and findings: what lint reports about an Experiment, and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from kftune.katib.go.types import Path

Severity = Literal["refused", "fails", "hangs", "wrong", "advice"]

Outcome = Literal["refused", "fails", "hangs", "wrong", "ok"]

# Worst first.
SEVERITIES: tuple[Severity, ...] = ("refused", "fails", "hangs", "wrong", "advice")


def worst(severities: Iterable[Severity]) -> Outcome:
    """Returns the outcome that findings stand for: the worst of their severities, apart from advice."""
    found = {*severities}
    return next((each for each in SEVERITIES if each in found and each != "advice"), "ok")


MEANINGS: dict[Severity, str] = {
    "refused": "the cluster does not create it",
    "fails": "it is created and ends Failed: the engine refuses it, or its trials fail or have no metrics",
    "hangs": "it is created and never completes",
    "wrong": "it completes, but its numbers are not what was asked for",
    "advice": "it works; another way is safer",
}

# What several families of rules were read from.
RUNTIME = "katib v0.19.0, pkg/controller.v1beta1; recorded runs"
COLLECTOR = "katib v0.19.0, pkg/metricscollector/v1beta1; recorded runs"
WRAPPER = "katib v0.19.0, pkg/webhook/v1beta1/pod; recorded runs in dash and bash"


class Rule(NamedTuple):
    """One kind of finding; its page in docs/lint is generated from this. Create it with keywords."""

    code: str
    """Stable: `KT1..` admission, `KT2..` prediction, `KT3..` advice, `KT4..` files of kftune, `KT5..` sample logs."""
    severity: Severity
    """The usual one; a finding may have another where the algorithm decides it."""
    title: str
    explanation: str
    remedy: str
    source: str = ""
    """What it was read from; empty for SOURCE of its family."""
    fails: str = ""
    """A change of the example Experiment that the rule reports, as YAML; for a rule about scripts, a part of one."""
    passes: str = ""
    """The same for what passes; empty for the example itself."""


class Finding(NamedTuple):
    """A problem at one place of an object."""

    code: str
    severity: Severity
    path: Path
    message: str
    remedy: str
