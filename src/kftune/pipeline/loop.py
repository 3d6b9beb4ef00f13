"""Loops: steps that run once for each of several items, such as the circuits of a plant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, PrivateAttr, WithJsonSchema

from kftune import yaml_text
from kftune.errors import YamlError, suggestion
from kftune.pipeline.names import PortName, port_name
from kftune.pipeline.part import PipelinePart
from kftune.pipeline.ports import ParameterType, type_of
from kftune.pipeline.references import OutputReference, ParameterReference, Reference, read_value, write_value
from kftune.pipeline.shared import OnFailure
from kftune.spec.beside import find_file
from kftune.spec.part import PartError, located
from kftune.spec.quantities import NO_BOOL

KEY = "key"
"""The field with the keys that lead to an item of a file: ``PLANT001.CIRCUIT01``."""


def _items(value: object) -> object:
    found = read_value(value)
    if isinstance(found, list):
        return tuple(found)
    if not isinstance(found, tuple) and not isinstance(found, (ParameterReference, OutputReference)):
        given = str(value) if isinstance(value, Reference) else value
        raise PartError(f"items is a list, or a reference to a parameter or output of type list, but got {given!r}")
    return found


class Loop(PipelinePart):
    """Items for which the steps that name it in `for_each` run: those of a list, or the entries of a YAML file.

    A step of the loop gets the outputs of its other steps for the same item. A step outside that takes an output
    parameter gets a list with one value for each item, in their order. Artifacts cannot leave the loop.
    """

    items: Annotated[
        Any,
        BeforeValidator(_items),
        PlainSerializer(write_value),
        WithJsonSchema({"anyOf": [{"type": "array", "minItems": 1}, {"type": "string"}]}),
    ] = ()
    """The items: a list, or a reference to a parameter or output of type list."""
    file: str | None = None
    """A YAML file of items instead; its path is relative to the pipeline file."""
    at: str = "*"
    """Where in the file the items are: keys joined with dots, ``*`` for every key (``PLANT001.*``, ``*.*``)."""
    item: ParameterType = "str"
    """The type of an item, where `items` is a reference."""
    fields: dict[PortName, ParameterType] = Field(default_factory=dict)
    """The fields of an item and their types, if items are mappings; default: the fields of all items."""
    parallel: Annotated[int, Field(ge=1), NO_BOOL] | None = None
    """Items at the same time; default: all."""
    on_failure: OnFailure = "continue"
    """After a step has failed for one item: whether the steps of the other items still start."""

    _entries: tuple[Any, ...] | None = PrivateAttr(None)
    _types: dict[str, str] = PrivateAttr(default_factory=dict)
    _item_type: str = PrivateAttr("str")

    def model_post_init(self, context: Any, /) -> None:
        """Reads the items and finds their types."""
        if (self.items == ()) == (self.file is None):
            path = ("items",) if "items" in self.model_fields_set else ()
            given = "both" if self.file is not None else "an empty list" if path else "neither"
            raise PartError(f"a loop has either items (at least one) or a file of items, but got {given}", path)
        if isinstance(self.items, Reference):
            self._types, self._item_type = dict(self.fields), "dict" if self.fields else self.item
            return
        entries = self.items if self.file is None else _entries(self.file, self.at, (context or {}).get("folders", ()))
        where = ("items",) if self.file is None else ("file",)
        self._entries = entries
        self._item_type, self._types = _typed(entries, where)
        for name, wanted in self.fields.items():
            self._check_field(name, wanted)

    @property
    def entries(self) -> tuple[Any, ...] | None:
        """The items (scalars of one type, or mappings); None if they are not known before the run."""
        return self._entries

    @property
    def source(self) -> Reference | None:
        """The reference that gives the items in the run; None if they are known before."""
        return self.items if isinstance(self.items, Reference) else None

    def type_of(self, field: str | None) -> str:
        """Returns the type of an item, or of one of its fields.

        Args:
            field: The field; None means the item.

        Raises:
            PartError: Items have no such field.
        """
        if field is None:
            return self._item_type
        if field not in self._types:
            hint = suggestion(field, self._types) if self._types else "the items are not mappings"
            raise PartError(f"the items have no field {field!r}; {hint}")
        return self._types[field]

    def _check_field(self, name: str, wanted: str) -> None:
        found = self._types.get(name)
        if found is None:
            raise PartError(
                f"all items must have the field {name!r}; {suggestion(name, self._types)}", ("fields", name)
            )
        if found != wanted and not (found == "int" and wanted == "float"):
            raise PartError(f"the items' {name!r} is of type {found}, not {wanted}", ("fields", name))
        self._types[name] = wanted


def element_type(items: Sequence[Any], path: tuple[str | int, ...]) -> str:
    """Returns the type of items.

    Args:
        items: The items.
        path: Their keys in the file.

    Raises:
        PartError: They have different types.
    """
    return _typed(tuple(items), path)[0]


def _typed(entries: tuple[Any, ...], where: tuple[str | int, ...]) -> tuple[str, dict[str, str]]:
    """Returns the type of items, and the types of the fields that all of them have."""
    kinds = {_kind(entry, (*where, index)) for index, entry in enumerate(entries)}
    if kinds == {"int", "float"}:
        kinds = {"float"}
    if len(kinds) > 1:
        raise PartError(f"items must all be of one type, but these are {' and '.join(sorted(kinds))}", where)
    kind = kinds.pop()
    if kind == "list":
        raise PartError("an item is a number, a text, a boolean or a mapping, but these are lists", where)
    if kind != "dict":
        return kind, {}
    types: dict[str, str] = {}
    common = [name for name in entries[0] if all(name in entry for entry in entries)]
    for name in common:
        port_name(name)
        of_all = {_kind(entry[name], (*where, index, name)) for index, entry in enumerate(entries)}
        if of_all == {"int", "float"}:
            of_all = {"float"}
        if len(of_all) > 1:
            raise PartError(
                f"a field is of one type in all items, but {name!r} is of {', '.join(sorted(of_all))}", where
            )
        types[name] = of_all.pop()
    return kind, types


def _kind(value: Any, path: tuple[str | int, ...]) -> str:
    with located(*path):
        return type_of(value)


def _entries(file: str, at: str, folders: Any) -> tuple[Any, ...]:
    with located("file"):
        path = find_file(file, folders, "items")
    try:
        content = yaml_text.load_file(path)
    except YamlError as error:
        raise PartError(f"the items cannot be read: {error}", ("file",)) from error
    if isinstance(content, list):
        found = tuple(content)
    else:
        found = tuple(_with_key(keys, entry) for keys, entry in _found(content, at.split("."), path))
    if not found:
        raise PartError(f"a loop needs at least one item, but {path} has none at {at!r}", ("at",))
    return found


def _found(content: Any, pattern: list[str], path: Path, keys: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    if not pattern:
        return [(".".join(keys), content)]
    if not isinstance(content, Mapping):
        raise PartError(f"{path}: {'.'.join(keys) or 'the file'} must be a mapping, but is {content!r}", ("at",))
    if pattern[0] != "*" and pattern[0] not in content:
        raise PartError(f"{path}: there is no key {pattern[0]!r}; {suggestion(pattern[0], map(str, content))}", ("at",))
    chosen = content if pattern[0] == "*" else {pattern[0]: content[pattern[0]]}
    return [pair for key, inner in chosen.items() for pair in _found(inner, pattern[1:], path, (*keys, str(key)))]


def _with_key(keys: str, entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    if KEY in entry:
        raise PartError(f"an entry of an items file cannot have a field {KEY!r}, which is set to its keys", ("file",))
    return {KEY: keys, **entry}
