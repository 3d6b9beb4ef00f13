"""The JSON Schema of a study's `stopping`."""

from __future__ import annotations

import inspect
from typing import Any

from kftune.plug_ins import names_of
from kftune.spec.schema import part_schema
from kftune.stopping.rules import ENTRY_POINT_GROUP, RULES, Rule, rule_class


def stopping_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the schema of a mapping of rules, and the definitions that it needs, by name."""
    definitions: dict[str, Any] = {}
    properties = {kind: _rule(rule_class(kind), definitions) for kind in RULES}
    own = {"type": ["object", "null"], "description": "A rule of an installed package."}
    return {
        "description": "Rules that end trials, or the study, before their time.",
        "type": "object",
        "properties": properties | {name: own for name in names_of(ENTRY_POINT_GROUP) if name not in RULES},
        "patternProperties": {r"^[^\s:]+:[^\s:]+$": {"type": ["object", "null"]}},
        "additionalProperties": False,
    }, definitions


def _rule(rule: type[Rule], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = part_schema(rule)
    definitions.update(schema.pop("$defs", {}))
    definitions[rule.__name__] = schema
    forms = [{"$ref": f"#/$defs/{rule.__name__}"}]
    if rule.short:
        short = schema["properties"][rule.short]
        forms += [{key: value for key, value in each.items() if key != "description"} for each in _forms(short)]
    return {"anyOf": [*forms, {"type": "null"}], "description": str(inspect.getdoc(rule)).partition("\n\n")[0]}


def _forms(field: dict[str, Any]) -> list[dict[str, Any]]:
    return field.get("anyOf") or [{key: value for key, value in field.items() if key != "title"}]
