"""The result of a render, and the fields in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Rendering(NamedTuple):
    """Manifests and notes about them."""

    documents: list[dict[str, Any]]
    """Plain dicts, ready to be dumped; the caller may change them."""
    notes: list[str]
    """Short sentences for the user: what is encoded and why, what the target does not support."""
    created: Sequence[dict[str, Any]] = ()
    """Plain dicts without a name, for `kubectl create`; `kubectl apply` rejects them."""


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields that have a value: not None, and not an empty text, list or mapping."""
    return {name: value for name, value in fields.items() if value or value == 0}


def whole_seconds(seconds: float | None) -> int | None:
    """Returns a duration in the whole seconds that Kubernetes takes, rounded up; None stays None."""
    return None if seconds is None else math.ceil(seconds)
