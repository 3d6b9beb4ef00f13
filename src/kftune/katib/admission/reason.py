"""One reason for which an object is refused."""

from __future__ import annotations

from typing import NamedTuple

from kftune.katib.go.types import Path


class Reason(NamedTuple):
    """A reason as the API server and Katib's webhook write it."""

    field: str
    """The path as the webhook writes it, such as `spec.parameters[0].feasibleSpace.max`."""
    type: str
    """`Required`, `Invalid`, `Forbidden` or `TooLong`."""
    detail: str
    path: Path
    """Where to look in the document; deeper than `field` where that is known."""


def required(path: Path, detail: str, *, field: str | None = None) -> Reason:
    """A value that must be given."""
    return Reason(field or field_text(path), "Required", detail, path)


def invalid(path: Path, detail: str, *, field: str | None = None) -> Reason:
    """A value that cannot be."""
    return Reason(field or field_text(path), "Invalid", detail, path)


def field_text(path: Path) -> str:
    """`("spec", "parameters", 0, "name")` as `spec.parameters[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
