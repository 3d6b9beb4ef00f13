"""All rules by their code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kftune.lint.rule import Rule
from kftune.lint.rules_admission import RULES as ADMISSION
from kftune.lint.rules_command import RULES as COMMANDS
from kftune.lint.rules_drift import RULES as DRIFT
from kftune.lint.rules_habit import RULES as HABITS
from kftune.lint.rules_metrics import RULES as METRICS
from kftune.lint.rules_object import RULES as OBJECTS
from kftune.lint.rules_pipeline import RULES as PIPELINES
from kftune.lint.rules_sample import RULES as SAMPLES
from kftune.lint.rules_search import RULES as SEARCH
from kftune.lint.rules_trial import RULES as TRIALS

_ALL = (ADMISSION, SEARCH, TRIALS, METRICS, COMMANDS, OBJECTS, HABITS, DRIFT, PIPELINES, SAMPLES)

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.code: rule for rule in sorted((rule for rules in _ALL for rule in rules), key=lambda rule: rule.code)}
)
