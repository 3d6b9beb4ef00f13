"""Runs a pipeline's plan step by step without an engine: the arguments and artifacts of each started step."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kftune.pipeline import (
    Argument,
    FixedValue,
    ItemReference,
    Node,
    OutputReference,
    ParameterReference,
    Pipeline,
    Reference,
)
from kftune.pipeline.ports import text_of

Writes = Callable[[str, list[str]], Mapping[str, str]]


class Started(NamedTuple):
    """A step that was started."""

    step: str
    argv: list[str]
    artifacts: dict[str, str]
    """Path -> the artifact in it, as ``step:number:name``."""


class AbsentError(Exception):
    """An output of a step that was skipped."""


def run(pipeline: Pipeline, writes: Writes, inputs: str, outputs: str) -> list[Started]:
    """Runs a plan to its end, exit step included.

    Args:
        pipeline: The pipeline to run.
        writes: Returns what a step writes: step and argv -> output -> text.
        inputs: The folder of input artifacts.
        outputs: The folder of output artifacts.
    """
    runner = _Runner(pipeline, writes, inputs, outputs)
    done = set()
    for node in pipeline.plan.nodes.values():
        if node.loop is None:
            runner.start(node, None, ())
        elif node.loop not in done:
            done.add(node.loop)
            runner.loop(node.loop)
    if pipeline.plan.exit is not None:
        runner.start(pipeline.plan.exit, None, ())
    return runner.started


class _Runner:
    def __init__(self, pipeline: Pipeline, writes: Writes, inputs: str, outputs: str) -> None:
        self._pipeline, self._writes, self._inputs, self._outputs = pipeline, writes, inputs, outputs
        self.started: list[Started] = []
        # (step, index of the item or None) -> output -> text; skipped steps are missing.
        self._made: dict[tuple[str, int | None], dict[str, str]] = {}
        self._counts: dict[str, int] = {}

    def loop(self, name: str) -> None:
        loop = self._pipeline.loops[name]
        self._counts[name] = 0
        try:
            items = loop.entries if loop.entries is not None else json.loads(self._text(loop.source, None, None, ()))
        except AbsentError:
            return
        self._counts[name] = len(items)
        for index, item in enumerate(items):
            for step in self._pipeline.members(name):
                self.start(self._pipeline.node(step), index, item)

    def start(self, node: Node, index: int | None, item: Any) -> None:
        lying: dict[str, str] = {}
        try:
            if not self._holds(node, index, item):
                return
            values = {
                argument.name: self._given(argument, node, index, item, lying) for argument in node.arguments.values()
            }
        except AbsentError:
            return
        for name in (*node.outputs, "executor-output"):
            values[name] = f"{self._outputs}/{name.replace('.', '-')}"
        argv = node.command_line(values)
        number = sum(started.step == node.name for started in self.started)
        self.started.append(Started(node.name, argv, lying))
        made = dict(self._writes(node.name, argv))
        made |= {name: f"{node.name}:{number}:{name}" for name in node.outputs if name not in made}
        self._made[node.name, index] = made

    def _holds(self, node: Node, index: int | None, item: Any) -> bool:
        if node.condition is None or node.condition_types is None:
            return True
        sides = zip((node.condition.left, node.condition.right), node.condition_types, strict=True)
        return node.condition.holds(*(self._typed(side, kind, node, index, item) for side, kind in sides))

    def _given(self, argument: Argument, node: Node, index: int | None, item: Any, lying: dict[str, str]) -> str:
        if isinstance(argument.source, FixedValue):
            return argument.source.text
        try:
            text = self._text(argument.source, node, index, item)
        except AbsentError:
            if argument.optional:
                return ""
            if argument.default is None:
                raise
            return text_of(argument.default)
        if not argument.is_artifact:
            return text
        path = f"{self._inputs}/{argument.name.replace('.', '-')}"
        lying[path] = text
        return path

    def _text(self, source: Reference | None, taker: Node | None, index: int | None, item: Any) -> str:
        if isinstance(source, ParameterReference):
            return text_of(self._pipeline.run_parameters[source.name].value)
        if isinstance(source, ItemReference):
            return text_of(item if source.field is None else item[source.field])
        if not isinstance(source, OutputReference):
            return "Succeeded"
        loop = self._pipeline.node(source.step).loop
        if loop is not None and (taker is None or taker.loop != loop):
            made = [self._made.get((source.step, number)) for number in range(self._counts[loop])]
            kind = self._pipeline.node(source.step).outputs[source.output].type
            found = [texts[source.output] for texts in made if texts is not None]
            return f"[{','.join(_go_json(text) if kind == 'str' else text for text in found)}]"
        place = (source.step, index if loop is not None else None)
        if place not in self._made:
            raise AbsentError
        return self._made[place][source.output]

    def _typed(self, side: Any, kind: str, taker: Node, index: int | None, item: Any) -> Any:
        return _value(self._text(side, taker, index, item), kind) if isinstance(side, Reference) else side


def _value(text: str, kind: str) -> Any:
    return text if kind == "str" else json.loads(text)


def _go_json(text: str) -> str:
    """Returns a text in JSON as Go writes it."""
    return json.dumps(text, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
