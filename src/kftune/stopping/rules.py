"""The rules of a study's `stopping`: their names, and their form in a file."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationError, ValidationInfo, WithJsonSchema

from kftune.errors import RegistryError, suggestion
from kftune.spec.part import PartError, located
from kftune.stopping.rule import StudyRule, TrialRule
from kftune.validation import findings

Rule = TrialRule | StudyRule

_EXAMPLE = "{bandit: {slack_factor: 0.1}}"

# Kind -> the module here and the class in it; imported when a study has such a rule.
RULES = {
    "median": "median:Median",
    "bandit": "bandit:Bandit",
    "truncation": "truncation:Truncation",
    "percentile": "percentile:Percentile",
    "asha": "asha:Asha",
    "hyperband": "hyperband:Hyperband",
    "threshold": "threshold:Threshold",
    "plateau": "plateau:Plateau",
    "no_improvement": "no_improvement:NoImprovement",
    "target": "target:Target",
    "wall_clock": "wall_clock:WallClock",
    "max_cost": "max_cost:MaxCost",
}
"""The rules that kftune has, by their key in a study."""


ENTRY_POINT_GROUP = "kftune.stopping_rules"
"""The group in which packages declare rules: ``name = "package.module:Class"``."""

_KEYS: dict[type[Rule], str] = {}
"""Class of a rule that kftune does not have -> the key by which it was found."""


def rule_class(kind: str, folders: Sequence[Path] = ()) -> type[Rule]:
    """Returns the class of a rule.

    Args:
        kind: Its key in a study: one of `RULES`, a name that an installed package declares, or ``module:Class``.
        folders: Folders to search for the module before the installed packages.

    Raises:
        PartError: The rule does not exist.
        RegistryError: A module cannot be imported, or has no such rule.
    """
    place = RULES.get(kind)
    if place is not None:
        module, _, name = place.partition(":")
        built_in: type[Rule] = getattr(importlib.import_module(f"kftune.stopping.{module}"), name)
        return built_in
    from kftune import plug_ins  # noqa: PLC0415  # few studies need it

    place = kind if ":" in kind else plug_ins.installed(ENTRY_POINT_GROUP, kind)
    if not place:
        known = [*RULES, *plug_ins.names_of(ENTRY_POINT_GROUP)]
        raise PartError(f"unknown stopping rule {kind!r}; {suggestion(kind, known)}", (kind,), at_key=True)
    found: type[Rule] = plug_ins.load_class(place, (TrialRule, StudyRule), "stopping rule", folders)
    _KEYS[found] = kind
    return found


def key_of(rule: Rule) -> str:
    """Returns the key of a rule in a study.

    Args:
        rule: The rule.
    """
    kind = getattr(rule, "kind", "")
    if type(rule).__module__ == f"kftune.stopping.{kind}":
        return kind
    return _KEYS.get(type(rule)) or f"{type(rule).__module__}:{type(rule).__qualname__}"


def rules_from_spec(value: object, folders: Sequence[Path] = ()) -> tuple[Rule, ...]:
    """Returns the rules of `stopping`, in their order.

    Args:
        value: Settings by kind: ``{bandit: {slack_factor: 0.1}}``; or a list of such mappings, where one kind may occur
            more than once. A kind with null is left out.
        folders: Folders to search for the modules of rules.

    Raises:
        PartError: A rule is unknown, or its settings are invalid.
    """
    if isinstance(value, tuple | list) and all(isinstance(rule, Rule) for rule in value):
        return tuple(value)
    if isinstance(value, Mapping):
        return tuple(_rules(value, folders))
    if not isinstance(value, list | tuple):
        raise PartError(f"must be a mapping of rules, such as {_EXAMPLE}, but got {value!r:.80}")
    found: list[Rule] = []
    for index, each in enumerate(value):
        with located(index):
            if not isinstance(each, Mapping):
                raise PartError(f"must be a mapping of rules, such as {_EXAMPLE}, but got {each!r:.80}")
            found += _rules(each, folders)
    return tuple(found)


def _rules(value: Mapping[Any, Any], folders: Sequence[Path]) -> Iterable[Rule]:
    for kind, settings in value.items():
        if settings is None:
            continue  # an override has removed it
        with located(kind):
            rule = _class(str(kind), folders)
            if not isinstance(settings, Mapping):
                if not rule.short or isinstance(settings, list | tuple):
                    raise PartError(f"must be a mapping of settings, but got {settings!r:.80}; {_settings(rule)}")
                settings = {rule.short: settings}
            yield _made(rule, settings)


def _settings(rule: type[Rule]) -> str:
    return f"its settings are {', '.join(rule.model_fields)}" if rule.model_fields else "it has none: {}"


def _class(kind: str, folders: Sequence[Path]) -> type[Rule]:
    try:
        return rule_class(kind, folders)
    except PartError as error:  # `located` adds the key
        raise PartError(error.message, (), at_key=True) from error
    except RegistryError as error:
        raise PartError(str(error), (), at_key=True) from error


def _made(rule: type[Rule], settings: Mapping[Any, Any]) -> Rule:
    try:
        return rule.model_validate(settings)
    except ValidationError as error:
        # pydantic takes one error of a validator, so the first of them is shown.
        first = findings(error, rule)[0]
        raise PartError(first.message, first.path, first.at_key) from error


def spec_from_rules(rules: Iterable[Rule]) -> dict[str, Any] | list[dict[str, Any]]:
    """Returns the rules as a file has them: a mapping, or a list if one kind occurs more than once."""
    each = [{key_of(rule): rule.model_dump(mode="json", exclude_defaults=True)} for rule in rules]
    kinds = [kind for one in each for kind in one]
    if len(set(kinds)) < len(kinds):
        return each
    return {kind: settings for one in each for kind, settings in one.items()}


def _with_context(value: object, info: ValidationInfo) -> tuple[Rule, ...]:
    return rules_from_spec(value, (info.context or {}).get("folders", ()))


Stopping = Annotated[
    tuple[Rule, ...],
    PlainValidator(_with_context),
    PlainSerializer(spec_from_rules),
    WithJsonSchema({"type": "object"}),  # `kftune.stopping.schema` has the rest
]
"""The type of a study's `stopping`."""
