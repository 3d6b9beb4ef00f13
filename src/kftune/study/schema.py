"""The published JSON Schema of a study file."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from kftune.domains.schema import domain_schema
from kftune.spec.part import Part
from kftune.study.model import Study


def study_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a study file."""
    schema = Study.model_json_schema(mode="validation")
    describe(schema, Study)
    with_domains(schema["$defs"], schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kftune study",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def with_domains(definitions: dict[str, Any], study: dict[str, Any]) -> None:
    """Writes into a study's schema, and the definitions beside it, what each domain looks like."""
    definitions["Domain"] = domain_schema()
    study["properties"]["search"]["additionalProperties"] = {"$ref": "#/$defs/Domain"}


def describe(schema: dict[str, Any], part: type[Part]) -> None:
    """Gives each key of a schema and its definitions the docstring that stands under its field.

    pydantic would do so too, but whenever the classes are imported, and finding the docstrings takes long.
    """
    parts = {found.__name__: found for found in _below(Part)}
    _describe(schema, part)
    for name, definition in schema["$defs"].items():
        if name in parts:
            _describe(definition, parts[name])


def _below(part: type[Part]) -> Iterator[type[Part]]:
    for found in part.__subclasses__():
        yield found
        yield from _below(found)


def _describe(schema: dict[str, Any], part: type[Part]) -> None:
    for owner in reversed(part.__mro__):
        if not issubclass(owner, Part):
            continue
        definition: Any = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        for field, below in pairwise(definition.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    if name in schema["properties"]:
                        schema["properties"][name]["description"] = inspect.cleandoc(text)
