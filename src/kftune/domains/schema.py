"""The JSON Schema of domains in a study file, made from their classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from kftune.domains.domain import KINDS, Domain
from kftune.domains.listed import Listed

_WHEN = {
    "type": "object",
    "minProperties": 1,
    "description": "Active only when each of these hyperparameters has one of the values listed for it",
}


def domain_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a domain, or the null that removes one."""
    return {
        "description": "What a hyperparameter may take; null removes it from the search",
        "anyOf": [*(form for domain in KINDS.values() for form in _forms(domain)), {"type": "null"}],
    }


def _forms(domain: type[Domain]) -> Iterator[dict[str, Any]]:
    """Yields each way to write a domain: arguments as a list or by name, options as further keys or among them."""
    about = " ".join(inspect.cleandoc(domain.__doc__ or "").partition("\n\n")[0].split())
    if issubclass(domain, Listed):
        yield _form(domain, about, domain.arguments_schema, domain.options_schema, ())
        return
    about = f"[{', '.join(domain.positional)}]: {about}"
    types = get_type_hints(domain)
    every = {field.name: {**_type(types[field.name]), **field.metadata} for field in fields(domain)}  # type: ignore[arg-type]
    required = [field.name for field in fields(domain) if field.default is MISSING]  # type: ignore[arg-type]
    listed = {name: every.pop(name) for name in domain.positional}
    further = [name for name in required if name not in listed]
    count = len(listed)
    pair = {"type": "array", "items": next(iter(listed.values())), "minItems": count, "maxItems": count}
    yield _form(domain, about, pair, every, further)
    yield _form(domain, about, _mapping({**listed, **every}, required), {}, ())
    if every:
        yield _form(domain, about, _mapping(listed, listed), every, further)


def _type(hint: Any) -> dict[str, Any]:
    schema = TypeAdapter(hint).json_schema()
    arm: dict[str, Any] = next(arm for arm in schema.get("anyOf", [schema]) if arm != {"type": "null"})
    return arm


def _form(
    domain: type[Domain], about: str, arguments: Mapping[str, Any], options: Mapping[str, Any], required: Iterable[str]
) -> dict[str, Any]:
    whole = _mapping({domain.kind: arguments, **options, "when": _WHEN}, (domain.kind, *required))
    return {"description": about, **whole}


def _mapping(properties: Mapping[str, Any], required: Iterable[str]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": False}
