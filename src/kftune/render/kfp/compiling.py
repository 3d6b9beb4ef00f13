"""Compiles a pipeline with kfp's compiler to its intermediate representation (IR).

Source: kfp 2.17, dsl and compiler. Every argument is passed explicitly: KFP 2.17.0 fails where a container component
relies on its default (kubeflow/pipelines 14175).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from operator import eq, ge, gt, le, lt, ne
from typing import Any, cast

from google.protobuf import json_format
from kfp import dsl
from kfp.dsl import PipelineConfig
from kfp.dsl.pipeline_channel import PipelineParameterChannel

from kftune.errors import RenderError
from kftune.katib.go.json_reading import with_sorted_keys
from kftune.pipeline import (
    EXECUTOR_OUTPUT,
    Argument,
    Condition,
    FixedValue,
    ItemReference,
    Node,
    OutputReference,
    ParameterReference,
    Pipeline,
    Reference,
    StatusReference,
)
from kftune.pipeline.names import plain
from kftune.pipeline.ports import text_of
from kftune.render.kfp.components import (
    EXPERIMENT,
    ITEM,
    RUN,
    TYPES,
    component_of,
    constant_component,
    kept,
)
from kftune.render.kfp.dangling import repair_references
from kftune.render.kfp.groups import Block, Group, Placing, takes_item
from kftune.render.kfp.settings import apply_settings
from kftune.render.launching import Launching


def compiled(pipeline: Pipeline, launchings: Mapping[str, Launching]) -> list[dict[str, Any]]:
    """Compiles a pipeline to its IR: the pipeline spec, and the platform spec if it has one.

    Args:
        pipeline: The pipeline.
        launchings: Step -> what kftune's launcher creates for it.

    Raises:
        RenderError: KFP cannot run it.
    """
    target = pipeline.targets.kfp
    timeout = None
    if pipeline.timeout is not None and target.version == "2.17":
        timeout = PipelineConfig(active_deadline_seconds=math.ceil(pipeline.timeout))
    decorate = dsl.pipeline(
        name=pipeline.name,
        description=" ".join(pipeline.description.split()) or None,
        pipeline_root=target.pipeline_root,
        pipeline_config=timeout,
    )
    tracer = _Tracer(pipeline, launchings)
    try:
        graph = decorate(tracer.function())
    except RenderError:
        raise
    except Exception as error:  # kfp has no exception of its own, and also fails with assertions
        # kfp adds whole messages of the IR behind the first line.
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise RenderError(f"KFP's compiler refuses {tracer.place}: {why}") from error
    spec, platform = graph.pipeline_spec, graph.platform_spec
    for name, given in pipeline.run_parameters.items():
        if given.description:
            spec.root.input_definitions.parameters[name].description = " ".join(given.description.split())
    documents = [json_format.MessageToDict(spec), json_format.MessageToDict(platform)]
    # A protobuf map has no order.
    repair_references(documents[0])
    return [with_sorted_keys(document) for document in documents if document]


class _Tracer:
    """Makes the tasks of a pipeline while kfp traces them."""

    def __init__(self, pipeline: Pipeline, launchings: Mapping[str, Launching]) -> None:
        self._pipeline = pipeline
        self._launchings = launchings
        self._placing = Placing(pipeline)
        self._types = {name: str(given.type) for name, given in pipeline.run_parameters.items()}
        self._whole = self.place = f"pipeline {pipeline.name!r}"
        """What is traced."""
        self._tasks: dict[str, Any] = {}
        self._inputs: dict[str, Any] = {}
        self._items: dict[str, Any] = {}
        self._other_branch: dict[tuple[str, str], Any] = {}

    def function(self) -> Any:
        """Returns the function that kfp calls with a channel for each parameter of the run."""
        parameters = self._pipeline.run_parameters

        def body(*channels: Any) -> None:
            self._inputs = dict(zip(parameters, channels, strict=True))
            self._run()

        body.__name__ = self._pipeline.name.replace("-", "_")
        body.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # kfp reads the signature and nothing else
            [
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    annotation=TYPES[str(given.type)],
                    default=inspect.Parameter.empty if given.default is None else _unchanged(given.value, name),
                )
                for name, given in parameters.items()
            ]
        )
        return body

    def _run(self) -> None:
        block = self._placing.block()
        last = self._pipeline.plan.exit
        with nullcontext() if last is None else dsl.ExitHandler(self._task(last), name=f"before-{last.name}"):
            self._run_block(block)

    def _run_block(self, block: Block) -> None:
        for item in block.items:
            if isinstance(item, Node):
                self._tasks[item.name] = self._task(item)
            elif (group := item.group) is not None:
                (self._run_loop if group.kind == "loop" else self._run_condition)(item, group)
        self.place = self._whole

    def _run_loop(self, block: Block, group: Group) -> None:
        loop = self._pipeline.loops[group.name]
        source = loop.source
        items = [_item(entry) for entry in loop.entries or ()] if source is None else self._channel(source)
        with dsl.ParallelFor(items, name=group.name, parallelism=loop.parallel or 0) as item:
            self._items[group.name] = item
            self._run_block(block)

    def _run_condition(self, block: Block, group: Group) -> None:
        node = self._pipeline.node(group.name)
        with dsl.If(self._operation(node), name=f"when-{node.name}"):
            self._run_block(block)
        wanted = list(self._wanted_of_other_branch(block))
        if not wanted:
            return
        with dsl.Else(name=f"without-{node.name}"):
            for consumer, argument in wanted:
                source = cast("OutputReference", argument.source)
                producer = self._pipeline.node(source.step)
                output = producer.outputs[source.output].type
                name = f"{consumer.name}-{plain(argument.name)}-default".replace("_", "-").lower()
                task = constant_component(name, producer, output)(text=kept(text_of(argument.default)))
                task.set_display_name(name)
                self._other_branch[consumer.name, argument.name] = task

    def _wanted_of_other_branch(self, block: Block) -> Iterator[tuple[Node, Argument]]:
        inside = {node.name for node in block.nodes}
        for node in self._pipeline.plan.nodes.values():
            for argument in node.arguments.values():
                is_taken_out = argument.producer in inside and node.name not in inside
                if is_taken_out and self._placing.from_other_branch(node, argument):
                    yield node, argument

    def _task(self, node: Node) -> Any:
        self.place = f"step {node.name!r}"
        launching = self._launchings.get(node.name)
        try:
            if launching is not None:
                node = launching.node
            item = self._item_type(node) if self._takes_whole_item(node) else None
            task = component_of(node, self._types, launching, item)(**self._arguments(node, launching))
            for name in node.waits_only:
                task.after(self._tasks[name])
            apply_settings(task, node, self._pipeline.targets.kfp.version, is_exit=node is self._pipeline.plan.exit)
        except RenderError as error:
            raise RenderError(str(error), *(self._place_in_file(node, place) for place in error.places)) from error
        return task

    def _place_in_file(self, node: Node, place: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """Returns the keys in the pipeline's file for those of a step, whose field may come from the defaults."""
        is_exit = node is self._pipeline.plan.exit
        own: Any = self._pipeline.exit if is_exit else self._pipeline.steps[node.name]
        if place[0] not in own.model_fields_set:
            return ("defaults", *place)
        return ("exit", *place) if is_exit else ("steps", node.name, *place)

    def _arguments(self, node: Node, launching: Launching | None) -> dict[str, Any]:
        given = {
            plain(name): self._value(node, argument)
            for name, argument in node.arguments.items()
            if not isinstance(argument.source, StatusReference)
        }
        if node.step.has_executor_output:
            given[plain(EXECUTOR_OUTPUT)] = dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER
        if launching is not None:
            given[EXPERIMENT] = launching.text
            given[RUN] = dsl.PIPELINE_JOB_ID_PLACEHOLDER
        if node.loop is not None and self._takes_whole_item(node):
            given[ITEM] = self._items[node.loop]
        return given

    def _takes_whole_item(self, node: Node) -> bool:
        """Returns whether a component gets the item for itself: a launcher, and one step of a loop without any other.

        Source: kfp 2.17, compiler: get_inputs_for_all_groups brings the items into an outer group only if a step of the
        loop takes them.
        """
        if node.loop is None or node.name in self._launchings:
            return node.loop is not None
        members = [self._pipeline.node(name) for name in self._pipeline.members(node.loop)]
        is_known = self._pipeline.loops[node.loop].source is None
        return not is_known and node is members[0] and not any(map(takes_item, members))

    def _value(self, node: Node, argument: Argument) -> Any:
        source = argument.source
        if isinstance(source, FixedValue):
            return kept(_checked(source.text, argument.name))
        if isinstance(source, ItemReference):
            return self._item(node, source)
        if argument.fan_in:
            return dsl.Collected(self._channel(source))
        if self._placing.from_other_branch(node, argument):
            other = self._other_branch[node.name, argument.name]
            return dsl.OneOf(self._channel(source), other.outputs["value"])
        return self._channel(source)

    def _item_type(self, node: Node) -> str | None:
        if node.loop is None:
            return None
        entries = self._pipeline.loops[node.loop].entries
        return "dict" if entries and isinstance(entries[0], dict) else "str"

    def _item(self, node: Node, source: ItemReference) -> Any:
        item = self._items[cast("str", node.loop)]
        if source.field is None:
            if self._item_type(node) == "dict":
                raise RenderError(
                    f"KFP passes the fields of an item as texts, so a step must take the fields it needs, but step "
                    f"{node.name!r} takes a whole mapping as ${{item}}; write ${{item.FIELD}}"
                )
            return item
        if source.field in _RESERVED_FIELDS and self._pipeline.loops[cast("str", node.loop)].source is not None:
            raise RenderError(
                f"KFP reserves {source.field!r} as a field of an item, and items that come from the run cannot be "
                f"renamed; rename the field, for example to {_wire_field(source.field)}"
            )
        return getattr(item, _wire_field(source.field))

    def _channel(self, source: Reference) -> Any:
        if isinstance(source, ParameterReference):
            return self._inputs[source.name]
        found = cast("OutputReference", source)
        return self._tasks[found.step].outputs[plain(found.output)]

    def _operation(self, node: Node) -> Any:
        condition, types = cast("Condition", node.condition), cast("tuple[str, str]", node.condition_types)
        left, right = (self._side(node, condition, side, types) for side in (condition.left, condition.right))
        # With a constant on the left, Python swaps the sides, and kfp writes the channel first.
        return _COMPARE[condition.operator](left, right)

    def _side(self, node: Node, condition: Condition, side: Any, types: tuple[str, str]) -> Any:
        kinds = set(types)
        if isinstance(side, ItemReference):
            if kinds != {"str"}:
                raise RenderError(
                    f"fields of a loop's items are texts in KFP, but step {node.name!r} compares {condition} as "
                    f"numbers; let a step write the number, and compare its output"
                )
            return self._item(node, side)
        if isinstance(side, Reference):
            return self._channel(side)
        return float(side) if kinds == {"int", "float"} else side


_COMPARE = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


# Source: kfp 2.17, dsl/for_loop.py: a field of an item is an attribute of kfp's object, which has other attributes.
_RESERVED_FIELDS = frozenset(dir(PipelineParameterChannel)) | {
    "name",
    "channel_type",
    "task_name",
    "items_or_pipeline_channel",
    "is_with_items_loop_argument",
}


def _wire_field(name: str) -> str:
    return f"{name}_value" if name in _RESERVED_FIELDS else name


def _item(entry: Any) -> Any:
    """Returns an item as texts: KFP has one type for all fields of an item."""
    if isinstance(entry, dict):
        return {_wire_field(key): _unchanged(text_of(value), key) for key, value in entry.items()}
    return _unchanged(text_of(entry), "an item")


def _unchanged(value: Any, name: str) -> Any:
    """Returns a value of the run, which the kubelet must not change: conditions compare it as it is written.

    Raises:
        RenderError: KFP or the kubelet would change it.
    """
    if kept(value) != value:
        raise RenderError(
            f"{name} must not hold '$(' or '$$', which Kubernetes replaces in a command line, but got {value!r}; "
            f"put it into a file or a variable of the image"
        )
    return _carried(value, name)


# KFP transports every number as a double.
_LARGEST_INT = 2**53


def _carried(value: Any, name: str) -> Any:
    """Returns `value` if KFP passes it on unchanged.

    Raises:
        RenderError: KFP would change it.
    """
    for leaf in _leaves(value):
        if type(leaf) is int and abs(leaf) > _LARGEST_INT:
            raise RenderError(
                f"KFP transports numbers as doubles, which would change {name}={value}; give it as a text"
            )
        if leaf is None:
            # Source: kfp 2.17, compiler/pipeline_spec_builder.to_protobuf_value.
            raise RenderError(
                f"KFP's compiler does not support null inside lists and dicts, but got {name}={value}; "
                f"remove the entry, or give the whole value as a text"
            )
    if isinstance(value, str):
        return _checked(value, name)
    if isinstance(value, (list, dict)):
        _checked(text_of(value), name)
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield value


def _checked(text: str, name: str) -> str:
    if "{{" in text:
        raise RenderError(f"{name} must not hold '{{{{', which KFP replaces, but got {text!r}; put it into a file")
    return text
