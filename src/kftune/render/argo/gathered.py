"""Collects the outputs of all items of a loop in one list.

If an expression for the output of a DAG fails, Argo omits the tasks that need it, and the run is green or never ends.
So these expressions cannot fail: they join texts and read no values. A task before them checks the values, and stops
the run if one is wrong.

Source: argo-workflows v4.0.5, its controller run on a cluster.
"""

from __future__ import annotations

from typing import Any

from kftune.render.argo.text import path_of, tag
from kftune.render.argo.values import is_value

STOP = "Stop"
"""The template that fails with a reason."""

_WHY = "WHY"


def item_output(value: str, kind: str) -> str:
    """Returns the expression for one item's output: a comma and the text.

    Without the comma, Argo would embed the text of a list or mapping as that, and change its numbers.

    Args:
        value: The tag of the output.
        kind: Its type.
    """
    path = path_of(value)
    return f"',' + toJson({path})" if kind == "str" else f"',' + {path}"


def list_output(name: str) -> str:
    """Returns the expression for the list of all items' outputs; skipped items have an empty text."""
    return f"'[' + {_joined(name)} + ']'"


def check_task(name: str, number: int, kind: str, what: str) -> dict[str, Any] | None:
    """Returns the task that stops the run if one item's output is not of its type; None if it can be anything.

    Args:
        name: The output.
        number: Its number among the outputs of the loop.
        kind: Its type.
        what: The output, for the user.
    """
    holds = is_value("trimPrefix(#, ',')", kind)
    if holds is None:
        return None
    why = f"{what} must be of type {kind}, but the items gave: {{{{={_joined(name)}}}}}"
    return {
        # Names of outputs have signs that a task's name cannot have.
        "name": f"check-{number}",
        "template": STOP,
        "depends": "each.Succeeded",
        "when": f"{{{{=any({_texts(name)}, {{# != '' && not ({holds})}})}}}}",
        "arguments": {"parameters": [{"name": _WHY, "value": why}]},
    }


def stop_template() -> dict[str, Any]:
    """Renders the template that fails: without a pod, because no step's image is sure to have a shell."""
    return {
        "name": STOP,
        "inputs": {"parameters": [{"name": _WHY}]},
        "suspend": {"duration": tag(f"inputs.parameters.{_WHY}")},
    }


def _texts(name: str) -> str:
    return f"jsonpath({path_of(tag(f'tasks.each.outputs.parameters.{name}'))}, '$')"


def _joined(name: str) -> str:
    return f"trimPrefix(join({_texts(name)}, ''), ',')"
