"""All rules by code. A new family of rules is added here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kftune.lint.rules.admission import RULES as ADMISSION
from kftune.lint.rules.advice import RULES as ADVICE
from kftune.lint.rules.command import RULES as COMMANDS
from kftune.lint.rules.drift import RULES as DRIFT
from kftune.lint.rules.metrics import RULES as METRICS
from kftune.lint.rules.object import RULES as OBJECTS
from kftune.lint.rules.pipeline import RULES as PIPELINES
from kftune.lint.rules.rule import Rule
from kftune.lint.rules.search import RULES as SEARCH
from kftune.lint.rules.trial import RULES as TRIALS

_ALL = (ADMISSION, SEARCH, TRIALS, METRICS, COMMANDS, OBJECTS, ADVICE, DRIFT, PIPELINES)

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.code: rule for rule in sorted((rule for rules in _ALL for rule in rules), key=lambda rule: rule.code)}
)
