"""The types of a study's fields that a file writes in another form: its class, its domains, its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from kftune.domains import Domain, domain_from_spec
from kftune.errors import KftuneError, UnknownNameError, near_names
from kftune.hparams import Hparams
from kftune.hparams.registry import name_of
from kftune.spec.classes import load_class
from kftune.spec.part import PartError, located
from kftune.study.objective import MetricSpec


def _hparams(value: object, info: ValidationInfo) -> type[Hparams]:
    if isinstance(value, type) and issubclass(value, Hparams):
        return value
    if not isinstance(value, str):
        raise PartError(f"hparams is a registry name or module:Class, but got {value!r}")
    with located():
        return load_class(value, (info.context or {}).get("folders", ()))


def _domain(value: object) -> Domain | None:
    if value is None or isinstance(value, Domain):
        return value
    try:
        return domain_from_spec(value)
    except UnknownNameError as error:
        inner = value.get(error.name) if isinstance(value, Mapping) else None
        if not isinstance(inner, Mapping) or near_names(error.name, error.known):
            raise PartError(str(error)) from error
        dotted = f"group.{error.name}: {inner!r}"
        raise PartError(f"a field of a group is searched under its dotted name, as one key: {dotted}") from error
    except KftuneError as error:
        raise PartError(str(error)) from error


def _metric(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


HparamsClass = Annotated[
    type[Hparams],
    PlainValidator(_hparams),
    PlainSerializer(name_of, return_type=str),
    WithJsonSchema({"type": "string", "description": "Registry name, or module:Class"}),
]
SearchDomain = Annotated[
    Domain | None,
    PlainValidator(_domain),
    PlainSerializer(lambda domain: domain and domain.to_spec()),
    WithJsonSchema({"anyOf": [{"type": "object", "minProperties": 1}, {"type": "null"}]}),
]

Metric = Annotated[MetricSpec, BeforeValidator(_metric, json_schema_input_type=str | MetricSpec)]
