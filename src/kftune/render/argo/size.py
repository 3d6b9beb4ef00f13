"""Checks the size of Argo objects, before a cluster rejects them or a run gets stuck.

Source: argo-workflows v4.1, manifests/base/crds/full (templates, tasks, inputs) and workflow/packer (a workflow with
the states of its nodes, packed, may have 1 MiB).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.errors import RenderError
from kftune.katib.go.names import MOST_ANNOTATION_BYTES, MOST_BYTES
from kftune.render.size import needs_server_side, size_of

MOST_RUN_BYTES = 1_048_576
MOST_TEMPLATES = 200
MOST_TASKS = 200
MOST_INPUTS = 500

# What a node adds to a workflow packed by gzip and base64: 99 bytes, measured on 4 000 generated states of 1 000 bytes
# each with different names, times and values. The values of items are added to it.
_NODE_BYTES = 100
_PACKED = 6


def check_size(document: Mapping[str, Any]) -> list[str]:
    """Checks that a cluster can store an object.

    Returns:
        Notes for the user.

    Raises:
        RenderError: It is too large.
    """
    kind, name = document["kind"], document["metadata"].get("name") or document["metadata"]["generateName"]
    annotations = document["metadata"].get("annotations", {})
    heavy = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if heavy > MOST_ANNOTATION_BYTES:
        raise RenderError(
            f"the annotations of an object must not exceed {MOST_ANNOTATION_BYTES} bytes, but those of {name} have "
            f"{heavy}; shorten targets.argo.annotations"
        )
    size = size_of(document)
    if size > MOST_BYTES:
        raise RenderError(
            f"{kind} {name} would have {size} bytes, but a cluster stores at most {MOST_BYTES}; split the "
            f"pipeline or the items of its loops into several pipelines, or let a step write the items as its output"
        )
    return [needs_server_side(kind, name, size)] if size + heavy > MOST_ANNOTATION_BYTES else []


def check_counts(templates: list[dict[str, Any]]) -> None:
    """Checks the numbers of templates, tasks and inputs against the limits of Argo's full CRDs.

    Raises:
        RenderError: There are too many.
    """
    if len(templates) > MOST_TEMPLATES:
        raise RenderError(
            f"Argo allows {MOST_TEMPLATES} templates in a workflow, but this pipeline needs {len(templates)}: one per "
            f"step and two per loop; split it into several pipelines"
        )
    for template in templates:
        tasks = template.get("dag", {}).get("tasks", [])
        if len(tasks) > MOST_TASKS:
            raise RenderError(
                f"Argo allows {MOST_TASKS} tasks in a DAG, but this pipeline has {len(tasks)} steps and loops on one "
                f"level; split it into several pipelines"
            )
        inputs = template.get("inputs", {})
        count = len(inputs.get("parameters", [])) + len(inputs.get("artifacts", []))
        if count > MOST_INPUTS:
            raise RenderError(
                f"Argo allows {MOST_INPUTS} inputs of a template, but {template['name']} has {count}; "
                f"pass several values as one dict"
            )


def check_run(spec: Mapping[str, Any], nodes: int, value_bytes: int) -> None:
    """Checks that a run can store the states of its nodes.

    Args:
        spec: The spec, of which each run stores a copy.
        nodes: The maximum number of nodes of a run, where it is known.
        value_bytes: Bytes of all values that the nodes receive.

    Raises:
        RenderError: By estimate the run would be too large, and get stuck.
    """
    size = size_of(spec) + nodes * _NODE_BYTES + value_bytes // _PACKED
    if size > MOST_RUN_BYTES:
        raise RenderError(
            f"a run would have {nodes} nodes and about {size} bytes with their states, but Argo stores at most "
            f"{MOST_RUN_BYTES} without a database; split the items of its loops into several pipelines, or merge steps "
            f"of a loop"
        )
