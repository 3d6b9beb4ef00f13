"""What an object may weigh that a cluster stores.

Source: etcd (--max-request-bytes, 1.5 MiB); Kubernetes, ValidateAnnotationsSize (an object's annotations together).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kftune.errors import RenderError

MOST_BYTES = 1_572_864
MOST_ANNOTATION_BYTES = 262_144
# Nothing but lists of values makes an Experiment large; below this many it need not be weighed.
_FEW_VALUES = 1_000


def size_of(value: object) -> int:
    """Bytes of a value as compact JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def needs_server_side(kind: str, name: str, size: int) -> str:
    """A note on an object that plain kubectl apply cannot store."""
    return (
        f"{kind} {name} has {size} bytes: apply it with kubectl apply --server-side, since plain apply keeps a "
        f"copy in an annotation, which may have {MOST_ANNOTATION_BYTES}"
    )


def check_experiment(experiment: Mapping[str, Any]) -> list[str]:
    """Makes sure that an Experiment can be stored.

    Returns:
        What whoever applies it should know.

    Raises:
        RenderError: It is too large; the text says how to make it smaller.
    """
    values = 0
    for parameter in experiment["spec"]["parameters"]:
        values += len(parameter["feasibleSpace"].get("list", ()))
    if values < _FEW_VALUES:
        return []
    size, name = size_of(experiment), experiment["metadata"]["name"]
    if size > MOST_BYTES:
        lists = {each["name"]: each["feasibleSpace"].get("list", ()) for each in experiment["spec"]["parameters"]}
        longest = max(lists, key=lambda each: len(lists[each]))
        raise RenderError(
            f"Experiment {name} would have {size} bytes, and a cluster stores at most {MOST_BYTES}; search fewer of "
            f"the {len(lists[longest])} values of {longest}, or split them over several studies"
        )
    return [needs_server_side("Experiment", name, size)] if size > MOST_ANNOTATION_BYTES else []
