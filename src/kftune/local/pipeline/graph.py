"""The tasks of a run, one for each step and item of its loop: which are ready, skipped, or cannot run any more.

Nothing here starts a process or reads a file. The rules of `kftune.pipeline.plan` apply, and two more:

- A failed task stops only the tasks that wait for it; all others continue. With ``on_failure: stop`` no further task of
  its loop starts, or none at all if the pipeline says so; tasks that run already end by themselves.
- The list that a loop passes on leaves out items with a skipped step. A skipped loop passes on the default, or an
  empty list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kftune.errors import RunError
from kftune.local.pipeline.artifacts import Made
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
    StatusReference,
)
from kftune.pipeline.ports import fits, gathered_text, read_items, text_of, type_of
from kftune.spec.part import PartError

TaskState = Literal[
    "Pending", "Running", "Waiting", "Succeeded", "Cached", "Kept", "Skipped", "Failed", "NotRun", "Stopped"
]
"""Waiting: for its next try. Cached: taken from an earlier run. Kept: done before this run was cut short. NotRun: a
task that it waits for has failed. Stopped: before its end."""

DONE: tuple[TaskState, ...] = ("Succeeded", "Cached", "Kept")
OVER: tuple[TaskState, ...] = (*DONE, "Skipped", "Failed", "NotRun", "Stopped")
_BLOCKING: tuple[TaskState, ...] = ("Failed", "NotRun", "Stopped")


@dataclass(eq=False)
class Task:
    """One step, for one item of its loop.

    Attributes:
        node: The step.
        index: Which item, from 0; None outside of loops.
        item: The item.
        made: What it wrote.
    """

    node: Node
    index: int | None = None
    item: Any = None
    state: TaskState = "Pending"
    message: str = ""
    made: Mapping[str, Made] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The step, or ``loop/0001/step``: also its folder."""
        return self.node.name if self.index is None else f"{self.node.loop}/{self.index + 1:04}/{self.node.name}"


@dataclass(frozen=True)
class Given:
    """The value of a task's argument: the text of a parameter, or an artifact."""

    text: str = ""
    artifact: Made | None = None


class Graph:
    """All tasks of a run.

    Args:
        pipeline: The pipeline.
        parameters: Run parameter -> value.

    Raises:
        RunError: A parameter has items that do not fit its loop.
    """

    def __init__(self, pipeline: Pipeline, parameters: Mapping[str, Any]) -> None:
        self._pipeline = pipeline
        self._plan = pipeline.plan
        self._parameters = parameters
        self.status = ""
        """How the run ended, once it has: Succeeded or Failed."""
        self.tasks: dict[str, list[Task] | None] = {}
        """Step -> its tasks; None as long as the items of its loop are not known."""
        for name, node in self._plan.nodes.items():
            self.tasks[name] = [Task(node)] if node.loop is None else None
        for name, loop in pipeline.loops.items():
            if loop.entries is not None:
                self._expand(name, loop.entries)
            elif isinstance(loop.source, ParameterReference):
                self._expand(name, self._items(name, loop, parameters[loop.source.name]))

    @property
    def all(self) -> Iterator[Task]:
        """Every task that is known so far."""
        return (task for tasks in self.tasks.values() for task in tasks or ())

    @property
    def failed(self) -> list[Task]:
        """The tasks that failed."""
        return [task for task in self.all if task.state == "Failed"]

    def settle(self) -> tuple[list[Task], list[Task]]:
        """Decides what happens to the pending tasks.

        Returns:
            The tasks that can start now, with the items that have begun first; and the tasks that are over: skipped, or
            waiting for a failed one.
        """
        over: list[Task] = []
        ready: list[Task] = []
        # In the order of the plan, so that each task sees the new states of those before it.
        for name, node in self._plan.nodes.items():
            if self.tasks[name] is None and node.loop is not None:
                over += self._find_items(node.loop)
            stopped = self._stopped(node)
            for task in self.tasks[name] or ():
                if task.state != "Pending":
                    continue
                next_state = stopped or self._next_state(task)
                if next_state == "ready":
                    ready.append(task)
                elif next_state is not None:
                    task.state, task.message = next_state
                    over.append(task)
        return self._within_bounds(ready), over

    def values(self, task: Task) -> dict[str, Given]:
        """Returns the values of a task's arguments; the path of an optional one with a skipped producer is empty.

        Raises:
            RunError: A value is not of its type.
        """
        return {name: self._given(task, argument) for name, argument in task.node.arguments.items()}

    def results(self) -> dict[str, dict[str, Any]]:
        """Returns the outputs of the last tasks, and all models outside of loops: a value, or an artifact's path."""
        done = [task for task in self.all if task.state in DONE]
        waited_for = {name for task in done for name in task.node.dependencies}
        found = {
            task.name: {
                name: each.shown
                for name, each in task.made.items()
                if task.node.name not in waited_for or (each.type == "model" and task.index is None)
            }
            for task in done
        }
        return {task: outputs for task, outputs in found.items() if outputs}

    # -- loops -------------------------------------------------------------------------------------------------

    def _expand(self, loop: str, items: Sequence[Any]) -> None:
        for name in self._pipeline.members(loop):
            self.tasks[name] = [Task(self._plan.nodes[name], index, item) for index, item in enumerate(items)]

    def _find_items(self, name: str) -> list[Task]:
        """Makes the tasks of a loop once its items are known; returns the tasks that are already over."""
        loop = self._pipeline.loops[name]
        source = loop.source
        if not isinstance(source, OutputReference):
            return []
        producers = self.tasks[source.step]
        if producers is None or any(task.state not in OVER for task in producers):
            return []
        states = {task.state for task in producers}
        if states & {*_BLOCKING} or (states == {"Skipped"} and producers[0].index is None):
            return self._end_members(
                name, "NotRun" if states & {*_BLOCKING} else "Skipped", f"{source.step} gave no items"
            )
        texts = [task.made[source.output].text for task in producers if task.state in DONE]
        kind = self._plan.nodes[source.step].outputs[source.output].type
        try:
            items = read_items(texts[0] if producers[0].index is None else gathered_text(texts, kind))
            self._expand(name, self._items(name, loop, items))
        except RunError as error:
            return self._end_members(name, "Failed", str(error))
        return []

    def _end_members(self, loop: str, state: TaskState, message: str) -> list[Task]:
        """Ends all steps of a loop that has no items."""
        ended = [
            Task(self._plan.nodes[member], state=state, message=message) for member in self._pipeline.members(loop)
        ]
        self.tasks |= {task.node.name: [task] for task in ended}
        return ended

    def _items(self, name: str, loop: Loop, items: Sequence[Any]) -> Sequence[Any]:
        wanted = loop.type_of(None)
        for index, item in enumerate(items):
            where = f"item {index + 1} of loop {name}, from {loop.source},"
            try:
                given = type_of(item)
            except PartError as error:
                raise RunError(f"{where}: {error.message}") from error
            if not fits(given, wanted):
                raise RunError(f"{where} must be of type {wanted}, but {item!r} is of type {given}")
            for key, kind in loop.fields.items():
                if key not in item:
                    raise RunError(f"{where} must have the field {key!r}, but is {item!r}")
                if not fits(type_of(item[key]), kind):
                    raise RunError(f"{where} must have {key!r} of type {kind}, but it is {item[key]!r}")
        return items

    def _within_bounds(self, ready: list[Task]) -> list[Task]:
        """The ready tasks that may start now, so that no loop has more items at the same time than it allows."""
        begun: dict[str, set[int]] = {}
        open_items: dict[str, set[int]] = {}
        for task in self.all:
            if task.index is None or task.node.loop is None:
                continue
            if task.state not in ("Pending", "Skipped", "NotRun"):
                begun.setdefault(task.node.loop, set()).add(task.index)
            if task.state not in OVER:
                open_items.setdefault(task.node.loop, set()).add(task.index)
        active = {loop: begun.get(loop, set()) & left for loop, left in open_items.items()}
        allowed = []
        # Items that have begun come first.
        ready.sort(key=lambda task: task.index is not None and task.index not in active[str(task.node.loop)])
        for task in ready:
            if task.index is not None and task.node.loop is not None:
                items, most = active[task.node.loop], self._pipeline.loops[task.node.loop].parallel
                if task.index not in items and most is not None and len(items) >= most:
                    continue
                items.add(task.index)
            allowed.append(task)
        return allowed

    def _stopped(self, node: Node) -> tuple[TaskState, str] | None:
        """The state of a step that no longer starts, because another one has failed; None if it still may."""
        loop = self._pipeline.loops[node.loop] if node.loop is not None else None
        if self._pipeline.on_failure == "stop":
            what, failed = "the run", self.failed
        elif loop is not None and loop.on_failure == "stop":
            what, failed = f"loop {node.loop}", [task for task in self.failed if task.node.loop == node.loop]
        else:
            return None
        return ("NotRun", f"{failed[0].name} failed, and {what} has on_failure: stop") if failed else None

    # -- one task ----------------------------------------------------------------------------------------------

    def _next_state(self, task: Task) -> Literal["ready"] | tuple[TaskState, str] | None:
        """The next state of a pending task; None while that is not known."""
        blocking = None
        for name in task.node.dependencies:
            others = self._seen_by(task, name)
            if others is None or any(other.state not in OVER for other in others):
                return None
            blocking = blocking or next((other for other in others if other.state in _BLOCKING), None)
        if blocking is not None:
            return "NotRun", f"waits for {blocking.name}, which is {_WORDS[blocking.state]}"
        for argument in task.node.arguments.values():
            if self._lacks(task, argument):
                return "Skipped", f"takes {argument.name} of {argument.producer}, which was skipped"
        condition = task.node.condition
        if condition is not None:
            missing = next((each for each in condition.references if self._is_skipped(task, each)), None)
            if missing is not None:
                return "Skipped", f"its condition needs {missing}, which was skipped"
            if not condition.holds(self._side(task, condition.left), self._side(task, condition.right)):
                return "Skipped", f"its condition does not hold: {condition}"
        return "ready"

    def _seen_by(self, task: Task, step: str) -> list[Task] | None:
        """The tasks of a step that a task waits for: within its own loop, only the one for the same item."""
        tasks = self.tasks[step]
        if tasks is None or task.index is None or self._plan.nodes[step].loop != task.node.loop:
            return tasks
        return [tasks[task.index]]

    def _is_skipped(self, task: Task, source: Any) -> bool:
        if not isinstance(source, OutputReference):
            return False
        return any(other.state == "Skipped" for other in self._seen_by(task, source.step) or ())

    def _lacks(self, task: Task, argument: Argument) -> bool:
        """Whether an argument's producer was skipped, and the argument has no default."""
        if argument.fan_in or argument.optional or argument.default is not None:
            return False
        return self._is_skipped(task, argument.source)

    def _side(self, task: Task, side: Any) -> Any:
        return self._value(task, side) if isinstance(side, Reference) else side

    def _value(self, task: Task, source: Reference) -> Any:
        if isinstance(source, ParameterReference):
            return self._parameters[source.name]
        if isinstance(source, ItemReference):
            return task.item if source.field is None else task.item[source.field]
        if isinstance(source, StatusReference):
            return self.status
        if not isinstance(source, OutputReference):
            raise TypeError(f"{source!r} is not a reference with a value")
        others = self._seen_by(task, source.step) or []
        if self._plan.nodes[source.step].loop in (None, task.node.loop):
            return others[0].made[source.output].value
        return [other.made[source.output].value for other in others if other.state in DONE]

    def _given(self, task: Task, argument: Argument) -> Given:
        source = argument.source
        if isinstance(source, FixedValue):
            return Given(source.text)
        if isinstance(source, OutputReference) and self._is_skipped(task, source):
            if argument.optional:
                return Given()
            if argument.default is not None and (not argument.fan_in or not self._value(task, source)):
                return Given(text_of(argument.default))
        if argument.is_artifact and isinstance(source, OutputReference):
            others = self._seen_by(task, source.step) or []
            return Given(artifact=others[0].made[source.output])
        try:
            return Given(self._text(task, source))
        except PartError as error:
            raise RunError(f"{argument.name}, from {source}: {error.message}") from error

    def _text(self, task: Task, source: Reference) -> str:
        """A value as it stands on the command line: an output as its step wrote it, whatever the input's type."""
        if not isinstance(source, OutputReference):
            return text_of(self._value(task, source))
        others = self._seen_by(task, source.step) or []
        node = self._plan.nodes[source.step]
        if node.loop in (None, task.node.loop):
            return others[0].made[source.output].text
        texts = (other.made[source.output].text for other in others if other.state in DONE)
        return gathered_text(texts, node.outputs[source.output].type)


_WORDS = {"Failed": "failed", "NotRun": "not run", "Stopped": "stopped"}
