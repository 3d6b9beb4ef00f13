"""The result of a render, and the fields in it."""

from __future__ import annotations

import marshal
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import RenderError

# Source: go-yaml, the reader of the API server for server-side apply; U+0085 is a line break there.
_CONTROLS = re.compile("[\x7f-\x84\x86-\x9f]")


class Rendering(NamedTuple):
    """Manifests and notes about them."""

    documents: list[dict[str, Any]]
    """Plain dicts, ready to be dumped; the caller may change them."""
    notes: list[str]
    """Short sentences for the user: what is encoded and why, what the target does not support."""
    created: Sequence[dict[str, Any]] = ()
    """Plain dicts without a name, for `kubectl create`; `kubectl apply` rejects them."""


class EarlyStopping(NamedTuple):
    """What an Experiment has of the stopping rules of its study."""

    spec: dict[str, Any] | None
    """spec.earlyStopping; None if Katib can apply none of the rules."""
    notes: list[str]


NO_STOPPING = EarlyStopping(None, [])
"""Of a study without rules."""


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields that have a value: not None, and not an empty text, list or mapping."""
    return {name: value for name, value in fields.items() if value or value == 0}


def whole_seconds(seconds: float | None) -> int | None:
    """Returns a duration in the whole seconds that Kubernetes takes, rounded up; None stays None."""
    return None if seconds is None else math.ceil(seconds)


def check_controls(rendering: Rendering) -> None:
    """Checks that `kubectl apply --server-side` can send manifests: escapes do not help, kubectl undoes them.

    Raises:
        RenderError: A text has a control character from U+007F to U+009F.
    """
    documents = [*rendering.documents, *rendering.created]
    # In UTF-8 these characters are 7F, or begin with C2. To look for two bytes in all texts at once takes no time; what
    # is found by chance is looked at again.
    data = marshal.dumps(documents)
    if b"\x7f" in data or b"\xc2" in data:
        _refuse_controls(documents)


def _refuse_controls(value: object, path: str = "") -> None:
    if isinstance(value, str):
        found = _CONTROLS.search(value)
        if found is not None:
            raise RenderError(
                f"{path} must not hold the control character {found[0]!r}, which a cluster refuses with "
                f"kubectl apply --server-side, but is {value!r:.80}; remove it, or put the text into a file"
            )
    elif isinstance(value, dict):
        for key, inner in value.items():
            _refuse_controls(key, path)
            _refuse_controls(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_controls(inner, f"{path}[{index}]" if path else "")
