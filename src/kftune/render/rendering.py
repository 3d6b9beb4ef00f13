"""The result of a render."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Rendering(NamedTuple):
    """Manifests and notes about them."""

    documents: list[dict[str, Any]]
    """Plain dicts, ready to be dumped; the caller may change them."""
    notes: list[str]
    """Short sentences for the user: what is encoded and why, what the target does not support."""
    created: Sequence[dict[str, Any]] = ()
    """Plain dicts without a name, for `kubectl create`; `kubectl apply` rejects them."""
