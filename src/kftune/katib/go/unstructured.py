"""Objects of any kind as the API machinery makes them from a text, and their metadata.

Source: k8s.io/apimachinery v0.34, util/yaml (YAMLOrJSONDecoder), apis/meta/v1/unstructured.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kftune.katib.go.json_reading import first_value
from kftune.katib.go.reading import NotYamlError, pieces, read
from kftune.katib.go.types import missing_kind


def object_of(text: str) -> dict[str, Any]:
    """The first object of a text: of JSON when it is that, else of YAML.

    Returns:
        The object; an empty one for a text whose first document is empty.

    Raises:
        ValueError: There is none; the text is the API machinery's as far as it says more than a place.
    """
    value = _value(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        kind = "array" if isinstance(value, list) else "string" if isinstance(value, str) else "number"
        raise ValueError(f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
    if not isinstance(value.get("kind"), str) or not value["kind"]:
        raise ValueError(missing_kind(value))
    return value


def string_map(value: object, field: str) -> dict[str, str]:
    """`GetLabels` or `GetAnnotations`: empty when one value is no text.

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
    """`SetName` or `SetNamespace`: metadata that is no mapping stays as it is, an empty text takes the field away."""
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
