"""The rules of a study's `stopping`: their names, and their form in a file."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationError, WithJsonSchema

from kftune.errors import suggestion
from kftune.spec.part import PartError, located
from kftune.stopping.rule import StudyRule, TrialRule
from kftune.validation import findings

Rule = TrialRule | StudyRule

# Kind -> the module here and the class in it; imported when a study has such a rule.
RULES = {
    "bandit": "bandit:Bandit",
}
"""The rules that kftune has, by their key in a study."""


def rule_class(kind: str) -> type[Rule]:
    """Returns the class of a rule.

    Args:
        kind: Its key in a study.

    Raises:
        PartError: There is no such rule.
    """
    place = RULES.get(kind)
    if place is None:
        raise PartError(f"unknown stopping rule {kind!r}; {suggestion(kind, RULES)}", (kind,), at_key=True)
    module, _, name = place.partition(":")
    found: type[Rule] = getattr(importlib.import_module(f"kftune.stopping.{module}"), name)
    return found


def rules_from_spec(value: object) -> tuple[Rule, ...]:
    """Returns the rules of `stopping`, in their order.

    Args:
        value: Settings by kind: ``{bandit: {slack_factor: 0.1}}``; or a list of such mappings, where one kind may occur
            more than once. A kind with null is left out.

    Raises:
        PartError: A rule is unknown, or its settings are invalid.
    """
    if isinstance(value, tuple) and all(isinstance(rule, Rule) for rule in value):
        return value
    if isinstance(value, Mapping):
        return tuple(_rules(value))
    if not isinstance(value, list | tuple):
        raise PartError(f"stopping is a mapping of rules, such as {{bandit: {{slack_factor: 0.1}}}}; got {value!r:.80}")
    found: list[Rule] = []
    for index, each in enumerate(value):
        with located(index):
            if not isinstance(each, Mapping):
                raise PartError(f"a rule is a mapping, such as {{bandit: {{slack_factor: 0.1}}}}; got {each!r:.80}")
            found += _rules(each)
    return tuple(found)


def _rules(value: Mapping[Any, Any]) -> Iterable[Rule]:
    for kind, settings in value.items():
        rule = rule_class(str(kind))
        if settings is None:
            continue
        with located(kind):
            if not isinstance(settings, Mapping):
                raise PartError(f"the settings of {kind} are a mapping; got {settings!r:.80}")
            yield _made(rule, settings)


def _made(rule: type[Rule], settings: Mapping[Any, Any]) -> Rule:
    try:
        return rule.model_validate(settings)
    except ValidationError as error:
        # pydantic takes one error of a validator, so the first of them is shown.
        first = findings(error, rule)[0]
        raise PartError(first.message, first.path, first.at_key) from error


def spec_from_rules(rules: Iterable[Rule]) -> dict[str, Any] | list[dict[str, Any]]:
    """Returns the rules as a file has them: a mapping, or a list if one kind occurs more than once."""
    each = [{rule.kind: rule.model_dump(mode="json", exclude_defaults=True)} for rule in rules]
    kinds = [kind for one in each for kind in one]
    if len(set(kinds)) < len(kinds):
        return each
    return {kind: settings for one in each for kind, settings in one.items()}


Stopping = Annotated[
    tuple[Rule, ...],
    PlainValidator(rules_from_spec),
    PlainSerializer(spec_from_rules),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}),
]
"""The type of a study's `stopping`."""
