"""`ForEach`: the entities that a study is run for, each with its own trials, and the budget that they share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, WithJsonSchema

from kftune.errors import UnknownNameError, YamlError
from kftune.spec.beside import find_file
from kftune.spec.part import Part, PartError, located
from kftune.spec.quantities import NO_BOOL, Seconds
from kftune.study.entities import Entity, entities_of
from kftune.study.objective import CostLimitField

_Number = Annotated[int, Field(ge=1), NO_BOOL]


class SharedBudget(Part):
    """The limits of all entities together. What one entity may have is the budget of the study."""

    max_trials: _Number | None = None
    """Trials of all entities together; default: as many as each of them may have."""
    parallel: _Number | None = None
    """Trials of all entities at the same time; default: budget.parallel."""
    wall_clock: Seconds | None = None
    """Longest duration of all of them together, over all runs, on this machine."""
    max_cost: CostLimitField | None = None
    """What the trials of all entities may cost together, over all runs, on this machine. A number is the limit."""
    max_failed: _Number | None = None
    """The run ends when this many trials of all entities have failed; default: no such limit."""


_Items = Annotated[
    tuple[Any, ...],
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": ["string", "integer", "object"]}}),
]


class ForEach(Part):
    """The entities: a list, or those of a YAML file. ``${entity}`` is the name of one, ``${entity.KEY}`` a value."""

    items: _Items = ()
    """The entities: names, or mappings whose key ``name`` (or, without it, the first key) is the name."""
    file: str | None = None
    """A YAML file of entities instead; its path is relative to the study file."""
    at: str | None = None
    """Where in the file they are: keys joined with ``/``, ``*`` for every key (``*/*``, ``PLANT001/*``); default: the
    first level at which mappings have values."""
    budget: SharedBudget = SharedBudget()
    """The limits of all entities together."""

    _entities: tuple[Entity, ...] = PrivateAttr(())

    def model_post_init(self, context: Any, /) -> None:
        """Reads the entities."""
        if (self.items == ()) == (self.file is None):
            path = ("items",) if "items" in self.model_fields_set else ()
            given = "both" if self.file is not None else "an empty list" if path else "neither"
            raise PartError(f"for_each has either items (at least one) or a file of entities, but got {given}", path)
        if self.file is None:
            if self.at is not None:
                raise PartError("at says where in a file the entities are, but for_each has items", ("at",))
            self._entities = entities_of(self.items)
        else:
            self._entities = _read(self.file, self.at, (context or {}).get("folders", ()))

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The entities, in their order."""
        return self._entities

    def entity(self, name: str) -> Entity:
        """Returns an entity.

        Args:
            name: Its name, or its path in the file.

        Raises:
            UnknownNameError: There is no such entity.
        """
        for entity in self._entities:
            if name in (entity.name, entity.path):
                return entity
        raise UnknownNameError("entity", name, [entity.name for entity in self._entities])


def _read(file: str, at: str | None, folders: Sequence[Path]) -> tuple[Entity, ...]:
    from kftune.study.entity_file import read_entities  # noqa: PLC0415  # most studies need no YAML reader

    with located("file"):
        path = find_file(file, folders, "entities")
    try:
        return read_entities(path, at)
    except (YamlError, OSError) as error:
        raise PartError(f"the entities cannot be read: {error}", ("file",)) from error


def _short(value: Any) -> Any:
    """Returns the mapping for a short form: the name of a file, or a list of entities."""
    if isinstance(value, str):
        return {"file": value}
    return {"items": value} if isinstance(value, (list, tuple)) else value


EachEntity = Annotated[
    ForEach,
    BeforeValidator(_short, json_schema_input_type=str | _Items | ForEach),
]
"""`ForEach`, or a short form of it."""
