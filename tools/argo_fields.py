"""Writes tests/data/argo_fields.json: the fields of Argo's objects and their types, taken from hera's models.

Run `python tools/argo_fields.py` after hera moved on to a newer Argo. The notation is that of
`kftune.katib.go.types`.
"""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from hera.workflows import models
from pydantic import BaseModel, RootModel

FIELDS = Path(__file__).parents[1] / "tests/data/argo_fields.json"
ROOTS = (models.Workflow, models.WorkflowTemplate, models.ClusterWorkflowTemplate, models.CronWorkflow)

_ATOMS: dict[object, str] = {str: "s", int: "I", bool: "b", float: "f"}
_NAMED = {"Quantity": "q", "IntOrString": "x", "Time": "t", "MicroTime": "t", "Item": "o", "Plugin": "o", "Amount": "f"}
# Where Argo's Go types take more than its schema, from which hera's models are made.
_LOOSER = {
    "Parameter": {"value": "o", "default": "o", "enum": "[o"},  # AnyString: text, number, boolean
    "ValueFrom": {"default": "o"},
    "ObjectMeta": {"creationTimestamp": "o"},  # null is what kubectl writes
}
# In Argo 4.1 and not yet in hera.
_NEWER = {"WorkflowSpec": {"resourceClaims": "[o", "podResources": "o"}}


def table() -> dict[str, dict[str, str]]:
    """Struct -> field -> type, for all that can stand in an object; the status is left out."""
    found: dict[str, dict[str, str]] = {}
    waiting: list[type[BaseModel]] = list(ROOTS)
    while waiting:
        model = waiting.pop()
        if model.__name__ in found:
            continue
        kinds: dict[str, str] = {}
        for name, field in model.model_fields.items():
            if (model, name) not in {(root, "status") for root in ROOTS}:
                kinds[field.alias or name] = _kind(field.annotation, waiting)
        kinds |= _LOOSER.get(model.__name__, {}) | _NEWER.get(model.__name__, {})
        found[model.__name__] = dict(sorted(kinds.items()))
    return dict(sorted(found.items()))


def _kind(annotation: Any, waiting: list[type[BaseModel]]) -> str:
    if annotation in _ATOMS:
        return _ATOMS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _kind(inner, waiting)
    if origin is list:
        return "[" + _kind(arguments[0], waiting)
    if origin is dict:
        return "{" + _kind(arguments[1], waiting)
    if not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
        # An enumeration is text to Go.
        return "s" if isinstance(annotation, type) else "o"
    if annotation.__name__ in _NAMED:
        return _NAMED[annotation.__name__]
    if issubclass(annotation, RootModel):
        return _kind(annotation.model_fields["root"].annotation, waiting)
    if not annotation.model_fields:
        return "o" if annotation.model_config.get("extra") == "allow" else "{o"
    waiting.append(annotation)
    return "=" + annotation.__name__


if __name__ == "__main__":
    lines = (f" {json.dumps(name)}: {json.dumps(kinds)}" for name, kinds in table().items())
    FIELDS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
