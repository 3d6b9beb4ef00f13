"""All rules by their code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kftune.lint.rule import Rule
from kftune.lint.rules_admission import RULES as ADMISSION
from kftune.lint.rules_drift import RULES as DRIFT
from kftune.lint.rules_habit import RULES as HABITS
from kftune.lint.rules_pipeline import RULES as PIPELINES
from kftune.lint.rules_sample import RULES as SAMPLES
from kftune.lint.rules_search import RULES as SEARCH
from kftune.lint.rules_trial import RULES as TRIALS

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.code: rule for rules in (ADMISSION, SEARCH, TRIALS, HABITS, DRIFT, PIPELINES, SAMPLES) for rule in rules}
)
