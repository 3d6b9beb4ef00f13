"""JSON Schemas of authored files, with the docstrings of their fields as descriptions."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from kftune.spec.part import Part


def file_schema(model: type[Part], title: str) -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of a file.

    pydantic could add the docstrings itself, but would look for them, which takes long, at each import of the classes.

    Args:
        model: What the file describes.
        title: The schema's title.
    """
    schema = part_schema(model)
    schema.pop("title")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def part_schema(model: type[Part]) -> dict[str, Any]:
    """Returns the JSON Schema of a section, with those of its sections under ``$defs``.

    Args:
        model: The class of the section.
    """
    schema = model.model_json_schema(mode="validation")
    parts = {found.__name__: found for found in _below(Part)}
    _describe(schema, model)
    for name, definition in schema.get("$defs", {}).items():
        if name in parts:
            _describe(definition, parts[name])
    return schema


def _below(part: type[Part]) -> Iterator[type[Part]]:
    for found in part.__subclasses__():
        yield found
        yield from _below(found)


def _describe(schema: dict[str, Any], part: type[Part]) -> None:
    """Gives each property of a schema the docstring under its field."""
    for owner in reversed(part.__mro__):
        if not issubclass(owner, Part):
            continue
        try:
            source = inspect.getsource(owner)
        except OSError:  # made by a call, with the descriptions in it
            continue
        definition: Any = ast.parse(textwrap.dedent(source)).body[0]
        for field, below in pairwise(definition.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    key = (owner.model_fields[name].alias if name in owner.model_fields else None) or name
                    if key in schema["properties"]:
                        schema["properties"][key]["description"] = inspect.cleandoc(text)
