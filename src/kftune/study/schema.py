"""The published JSON Schema of a study file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kftune.spec.schema import file_schema
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
    """Returns the JSON Schema (draft 2020-12) of a study file."""
    schema = file_schema(Study, "kftune study")
    with_domains(schema["$defs"], schema)
    return schema


def with_domains(definitions: dict[str, Any], study: dict[str, Any]) -> None:
    """Writes into a study's schema, and the definitions beside it, what each domain looks like."""
    definitions["Domain"] = {
        "description": "What a hyperparameter may take; null takes it out of the search",
        "anyOf": [*(arm for kind in _DOMAINS for arm in _arms(kind)), {"type": "null"}],
    }
    study["properties"]["search"]["additionalProperties"] = {"$ref": "#/$defs/Domain"}


def _arms(kind: str) -> Iterator[dict[str, Any]]:
    """How a domain may be written: its arguments in a list or by name, its options beside them or among them."""
    _, arguments, options, required = _DOMAINS[kind]
    yield _arm(kind, arguments, options, required)
    if arguments.get("maxItems") != 2:  # a list of values, which have no names
        return
    names = ("mean", "std") if kind.endswith("normal") else ("low", "high")
    named = dict.fromkeys(names, arguments["items"])
    yield _arm(kind, _mapping({**named, **options}, (*names, *required)), {}, ())
    if options:
        yield _arm(kind, _mapping(named, names), options, required)


def _arm(kind: str, arguments: Any, options: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    whole = _mapping({kind: arguments, **options, "when": _WHEN}, (kind, *required))
    return {"description": _DOMAINS[kind][0], **whole}


def _mapping(properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
