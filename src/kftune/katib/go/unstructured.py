"""Reads objects of any kind as the API machinery does, finds parts of them, and changes their metadata.

Source: k8s.io/apimachinery v0.34, util/yaml (YAMLOrJSONDecoder), apis/meta/v1/unstructured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from kftune.katib.go.json_reading import first_value, not_an_object
from kftune.katib.go.reading import NotYamlError, pieces, read
from kftune.katib.go.types import Path, missing_kind

PlacedMap = tuple[Mapping[str, Any], Path]
"""A map and its path."""


def object_of(text: str) -> dict[str, Any]:
    """Returns the first object of a JSON or YAML text; an empty one when the first document is empty.

    Raises:
        ValueError: The text has no object; the message is the API machinery's, but for places.
    """
    value = _value(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(not_an_object(value))
    if not isinstance(value.get("kind"), str) or not value["kind"]:
        raise ValueError(missing_kind(value))
    return value


def value_at(value: Any, path: Path) -> Any:
    """Returns the value at a path; None if there is none.

    Args:
        value: Nested mappings and lists.
        path: Keys and indices.
    """
    for part in path:
        inside = dict(enumerate(value)) if isinstance(value, list) else value
        value = inside.get(part) if isinstance(inside, dict) else None
    return value


def as_map(value: object) -> Mapping[str, Any]:
    """Returns the value if it is a map, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Returns the value if it is a list, otherwise an empty one."""
    return value if isinstance(value, list) else []


def maps(parent: Mapping[str, Any], field: str, path: Path) -> Iterator[PlacedMap]:
    """Yields the maps in a list, with their paths.

    Args:
        parent: The map that holds the list.
        field: The list's name.
        path: The parent's path.
    """
    for index, item in enumerate(as_list(parent.get(field))):
        yield as_map(item), (*path, field, index)


def texts(value: object) -> list[str]:
    """Returns the texts in a list."""
    return [item for item in as_list(value) if isinstance(item, str)]


def string_map(value: object, field: str) -> dict[str, str]:
    """`GetLabels` or `GetAnnotations`: empty when one value is not text.

    Args:
        value: An object.
        field: `labels` or `annotations`.
    """
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    found = metadata.get(field) if isinstance(metadata, Mapping) else None
    if not isinstance(found, Mapping) or not all(isinstance(item, str) for item in found.values()):
        return {}
    return dict(found)


def set_metadata(value: dict[str, Any], field: str, text: str) -> None:
    """`SetName` or `SetNamespace`; metadata that is not a mapping stays as it is.

    Args:
        value: An object; it is changed.
        field: `name` or `namespace`.
        text: The field's text; empty to remove the field.
    """
    if text:
        metadata = value.setdefault("metadata", {})
        if isinstance(metadata, dict):
            metadata[field] = text
    elif isinstance(metadata := value.get("metadata"), dict):
        metadata.pop(field, None)


def _value(text: str) -> object:
    if text.lstrip().startswith("{"):
        with suppress(ValueError):
            return first_value(text)
    first = next(pieces(text), None)
    try:
        return read(first.text) if first is not None else None
    except NotYamlError as error:
        raise ValueError(f"error converting YAML to JSON: {error.message}") from None
