"""Writes the values of a trial into a user's YAML file, with the evidence for them.

`Target` is the place in the file, `chosen` gives the values of a trial, `evidence_for` compares them with the present
ones, and `plan` makes the changed text. Nothing here prints or asks.
"""

from __future__ import annotations

from kftune.applying.baseline import with_baseline
from kftune.applying.chosen import Chosen, choose
from kftune.applying.evidence import Evidence, Problem, baseline_command, evidence_for
from kftune.applying.message import Message, message_for
from kftune.applying.plan import Plan, plan, plan_for, snippet
from kftune.applying.target import Target

__all__ = [
    "Chosen",
    "Evidence",
    "Message",
    "Plan",
    "Problem",
    "Target",
    "baseline_command",
    "choose",
    "evidence_for",
    "message_for",
    "plan",
    "plan_for",
    "snippet",
    "with_baseline",
]
