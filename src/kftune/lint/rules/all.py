"""All rules by code. A new family of rules is added here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kftune.lint.rules import admission, advice, command, drift, metrics, object, pipeline, search, trial
from kftune.lint.rules.rule import Rule

_FAMILIES = (admission, advice, command, drift, metrics, object, pipeline, search, trial)
_ALL: list[Rule] = [
    rule._replace(source=rule.source or getattr(family, "SOURCE", "")) for family in _FAMILIES for rule in family.RULES
]

RULES: Mapping[str, Rule] = MappingProxyType({rule.code: rule for rule in sorted(_ALL, key=lambda rule: rule.code)})
