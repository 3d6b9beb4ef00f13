"""Checks the size of objects that a cluster stores.

Source: etcd (--max-request-bytes, 1.5 MiB); Kubernetes, ValidateAnnotationsSize (an object's annotations together).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kftune.errors import RenderError
from kftune.katib.go.names import MOST_ANNOTATION_BYTES, MOST_BYTES

# Only lists of values make an Experiment large; with fewer values its size is not measured.
_FEW_VALUES = 1_000


def size_of(value: object) -> int:
    """Returns the size of a value as compact JSON, in bytes."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def needs_server_side(kind: str, name: str, size: int) -> str:
    """Returns a note about an object that plain `kubectl apply` cannot store.

    Args:
        kind: The object's kind.
        name: The object's name.
        size: Its size in bytes.
    """
    return (
        f"{kind} {name} has {size} bytes: apply it with kubectl apply --server-side; plain apply keeps a "
        f"copy in an annotation of at most {MOST_ANNOTATION_BYTES} bytes"
    )


def check_experiment(experiment: Mapping[str, Any]) -> list[str]:
    """Checks the size of an Experiment.

    Returns:
        Notes for the user.

    Raises:
        RenderError: It is too large for a cluster.
    """
    parameters = experiment["spec"]["parameters"]
    if sum([len(each["feasibleSpace"].get("list", ())) for each in parameters]) < _FEW_VALUES:
        return []
    size, name = size_of(experiment), experiment["metadata"]["name"]
    if size > MOST_BYTES:
        lists = {each["name"]: each["feasibleSpace"].get("list", ()) for each in parameters}
        longest = max(lists, key=lambda each: len(lists[each]))
        raise RenderError(
            f"Experiment {name} would have {size} bytes, but a cluster stores at most {MOST_BYTES}; search fewer of "
            f"the {len(lists[longest])} values of {longest}, or split them over several studies"
        )
    return [needs_server_side("Experiment", name, size)] if size > MOST_ANNOTATION_BYTES else []
