"""Repairs references in KFP's intermediate representation (IR) to what is not there, or removes what nobody needs.

kfp 2.17's compiler gives a loop over mappings that is inside an exit handler or a condition inputs for the fields of
its own item, which only the loop itself has. A condition inside another one, or with another branch, gets a field from
the item, where its parent has only the field. KFP's driver then fails: "parent DAG does not have input parameter".

Source: kubeflow/pipelines, api/v2alpha1/pipeline_spec.proto; backend/src/v2/driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.errors import RenderError

_Part = Mapping[str, Any]

_PARENT = "componentInputParameter"
_IN_CONDITION = re.compile(r"inputs\.parameter_values\['([^']*)'\]")
_FIELD = re.compile(r'parseJson\(string_value\)\["([^"]*)"\]')
# Kind of value -> the keys of a reference to an input of the parent, and to an output of another task.
_KINDS = {
    "parameters": ("componentInputParameter", "taskOutputParameter", "outputParameterKey"),
    "artifacts": ("componentInputArtifact", "taskOutputArtifact", "outputArtifactKey"),
}


def repair_references(spec: _Part) -> None:
    """Repairs the inputs of tasks that come from an input that their parent does not have, or removes them.

    Args:
        spec: The IR; it is changed.

    Raises:
        RenderError: A reference to something that is not there is left.
    """
    components = spec.get("components", {})
    parts = [spec["root"], *(part for part in components.values() if "dag" in part)]
    while any(_clean(part, components) for part in parts):
        pass
    for part in parts:
        for place, name in _dangling(part, components):
            raise RenderError(
                f"KFP's compiler lets {place!r} refer to {name!r}, which is not there; move the loop or the condition "
                f"of this step, or take the value from an output of a step"
            )


def _clean(part: _Part, components: _Part) -> bool:
    known, changed = _declared(part, "input", "parameters"), False
    for task in part["dag"]["tasks"].values():
        given = task.get("inputs", {}).get("parameters", {})
        component = components[task["componentRef"]["name"]]
        for name in [name for name, source in given.items() if _PARENT in source and source[_PARENT] not in known]:
            field = f"{given[name][_PARENT]}-subvar-{_field(given[name])}"
            if field in known:
                given[name] = {_PARENT: field}
            elif "dag" in component:
                # The loop's own iterator adds its item to the inputs of its component, so that one stays.
                del given[name]
                _declared(component, "input", "parameters").pop(name, None)
                changed = True
    return changed


def _field(source: _Part) -> str:
    found = _FIELD.fullmatch(source.get("parameterExpressionSelector", ""))
    return found[1] if found else ""


def _dangling(part: _Part, components: _Part) -> Iterator[tuple[str, str]]:
    """Yields the tasks of a part, or its outputs, with each name that they refer to and that is not there."""
    tasks = part["dag"]["tasks"]
    made = {name: components[task["componentRef"]["name"]] for name, task in tasks.items()}
    for name, task in tasks.items():
        for missing in (*_inputs_of(task, made[name], part, made), *_rules_of(task, made[name], made)):
            yield name, missing
    for kind, (_, _, key) in _KINDS.items():
        for name, output in part["dag"].get("outputs", {}).get(kind, {}).items():
            for selector in _selectors(output):
                if selector[key] not in _declared(made.get(selector["producerSubtask"], {}), "output", kind):
                    yield name, selector[key]


def _inputs_of(task: _Part, component: _Part, part: _Part, made: _Part) -> Iterator[str]:
    """Yields what the inputs of a task refer to and is not there.

    Args:
        task: The task.
        component: Its component.
        part: The group that it is in.
        made: Task of that group -> its component.
    """
    for kind, (from_parent, from_task, key) in _KINDS.items():
        for name, source in task.get("inputs", {}).get(kind, {}).items():
            if name not in _declared(component, "input", kind):
                yield name
            if from_parent in source and source[from_parent] not in _declared(part, "input", kind):
                yield source[from_parent]
            output = source.get(from_task)
            if output and output[key] not in _declared(made.get(output["producerTask"], {}), "output", kind):
                yield output[key]
            if "taskFinalStatus" in source and source["taskFinalStatus"]["producerTask"] not in made:
                yield source["taskFinalStatus"]["producerTask"]


def _rules_of(task: _Part, component: _Part, made: _Part) -> Iterator[str]:
    """Yields what the order, the condition and the iterator of a task refer to and is not there."""
    yield from (name for name in task.get("dependentTasks", ()) if name not in made)
    iterator = task.get("parameterIterator", {})
    asked = _IN_CONDITION.findall(task.get("triggerPolicy", {}).get("condition", ""))
    if "inputParameter" in iterator.get("items", {}):
        asked.append(iterator["items"]["inputParameter"])
    given = task.get("inputs", {}).get("parameters", {})
    yield from (name for name in asked if name not in given)
    if iterator and iterator["itemInput"] not in _declared(component, "input", "parameters"):
        yield iterator["itemInput"]


def _declared(part: _Part, way: str, kind: str) -> dict[str, Any]:
    """Returns the inputs or outputs of a component: `way` is ``input`` or ``output``."""
    return part.get(f"{way}Definitions", {}).get(kind, {})  # type: ignore[no-any-return]


def _selectors(output: _Part) -> list[Any]:
    """Returns where the output of a group comes from."""
    if "valueFromParameter" in output:
        return [output["valueFromParameter"]]
    return [*output.get("valueFromOneof", {}).get("parameterSelectors", ()), *output.get("artifactSelectors", ())]
