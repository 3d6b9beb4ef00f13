"""The JSON Schema of what `kftune lint --format json` prints, made from the records of `kftune.lint.report`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from types import GenericAlias
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import GenerateJsonSchema

from kftune.lint.report import LintReport
from kftune.lint.rules.rule import MEANINGS
from kftune.lint.sampling import NearMiss, Sample


def lint_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12)."""
    schema = _model(LintReport).model_json_schema(mode="serialization")
    outcomes = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items() if name != "advice")
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **schema,
        "title": "kftune lint --format json",
        "description": f"Outcomes: {outcomes}; ok: nothing that lint knows of",
    }


@cache
def _model(record: type) -> type[BaseModel]:
    """Returns the model of a record: its fields, described by the docstrings below them."""
    hints = get_type_hints(record, localns={"NearMiss": NearMiss, "Sample": Sample}, include_extras=True)
    docs = _docstrings(record)
    fields: dict[str, Any] = {
        name: (_type(hint), Field(None if name == "sample" else ..., description=docs.get(name)))
        for name, hint in hints.items()
    }
    return create_model(record.__name__, __config__=ConfigDict(extra="forbid"), __doc__=record.__doc__, **fields)


def _type(hint: Any) -> Any:
    """Returns a type with models in place of records."""
    if hasattr(hint, "_fields"):
        return _model(hint)
    if get_origin(hint) is tuple:
        return GenericAlias(tuple, (_type(get_args(hint)[0]), ...))
    return _type(get_args(hint)[0]) | None if type(None) in get_args(hint) else hint


def _docstrings(record: type) -> dict[str, str]:
    """Returns the docstrings of a record's fields."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    body = node.body if isinstance(node, ast.ClassDef) else []
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }
