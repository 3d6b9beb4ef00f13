"""Writes tests/data/argo_fields.json: the fields of Argo's objects and their types, from hera's models.

    python tools/argo_fields.py

Run it when hera is updated. The notation is that of `kftune.katib.go.types`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hera.workflows import models
from pydantic import BaseModel, RootModel
from pydantic_fields import kind_of

FIELDS = Path(__file__).parents[1] / "tests/data/argo_fields.json"
ROOTS = (models.Workflow, models.WorkflowTemplate, models.ClusterWorkflowTemplate, models.CronWorkflow)

_ATOMS: dict[object, str] = {str: "s", int: "I", bool: "b", float: "f"}
_NAMED = {"Quantity": "q", "IntOrString": "x", "Time": "t", "MicroTime": "t", "Item": "o", "Plugin": "o", "Amount": "f"}
# Argo's Go types accept more here than its OpenAPI schema, from which hera's models are generated.
_LOOSER = {
    "Parameter": {"value": "o", "default": "o", "enum": "[o"},  # AnyString: text, number, boolean
    "ValueFrom": {"default": "o"},
    "ObjectMeta": {"creationTimestamp": "o"},  # kubectl writes null
}
# In Argo 4.1 and not yet in hera.
_NEWER = {"WorkflowSpec": {"resourceClaims": "[o", "podResources": "o"}}


def table() -> dict[str, dict[str, str]]:
    """Returns struct -> field -> type for all that an object may hold, without its status."""
    found: dict[str, dict[str, str]] = {}
    waiting: list[type[BaseModel]] = list(ROOTS)

    def name_of(annotation: Any) -> str | None:
        if annotation in _ATOMS:
            return _ATOMS[annotation]
        if not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
            return "s" if isinstance(annotation, type) else "o"  # Go reads an enumeration as text
        if annotation.__name__ in _NAMED or issubclass(annotation, RootModel):
            return _NAMED.get(annotation.__name__)
        if not annotation.model_fields:
            return "o" if annotation.model_config.get("extra") == "allow" else "{o"
        waiting.append(annotation)
        return "=" + annotation.__name__

    while waiting:
        model = waiting.pop()
        if model.__name__ not in found:
            fields = {
                name: field for name, field in model.model_fields.items() if name != "status" or model not in ROOTS
            }
            kinds = {field.alias or name: kind_of(field.annotation, name_of) for name, field in fields.items()}
            kinds |= _LOOSER.get(model.__name__, {}) | _NEWER.get(model.__name__, {})
            found[model.__name__] = dict(sorted(kinds.items()))
    return dict(sorted(found.items()))


if __name__ == "__main__":
    lines = (f" {json.dumps(name)}: {json.dumps(kinds)}" for name, kinds in table().items())
    FIELDS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
