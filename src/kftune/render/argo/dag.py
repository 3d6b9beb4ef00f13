"""Renders the steps and loops of a pipeline as Argo DAGs: dependencies, and how values pass between tasks.

A loop is two DAGs: `Loop-x` runs `Body-x` for each item, some in parallel, and collects the outputs of all items in one
list; so a loop without items is an ordinary task. Steps and loops have lower-case names; the names added here do not.

Two rules keep a run from hanging or failing silently. A task that refers to another one depends on it, in the state
that it needs: Argo checks this only for values that start with the tag. A task whose value may be missing, because a
step was skipped, has a default: Argo fails otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from kftune.errors import RenderError
from kftune.pipeline import (
    Argument,
    FixedValue,
    ItemReference,
    Loop,
    Node,
    OutputReference,
    ParameterReference,
    Pipeline,
    Reference,
)
from kftune.render.argo.container import INPUTS, RUN_ID, default_of, ports
from kftune.render.argo.gathered import STOP, check_task, item_output, list_output, stop_template
from kftune.render.argo.items import KEY, item_fields, item_input, item_tag, item_value, items_text, key_tag
from kftune.render.argo.text import expression, path_of, tag, wire
from kftune.render.rendering import present

MAIN, EXIT = "Pipeline", "Exit"

# The input of `Loop-x` for items that a step writes.
_ITEMS = "ITEMS"


class _Handed(NamedTuple):
    """An argument that a task passes to its template."""

    name: str
    """The template's input."""
    value: str
    """The value or its tag; of an artifact, its source."""
    is_artifact: bool = False
    rest: Mapping[str, Any] = {}
    """Further fields of the input: `default`, `optional`."""


def dag_templates(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Renders the DAGs of a pipeline; the first is the entrypoint.

    Raises:
        RenderError: Argo cannot express the dependencies.
    """
    graph = _Graph(pipeline)
    templates: list[dict[str, Any]] = [{"name": MAIN, "dag": {"tasks": list(graph.main_tasks())}}]
    for name in pipeline.loops:
        templates += graph.loop_templates(name)
    if any(task["template"] == STOP for template in templates for task in template["dag"]["tasks"]):
        templates.append(stop_template())
    node = pipeline.plan.exit
    if node is not None:
        templates.append({"name": EXIT, "dag": {"tasks": [graph.task(node)]}})
    return templates


def relies_on_absence(pipeline: Pipeline) -> str | None:
    """Returns a step that uses a default, or no artifact, when another step is skipped; None if there is none."""
    graph = _Graph(pipeline)
    return next((node.name for node in pipeline.plan.nodes.values() if graph.may_lack(node)), None)


class _Graph:
    def __init__(self, pipeline: Pipeline) -> None:
        self._loops = pipeline.loops
        self._nodes = pipeline.plan.nodes
        self._members = {name: [self._nodes[step] for step in pipeline.members(name)] for name in pipeline.loops}
        self._handed = {name: list(self._handed_in(members)) for name, members in self._members.items()}
        self._needed = {name: self._needed_by_all(name) for name in pipeline.loops}

    def main_tasks(self) -> Iterator[dict[str, Any]]:
        """Renders the steps outside loops, and the loops, in order."""
        done = set()
        for node in self._nodes.values():
            if node.loop is None:
                yield self.task(node)
            elif node.loop not in done:
                done.add(node.loop)
                yield self._loop_task(node.loop)

    def task(self, node: Node) -> dict[str, Any]:
        """Renders the task that runs a step, in its DAG."""
        needed = _needed_producers(node)
        waits: dict[str, bool] = {}
        for name in node.dependencies:
            loop = self._nodes[name].loop
            if node.loop is None or loop == node.loop:  # for steps outside a loop, the loop waits
                waits[name if loop is None or loop == node.loop else loop] = name in needed
        when = None
        if node.condition is not None and node.condition_types is not None:
            paths = {side: path_of(self._side(node, side)) for side in node.condition.references}
            when = expression(node.condition, node.condition_types, paths)
        handed = list(self._given(node))
        if node.step.launches:
            item = f".{tag(f'inputs.parameters.{KEY}')}" if node.loop is not None else ""
            handed.append(_Handed(RUN_ID, f"{tag('workflow.uid')}.{node.name}{item}"))
        task = {"name": node.name, "template": node.name, "depends": self._depends(waits), "when": when}
        return present({**task, "arguments": _arguments(handed)})

    def _given(self, node: Node) -> Iterator[_Handed]:
        """Yields the arguments of a step's task; for an optional artifact also its path, which may be empty."""
        for argument in node.arguments.values():
            if isinstance(argument.source, FixedValue):
                continue
            source, is_outside = argument.source, self._is_outside(argument.source, node)
            own, name = wire(argument.name), f"{node.name}_{wire(argument.name)}"
            if argument.is_artifact and argument.optional:
                yield _Handed(own, tag(f"inputs.parameters.{name}") if is_outside else _path_if_there(argument))
            kind = "artifacts" if argument.is_artifact else "parameters"
            value = tag(f"inputs.{kind}.{name}") if is_outside else self._value_for(node, source, kind)
            yield _Handed(own, value, argument.is_artifact, _optional(argument) if argument.is_artifact else {})

    def _side(self, node: Node, side: Reference) -> str:
        if isinstance(side, OutputReference) and self._is_outside(side, node):
            return tag(f"inputs.parameters.{_side_name(node, side)}")
        return self._value_for(node, side, "parameters")

    def _value(self, source: Reference, kind: str) -> str:
        """Returns a value in the DAG that produces it."""
        if isinstance(source, ParameterReference):
            return tag(f"workflow.parameters.{source.name}")
        if isinstance(source, OutputReference):
            return tag(f"tasks.{source.step}.outputs.{kind}.{wire(source.output)}")
        # Argo has a third status, Error.
        return "{{=sprig.ternary('Succeeded', 'Failed', workflow.status == 'Succeeded')}}"

    def _value_for(self, node: Node, source: Reference, kind: str) -> str:
        if isinstance(source, ItemReference) and node.loop is not None:
            return item_value(self._loops[node.loop], source.field)
        return self._outer_value(source, kind) if node.loop is None else self._value(source, kind)

    def _outer_value(self, source: Reference, kind: str) -> str:
        """Returns a value in the main DAG: of a step in a loop, the list of all items' outputs."""
        if isinstance(source, OutputReference) and (loop := self._nodes[source.step].loop) is not None:
            return tag(f"tasks.{loop}.outputs.parameters.{_collected(source)}")
        return self._value(source, kind)

    def _is_outside(self, source: Reference, node: Node) -> bool:
        """Returns whether a step in a loop uses a value from outside the loop."""
        return isinstance(source, OutputReference) and node.loop is not None and self._loop_of(source) != node.loop

    def _loop_of(self, source: OutputReference) -> str | None:
        return self._nodes[source.step].loop

    def may_lack(self, node: Node) -> bool:
        """Returns whether a step may run without a value from another step."""
        for argument in node.arguments.values():
            if not isinstance(argument.source, OutputReference):
                continue
            loop = self._loop_of(argument.source)
            producer = argument.source.step if loop is None or loop == node.loop else loop
            has_default = argument.fan_in or argument.optional or argument.default is not None
            if has_default and self._may_be_left_out(producer):
                return True
        return False

    def _depends(self, waits: Mapping[str, bool]) -> str:
        """Returns the states on which a task depends, from other task -> whether this one needs its output."""
        return " && ".join(
            f"{name}.Succeeded"
            if needed or not self._may_be_left_out(name)
            else f"({name}.Succeeded || {name}.Skipped || {name}.Omitted)"
            for name, needed in waits.items()
        )

    def _may_be_left_out(self, name: str) -> bool:
        if name in self._loops:
            return any(self._may_be_left_out(other) for other in self._needed[name])
        return self._nodes[name].skippable

    def _handed_in(self, members: Iterable[Node]) -> Iterator[_Handed]:
        for node in members:
            for argument in node.arguments.values():
                source = argument.source
                if isinstance(source, FixedValue) or not self._is_outside(source, node):
                    continue
                name = f"{node.name}_{wire(argument.name)}"
                kind = "artifacts" if argument.is_artifact else "parameters"
                if argument.is_artifact and argument.optional:
                    yield _Handed(name, _path_if_there(argument), False, {"default": ""})
                rest = _optional(argument) if argument.is_artifact else default_of(argument)
                yield _Handed(name, self._outer_value(source, kind), argument.is_artifact, rest)
            for side in node.condition.references if node.condition else ():
                if isinstance(side, OutputReference) and self._is_outside(side, node):
                    yield _Handed(_side_name(node, side), self._outer_value(side, "parameters"))

    def _needed_by_all(self, name: str) -> set[str]:
        """Returns the tasks outside a loop that all of its steps need.

        Raises:
            RenderError: Only some of its steps need a task that may be skipped.
        """
        needed: dict[str, set[str]] = {}
        for node in self._members[name]:
            own = _needed_producers(node)
            inside = {other for other in own if self._nodes[other].loop == name}
            needed[node.name] = (own - inside).union(*(needed[other] for other in inside))
        by_all = set.intersection(*needed.values())
        source = self._loops[name].source
        if isinstance(source, OutputReference):
            by_all.add(source.step)
        for step, others in needed.items():
            for other in sorted(others - by_all):
                if self._nodes[other].skippable:
                    raise RenderError(
                        f"Argo runs or skips a loop as a whole, but in loop {name!r} only step {step!r} needs "
                        f"{other!r}, which may be skipped; give that input a default, or put {step!r} into "
                        f"another loop"
                    )
        return {self._nodes[other].loop or other for other in by_all}

    def _loop_task(self, name: str) -> dict[str, Any]:
        source = self._loops[name].source
        waits: dict[str, bool] = {}
        for other in (other for node in self._members[name] for other in node.dependencies):
            if self._nodes[other].loop != name:
                unit = self._nodes[other].loop or other
                waits[unit] = unit in self._needed[name]
        items = (
            [_Handed(_ITEMS, self._outer_value(source, "parameters"))] if isinstance(source, OutputReference) else []
        )
        arguments = _arguments([*items, *self._handed[name]])
        task = {"name": name, "template": f"Loop-{name}", "depends": self._depends(waits), "arguments": arguments}
        return present(task)

    def loop_templates(self, name: str) -> list[dict[str, Any]]:
        """Renders the DAG that iterates over the items of a loop, and the DAG that runs for each item."""
        loop, members, handed = self._loops[name], self._members[name], self._handed[name]
        fields = item_fields(members)
        needs_key = any(node.step.launches for node in members)
        passed = [_Handed(item_input(field), item_tag(loop, field)) for field in fields]
        if needs_key:
            passed.append(_Handed(KEY, key_tag(loop)))
        through = [
            other._replace(value=tag(f"inputs.{'artifacts' if other.is_artifact else 'parameters'}.{other.name}"))
            for other in handed
        ]
        each = {"name": "each", "template": f"Body-{name}", "arguments": _arguments([*passed, *through])}
        each["withParam"] = self._with_param(name, loop, fields)
        items = [_Handed(_ITEMS, "")] if isinstance(loop.source, OutputReference) else []
        collected = self._collected_of(name)
        outer = {
            "name": f"Loop-{name}",
            "inputs": _inputs([*items, *handed]),
            "outputs": ports(("parameters", _list_output(_collected(source), loop)) for source in collected),
            "parallelism": loop.parallel,
            "dag": {"tasks": [present(each), *self._checks(collected)]},
        }
        body = {
            "name": f"Body-{name}",
            "inputs": _inputs([*passed, *handed]),
            "outputs": ports(("parameters", self._body_output(source)) for source in collected),
            "dag": {"tasks": [self.task(node) for node in members]},
        }
        return [present(outer), present(body)]

    def _with_param(self, name: str, loop: Loop, fields: list[str | None]) -> str:
        if loop.entries is not None:
            return items_text(name, loop.entries, fields)
        if isinstance(loop.source, ParameterReference):
            return tag(f"workflow.parameters.{loop.source.name}")
        return tag(f"inputs.parameters.{_ITEMS}")

    def _collected_of(self, name: str) -> list[OutputReference]:
        """Returns the outputs of a loop's steps that are used outside the loop."""
        found: dict[OutputReference, None] = {}
        sources: list[tuple[object, str | None]] = [
            (argument.source, node.loop) for node in self._nodes.values() for argument in node.arguments.values()
        ]
        sources += [(loop.source, other) for other, loop in self._loops.items()]
        for source, taker in sources:
            if isinstance(source, OutputReference) and self._loop_of(source) == name and taker != name:
                found[source] = None
        return sorted(found, key=lambda source: (list(self._nodes).index(source.step), source.output))

    def _body_output(self, source: OutputReference) -> dict[str, Any]:
        kind = self._nodes[source.step].outputs[source.output].type
        value = {"expression": item_output(self._value(source, "parameters"), kind)}
        if self._nodes[source.step].skippable:
            value["default"] = ""
        return {"name": _collected(source), "valueFrom": value}

    def _checks(self, collected: Iterable[OutputReference]) -> Iterator[dict[str, Any]]:
        for number, source in enumerate(collected):
            what = f"output {source.output} of step {source.step}"
            kind = self._nodes[source.step].outputs[source.output].type
            task = check_task(_collected(source), number, kind, what)
            if task is not None:
                yield task


def _needed_producers(node: Node) -> set[str]:
    """Returns the steps whose outputs a step needs: without them it is skipped."""
    sources = [
        argument.source
        for argument in node.arguments.values()
        if argument.default is None and not argument.optional and not argument.fan_in
    ]
    sources += node.condition.references if node.condition else ()
    return {source.step for source in sources if isinstance(source, OutputReference)}


def _optional(argument: Argument) -> dict[str, Any]:
    return {"optional": True} if argument.optional else {}


def _path_if_there(argument: Argument) -> str:
    there = f"tasks['{argument.producer}'].status == 'Succeeded'"
    return f"{{{{=sprig.ternary('{INPUTS}/{wire(argument.name)}', '', {there})}}}}"


def _side_name(node: Node, side: OutputReference) -> str:
    return f"{node.name}_WHEN_{_collected(side)}"


def _collected(source: OutputReference) -> str:
    return f"{source.step}_{wire(source.output)}"


def _list_output(name: str, loop: Loop) -> dict[str, Any]:
    default = {"default": "[]"} if loop.entries is None else {}
    return {"name": name, "valueFrom": {"expression": list_output(name), **default}}


def _arguments(given: Iterable[_Handed]) -> dict[str, Any]:
    return ports(
        ("artifacts", {"name": one.name, "from": one.value, **present({"optional": one.rest.get("optional")})})
        if one.is_artifact
        else ("parameters", {"name": one.name, "value": one.value})
        for one in given
    )


def _inputs(handed: Iterable[_Handed]) -> dict[str, Any]:
    return ports(("artifacts" if one.is_artifact else "parameters", {"name": one.name, **one.rest}) for one in handed)
