"""Removes inputs from KFP's intermediate representation (IR) that the parent of a task does not have.

Inside an exit handler or a condition, kfp 2.17's compiler gives a loop over mappings inputs for the fields of its own
item, which only the loop itself has. KFP's driver then fails: "parent DAG does not have input parameter".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.errors import RenderError

_PARENT = "componentInputParameter"


def remove_dangling_inputs(spec: Mapping[str, Any]) -> None:
    """Removes from each task the inputs that come from an input that its parent does not have.

    Args:
        spec: The IR; it is changed.

    Raises:
        RenderError: A container, a condition or a loop needs such an input.
    """
    components = spec.get("components", {})
    parts = [spec["root"], *(part for part in components.values() if "dag" in part)]
    while any(_clean(part, components) for part in parts):
        pass
    for part in parts:
        known = _inputs(part)
        for name, task in part["dag"]["tasks"].items():
            for needed in _used(task):
                if needed not in known:
                    raise RenderError(
                        f"KFP's compiler gives {name!r} the input {needed!r}, which its group does not have; "
                        f"move the loop or the condition of this step, or take the value from an output of a step"
                    )


def _clean(part: Mapping[str, Any], components: Mapping[str, Any]) -> bool:
    known, changed = _inputs(part), False
    for task in part["dag"]["tasks"].values():
        given = task.get("inputs", {}).get("parameters", {})
        component = components[task["componentRef"]["name"]]
        if "dag" not in component:
            continue
        # The loop's own iterator adds its item to the inputs of its component, so that one stays.
        for name in [name for name, source in given.items() if _PARENT in source and source[_PARENT] not in known]:
            del given[name]
            _inputs(component).pop(name, None)
            changed = True
    return changed


def _inputs(part: Mapping[str, Any]) -> dict[str, Any]:
    return part.get("inputDefinitions", {}).get("parameters", {})  # type: ignore[no-any-return]


def _used(task: Mapping[str, Any]) -> Iterator[str]:
    """Yields the inputs of the parent that a task uses."""
    for source in task.get("inputs", {}).get("parameters", {}).values():
        if _PARENT in source:
            yield source[_PARENT]
