"""What a render gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Rendering(NamedTuple):
    """Manifests, and what whoever applies them should know."""

    documents: list[dict[str, Any]]
    """Plain dicts, ready to be dumped. Nobody else holds them, so they may be changed."""
    notes: list[str]
    """Short sentences: what went out in another form and why, what the target cannot do."""
    created: Sequence[dict[str, Any]] = ()
    """Plain dicts that have no name yet: `kubectl create` makes a new one of them each time, `apply` refuses them."""
