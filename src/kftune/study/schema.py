"""The published JSON Schema of a study file."""

from __future__ import annotations

from typing import Any

from kftune.domains.schema import domain_schema
from kftune.spec.schema import file_schema
from kftune.stopping.schema import stopping_schema
from kftune.study.model import Study


def study_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of a study file."""
    schema = file_schema(Study, "kftune study")
    with_named_parts(schema["$defs"], schema)
    return schema


def with_named_parts(definitions: dict[str, Any], study: dict[str, Any]) -> None:
    """Writes the domains and the stopping rules into the schema of a study.

    Args:
        definitions: The definitions of the whole schema.
        study: The schema of the study.
    """
    definitions["Domain"] = domain_schema()
    study["properties"]["search"]["additionalProperties"] = {"$ref": "#/$defs/Domain"}
    stopping, rules = stopping_schema()
    definitions.update(rules, Stopping=stopping)
    own = {"$ref": "#/$defs/Stopping"}
    study["properties"]["stopping"]["anyOf"] = [own, {"type": "array", "items": own}]
