"""The published JSON Schema of a study file."""

from __future__ import annotations

from typing import Any

from kftune.study.model import Study

_NUMBER = {"type": "number"}
_PAIR = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_LIST = {"type": "array", "minItems": 1}
_BOUNDS = {"low": _NUMBER, "high": _NUMBER}
_WHEN = {
    "type": "object",
    "minProperties": 1,
    "description": "Active only when each of these hyperparameters has one of the values listed for it",
}

# Domain -> what it means, the schema of its arguments, of its options, and the options it cannot do without.
_DOMAINS: dict[str, tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "uniform": ("[low, high], every value alike", _PAIR, {}, ()),
    "loguniform": ("[low, high] as values, every order of magnitude alike", _PAIR, {}, ()),
    "reverse_loguniform": ("[low, high] with 0 <= low < high < 1, finest near 1", _PAIR, {}, ()),
    "quniform": ("[low, high] in steps of q from low", _PAIR, {"q": _NUMBER}, ("q",)),
    "qloguniform": ("[low, high] in steps of q from low, log-uniform", _PAIR, {"q": _NUMBER}, ("q",)),
    "normal": ("[mean, std], cut off at low and high", _PAIR, _BOUNDS, ()),
    "lognormal": ("[mean, std] of the logarithm, values cut off at low and high", _PAIR, _BOUNDS, ()),
    "qnormal": ("[mean, std] in multiples of q", _PAIR, {"q": _NUMBER, **_BOUNDS}, ("q",)),
    "qlognormal": ("[mean, std] of the logarithm, in multiples of q", _PAIR, {"q": _NUMBER, **_BOUNDS}, ("q",)),
    "int": (
        "[low, high], whole numbers",
        {**_PAIR, "items": {"type": "integer"}},
        {"step": {"type": "integer", "minimum": 1}, "log": {"type": "boolean"}},
        (),
    ),
    "choice": (
        "one of these, without order",
        _LIST,
        {"weights": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}}},
        (),
    ),
    "ordinal": ("one of these, in order", _LIST, {}, ()),
    "discrete": ("one of these numbers", {**_LIST, "items": _NUMBER}, {}, ()),
    "constant": ("this value", {}, {}, ()),
}


def study_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a study file."""
    schema = Study.model_json_schema(mode="validation")
    with_domains(schema["$defs"], schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kftune study",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def with_domains(definitions: dict[str, Any], study: dict[str, Any]) -> None:
    """Writes into a study's schema, and the definitions beside it, what each domain looks like."""
    definitions["Domain"] = {
        "description": "What a hyperparameter may take; null takes it out of the search",
        "anyOf": [*(_domain(kind) for kind in _DOMAINS), {"type": "null"}],
    }
    study["properties"]["search"]["additionalProperties"] = {"$ref": "#/$defs/Domain"}


def _domain(kind: str) -> dict[str, Any]:
    description, arguments, options, required = _DOMAINS[kind]
    return {
        "type": "object",
        "description": description,
        "properties": {kind: arguments, **options, "when": _WHEN},
        "required": [kind, *required],
        "additionalProperties": False,
    }
