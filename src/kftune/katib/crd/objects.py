"""Predicts whether the API server stores a custom object, without admission webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kftune.katib.admission.server import metadata_reasons, name_of
from kftune.katib.crd.cleaning import cleaned
from kftune.katib.crd.schema import CustomKind, SchemaNode, kind_of
from kftune.katib.crd.validation import MISSING, SchemaProblem, problems
from kftune.katib.go.types import DecodeError, Path, struct


class ObjectVerdict(NamedTuple):
    """The answer to one object."""

    problems: tuple[SchemaProblem, ...]
    pruned: tuple[Path, ...]
    """Fields that the server drops silently; `kubectl apply` rejects the object because of them."""

    @property
    def stored(self) -> bool:
        """Whether the server stores it."""
        return not self.problems

    @property
    def applied(self) -> bool:
        """Whether `kubectl apply`, with its strict validation, accepts it too."""
        return not self.problems and not self.pruned


def is_known(value: object) -> bool:
    """Whether there is a schema for an object's kind."""
    return isinstance(value, dict) and kind_of(value.get("apiVersion"), value.get("kind")) is not None


def judge_object(value: object, old: object = None, *, name: str | None = None) -> ObjectVerdict:
    """Checks one object as the API server does.

    Args:
        value: The JSON value of a document.
        old: The existing object, when this is an edit.
        name: The name that Katib gives an object that it makes from a template; None for an object with its own name.
    """
    given = value if isinstance(value, dict) else {}
    kind = kind_of(given.get("apiVersion"), given.get("kind"))
    if kind is None:
        shown = f"no matches for kind {str(given.get('kind', ''))!r} in version {str(given.get('apiVersion', ''))!r}"
        return ObjectVerdict((SchemaProblem((), "NoMatch", shown),), ())
    pruned: list[Path] = []
    metadata, found = _metadata(given.get("metadata"), name, pruned)
    made = _cleaned(given, kind, pruned) | {"metadata": metadata}
    before: Any = MISSING
    if isinstance(old, dict):
        before = _cleaned(old, kind, []) | {"metadata": old.get("metadata") or {}}
        if before["metadata"].get("name") != metadata.get("name"):
            found.append(SchemaProblem(("metadata", "name"), "Invalid", "field is immutable"))
    if not found:
        found = problems(made, SchemaNode(f"={kind.type}"), (), before)
    return ObjectVerdict(tuple(found), tuple(pruned))


def _cleaned(given: Mapping[str, Any], kind: CustomKind, pruned: list[Path]) -> dict[str, Any]:
    skipped = {"apiVersion", "kind", "metadata"} | ({"status"} if kind.status else set())
    rest = {key: item for key, item in given.items() if key not in skipped}
    result: dict[str, Any] = cleaned(rest, SchemaNode(f"={kind.type}"), (), pruned)
    return result


def _metadata(given: object, name: str | None, pruned: list[Path]) -> tuple[dict[str, Any], list[SchemaProblem]]:
    """Returns the decoded metadata with its name, and what is wrong with it."""
    known = struct("ObjectMeta")
    try:
        metadata = known.decode(given)
    except DecodeError as error:
        return {"name": ""}, [SchemaProblem(("metadata", *error.path), "BadRequest", error.message)]
    pruned += [("metadata", *path) for path in known.unknown(given)]
    if name is not None:
        metadata["name"] = name
    metadata["name"] = name_of(metadata)
    found = [SchemaProblem(reason.path, reason.type, reason.detail) for reason in metadata_reasons(metadata)]
    return metadata, found
