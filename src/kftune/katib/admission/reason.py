"""One reason why an object is rejected."""

from __future__ import annotations

from functools import partial
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
    """The place in the document; deeper than `field` where it is known."""


def _reason(type: str, path: Path, detail: str, *, field: str | None = None) -> Reason:
    """Returns the reason of a value.

    Args:
        type: As in `Reason`.
        path: Its place.
        detail: The webhook's text.
        field: The field as the webhook names it; None for the path's text.
    """
    return Reason(field or field_text(path), type, detail, path)


required = partial(_reason, "Required")
invalid = partial(_reason, "Invalid")


def field_text(path: Path) -> str:
    """Writes `("spec", "parameters", 0, "name")` as `spec.parameters[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
