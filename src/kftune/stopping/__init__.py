"""Stopping rules: which trials of a study end before their time, and what ends the study itself.

A rule is one module with one class. It has no state: everything that it judges by is in `Histories`, so the same rule
judges trials that run here, recorded curves, and the trials that Katib's early stopping service is asked about.
"""

from kftune.stopping.facts import EndedTrial, StudyFacts, TargetResult
from kftune.stopping.history import Histories, History, Report
from kftune.stopping.rule import Delay, Reports, StudyRule, TrialRule
from kftune.stopping.rules import RULES, Rule, rules_from_spec, spec_from_rules

__all__ = [
    "RULES",
    "Delay",
    "EndedTrial",
    "Histories",
    "History",
    "Report",
    "Reports",
    "Rule",
    "StudyFacts",
    "StudyRule",
    "TargetResult",
    "TrialRule",
    "rules_from_spec",
    "spec_from_rules",
]
