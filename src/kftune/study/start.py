"""`StartFrom`: the past trials that a study starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from kftune.spec.part import Part, PartError
from kftune.spec.quantities import NO_BOOL

_EXAMPLE = "start_from: runs/circuits, or start_from: {from: runs/circuits, top: 5}"


class StartFrom(Part):
    """Past trials: the best of them are tried first, and an algorithm that learns is told of them."""

    place: Annotated[str, Field(alias="from", min_length=1)]
    """A folder of results, a folder with several of them, a file with trials as `kftune results` takes it, or
    ``katib:NAMESPACE/NAME``. A path is relative to the study's file, or to the current folder."""
    top: Annotated[int, Field(ge=0), NO_BOOL] = 3
    """How many of the best points are tried first."""
    learn: bool | None = None
    """Whether the algorithm is told of all past trials; default: of those that had the same fixed values."""
    study: str | None = Field(None, min_length=1)
    """With a storage of Optuna that has several studies: which one."""


def _listed(value: object) -> object:
    """Returns what a file may write as a list of mappings."""
    if value is None:
        return ()  # an override has removed it
    items = value if isinstance(value, list | tuple) else [value]
    return tuple([_mapping(item) for item in items])


def _mapping(item: object) -> object:
    if isinstance(item, str | Path):
        return {"from": str(item)}
    if not isinstance(item, Mapping | StartFrom):
        raise PartError(f"must be a place with past trials, such as {_EXAMPLE}; but got {item!r:.80}")
    return item


def _shown(starts: tuple[StartFrom, ...]) -> list[str | dict[str, Any]]:
    each = [start.model_dump(mode="json", by_alias=True, exclude_defaults=True) for start in starts]
    return [one["from"] if len(one) == 1 else one for one in each]


StartFroms = Annotated[
    tuple[StartFrom, ...],
    BeforeValidator(_listed, json_schema_input_type=str | StartFrom | list[str | StartFrom]),
    PlainSerializer(_shown),
]
"""The type of a study's `start_from`."""
