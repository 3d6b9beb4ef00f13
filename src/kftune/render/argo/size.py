"""What an object of Argo may weigh, checked before a cluster refuses it or a run gets stuck half-way.

Source: argo-workflows v4.1, manifests/base/crds/full (templates, tasks, inputs) and workflow/packer (a workflow with
the states of its nodes, packed, may have 1 MiB).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kftune.errors import RenderError
from kftune.render.size import MOST_ANNOTATION_BYTES, MOST_BYTES, needs_server_side, size_of

MOST_RUN_BYTES = 1_048_576
MOST_TEMPLATES = 200
MOST_TASKS = 200
MOST_INPUTS = 500

# What one node adds to a workflow once it is packed, by gzip and base64: 99 bytes, measured on 4 000 made-up states of
# 1 000 bytes each, with names, times and values that all differ. The values of items come on top.
_NODE_BYTES = 100
_PACKED = 6


def check_size(document: Mapping[str, Any]) -> list[str]:
    """Makes sure that an object can be stored.

    Returns:
        What whoever applies it should know.

    Raises:
        RenderError: It is too large; the text says how to split it.
    """
    kind, name = document["kind"], document["metadata"].get("name") or document["metadata"]["generateName"]
    annotations = document["metadata"].get("annotations", {})
    heavy = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if heavy > MOST_ANNOTATION_BYTES:
        raise RenderError(
            f"the annotations of an object may have {MOST_ANNOTATION_BYTES} bytes together, but those of {name} have "
            f"{heavy}; shorten targets.argo.annotations"
        )
    size = size_of(document)
    if size > MOST_BYTES:
        raise RenderError(
            f"{kind} {name} would have {size} bytes, and a cluster stores at most {MOST_BYTES}; split the "
            f"pipeline or the items of its loops into several pipelines, or let a step write the items as its output"
        )
    if size + heavy > MOST_ANNOTATION_BYTES:
        return [needs_server_side(kind, name, size)]
    return []


def check_counts(templates: list[dict[str, Any]]) -> None:
    """Makes sure that Argo's full definitions take that many templates, tasks and inputs.

    Raises:
        RenderError: They do not.
    """
    if len(templates) > MOST_TEMPLATES:
        raise RenderError(
            f"Argo takes {MOST_TEMPLATES} templates in a workflow, but this pipeline needs {len(templates)}, one a "
            f"step and two a loop; split it into several pipelines"
        )
    for template in templates:
        tasks = template.get("dag", {}).get("tasks", [])
        if len(tasks) > MOST_TASKS:
            raise RenderError(
                f"Argo takes {MOST_TASKS} tasks in a DAG, but this pipeline has {len(tasks)} steps and loops side by "
                f"side; split it into several pipelines"
            )
        inputs = template.get("inputs", {})
        count = len(inputs.get("parameters", [])) + len(inputs.get("artifacts", []))
        if count > MOST_INPUTS:
            raise RenderError(
                f"Argo takes {MOST_INPUTS} inputs of a template, but {template['name']} has {count}; "
                f"pass several values as one dict"
            )


def check_run(spec: Mapping[str, Any], nodes: int, value_bytes: int) -> None:
    """Makes sure that a run can keep the states of its nodes.

    Args:
        spec: The spec, which each run keeps a copy of.
        nodes: How many nodes a run has at most, as far as that is known.
        value_bytes: Bytes of the values that they are given, together.

    Raises:
        RenderError: By our estimate it cannot, and would stop half-way.
    """
    size = size_of(spec) + nodes * _NODE_BYTES + value_bytes // _PACKED
    if size > MOST_RUN_BYTES:
        raise RenderError(
            f"a run would have {nodes} nodes and, by estimate, {size} bytes with their states; Argo keeps at most "
            f"{MOST_RUN_BYTES} without a database; split the items of its loops over several pipelines, or put several "
            f"steps of a loop into one"
        )
