"""The published JSON Schema of a pipeline file."""

from __future__ import annotations

from typing import Any, get_args

from kftune.pipeline.model import Pipeline
from kftune.pipeline.ports import PortType
from kftune.pipeline.steps import EXIT_HAS_NO, TUNE_HAS_NO
from kftune.spec.schema import file_schema
from kftune.study.schema import with_named_parts

_CONSTANT = {"type": ["string", "number", "boolean", "array"]}
_DEFS = "#/$defs/"


def pipeline_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of a pipeline file."""
    schema = file_schema(Pipeline, "kftune pipeline")
    definitions = schema["$defs"]
    with_named_parts(definitions, definitions["Study"])
    steps = sorted(name for name in definitions if name.endswith("Step") and "kind" in definitions[name]["properties"])
    kinds = [definitions[name]["properties"]["kind"]["const"] for name in steps]
    for name in steps:
        definitions[name]["required"] = ["kind", *definitions[name].get("required", [])]
        definitions[name]["properties"]["kind"]["description"] = "What the step is for"
        _write_short_forms(definitions[name]["properties"])
    for field in TUNE_HAS_NO:
        del definitions["TuneStep"]["properties"][field]
    definitions["ExitStep"] = _exit_step(definitions["ContainerStep"], [kind for kind in kinds if kind != "tune"])
    properties = schema["properties"]
    properties["steps"]["additionalProperties"] = {"oneOf": [{"$ref": f"{_DEFS}{name}"} for name in steps]}
    properties["exit"] = {
        "$ref": f"{_DEFS}ExitStep",
        "description": properties["exit"]["description"],
    }
    properties["parameters"]["additionalProperties"] = _short_or(_CONSTANT, "Parameter")
    return schema


def _write_short_forms(properties: dict[str, Any]) -> None:
    """Allows the short forms: the value of an input, the type of an output."""
    properties["inputs"]["additionalProperties"] = _short_or(_CONSTANT, "Input")
    types = {"type": "string", "enum": [*get_args(PortType)]}
    properties["outputs"]["additionalProperties"] = _short_or(types, "Output")


def _short_or(short: dict[str, Any], name: str) -> dict[str, Any]:
    return {"anyOf": [short, {"$ref": f"{_DEFS}{name}"}]}


def _exit_step(container: dict[str, Any], kinds: list[str]) -> dict[str, Any]:
    properties = {name: field for name, field in container["properties"].items() if name not in EXIT_HAS_NO}
    properties["kind"] = {
        "type": "string",
        "enum": kinds,
        "default": "container",
        "description": "What the step is for",
    }
    return {
        "type": "object",
        "description": "The step that always runs at the end.",
        "properties": properties,
        "additionalProperties": False,
    }
