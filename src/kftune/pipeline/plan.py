"""The plan of a pipeline: its steps in order, with every reference followed and its type checked.

Renderers and the local run read only this to know what a step gets and what it waits for.

Skipping is the same on every target: a step is skipped if its `when` does not hold, or if it takes a parameter or
artifact of a skipped step and has neither a default nor `optional` for it. A step that is only `after` a skipped step
runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kftune.argv import Kind, Kinds, to_arguments
from kftune.hparams.fields import kinds_of
from kftune.pipeline.condition import Condition
from kftune.pipeline.ports import EXECUTOR_OUTPUT, Output, Parameter, is_artifact
from kftune.pipeline.references import OutputReference, Reference
from kftune.pipeline.steps import StepConfig, TuneStep
from kftune.study import Study

ENTITY_NAME, ENTITY_AS_LABEL, ENTITY_SEED = "kftune_entity", "kftune_entity_label", "kftune_entity_seed"
"""The arguments of a tune step that runs for each entity: its name, the same as a label's value, and its seed."""


@dataclass(frozen=True)
class FixedValue:
    """A value that is known before the run.

    Attributes:
        value: The value, of the argument's type.
        text: The value on a command line.
    """

    value: Any
    text: str


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument ``--name=value`` of a step: an input or a hyperparameter.

    Attributes:
        name: The name before the ``=``.
        type: A parameter type or an artifact type; ``list`` with `fan_in`.
        source: Where its value comes from.
        role: Whether it is an input, a hyperparameter, or tells a tune step about its entity; trials do not get that.
        default: Its value if its producer was skipped; None if it has none.
        optional: Whether its path is empty if its producer was skipped.
        fan_in: Whether it is a list with one value for each item of another loop, in the order of the items.
        element: With `fan_in`, the type of one element.
    """

    name: str
    type: str
    source: FixedValue | Reference
    role: Literal["input", "hparam", "entity"] = "input"
    default: Any = None
    optional: bool = False
    fan_in: bool = False
    element: str | None = None

    @property
    def producer(self) -> str | None:
        """The step that it comes from; None if it comes from elsewhere."""
        return self.source.step if isinstance(self.source, OutputReference) else None

    @property
    def is_artifact(self) -> bool:
        """Whether its value is the path of a file or folder."""
        return is_artifact(self.type)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step of the plan.

    Attributes:
        name: The name of the step.
        step: The step, with the defaults of the pipeline and the resources of its instance type filled in.
        arguments: Its arguments by name: inputs, then hyperparameters.
        outputs: Its outputs by name.
        dependencies: The steps that must have ended before it starts, in the order of the plan.
        waits_only: Those of them that it takes nothing from.
        condition: What must hold for it to run.
        condition_types: The types of the two sides of the condition.
        loop: The loop that it is in.
        skippable: Whether it can be skipped.
    """

    name: str
    step: StepConfig
    arguments: Mapping[str, Argument]
    outputs: Mapping[str, Output]
    dependencies: tuple[str, ...] = ()
    waits_only: tuple[str, ...] = ()
    condition: Condition | None = None
    condition_types: tuple[str, str] | None = None
    loop: str | None = None
    skippable: bool = False

    @property
    def inputs(self) -> dict[str, Argument]:
        """The arguments that are inputs."""
        return {name: given for name, given in self.arguments.items() if given.role == "input"}

    @property
    def hparams(self) -> dict[str, Argument]:
        """The arguments that are hyperparameters."""
        return {name: given for name, given in self.arguments.items() if given.role == "hparam"}

    @property
    def about(self) -> dict[str, Argument]:
        """The arguments that say for which entity a tune step runs."""
        return {name: given for name, given in self.arguments.items() if given.role == "entity"}

    @property
    def argument_names(self) -> tuple[str, ...]:
        """The names of all ``--name=…`` on its command line, in order: inputs, hyperparameters, outputs."""
        further = (EXECUTOR_OUTPUT,) if self.step.has_executor_output else ()
        return (*self.arguments, *self.outputs, *further)

    def with_step(self, step: StepConfig) -> Node:
        """Returns the same node with another container, or other settings of it."""
        return replace(self, step=step)

    def command_line(self, values: Mapping[str, str]) -> list[str]:
        """Returns the argv of the step's container.

        Args:
            values: The text of each of `argument_names` (a value or a path), or a target's placeholder for it. An
                optional argument may be missing.

        Raises:
            KeyError: An argument that is not optional is missing.
        """
        return self.step.command_line(self.given(values), self.kinds)

    def given(self, values: Mapping[str, str]) -> dict[str, str]:
        """Returns the texts of the arguments that the step gets, in their order.

        Args:
            values: The text of each of `argument_names`. An optional argument may be missing.

        Raises:
            KeyError: An argument that is not optional is missing.
        """
        return {name: values[name] for name in self.argument_names if self._is_given(name, values)}

    @property
    def kinds(self) -> Kinds:
        """What a command line has to know about the arguments, if the step says how it takes them."""
        step = self.step
        if (step.study.step if isinstance(step, TuneStep) else step).arguments is None:
            return {}
        hparams = step.hyperparameters
        inputs = {name: Kind(is_boolean=given.type == "bool") for name, given in self.inputs.items()}
        return {**inputs, **({} if hparams is None else kinds_of(hparams.leaves()))}

    def trial_study(self, values: Mapping[str, str]) -> Study:
        """Returns the study that a tune step runs.

        The hyperparameters of the step become fixed values of it, and the inputs arguments of its step
        (``--data=/path``).

        Args:
            values: The text of each argument.

        Raises:
            StudyError: A value is invalid for its hyperparameter.
            TypeError: The step is not a tune step.
        """
        if not isinstance(self.step, TuneStep):
            raise TypeError(f"{self.name} is not a tune step")
        study = self.step.study
        fixed = {name: study.hparams.leaf(name).decode(values[name]) for name in self.hparams}
        inputs = {name: values[name] for name in self.inputs if self._is_given(name, values)}
        tokens = to_arguments(inputs, study.step.form, self.kinds)
        if ENTITY_SEED in values:
            study = study.replace(algorithm=study.algorithm.replace(seed=int(values[ENTITY_SEED])))
        return with_values(study.with_step(args=(*study.step.args, *tokens)), fixed)

    def _is_given(self, name: str, values: Mapping[str, str]) -> bool:
        given = self.arguments.get(name)
        return name in values or given is None or not given.optional


@dataclass(frozen=True)
class Plan:
    """A whole pipeline.

    Attributes:
        nodes: The steps by name, each after those that it waits for; the steps of a loop are together.
        exit: The step that always runs at the end.
        parameters: All parameters of a run: those of the pipeline, then ``<step>_<hyperparameter>`` for each
            hyperparameter that no reference sets.
    """

    nodes: Mapping[str, Node]
    exit: Node | None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def with_images(self, resolve: Callable[[str], str]) -> Plan:
        """Returns the same plan with other images, also for trials.

        Args:
            resolve: Returns the image that runs in place of another.
        """
        nodes = {name: _with_images(node, resolve) for name, node in self.nodes.items()}
        return Plan(nodes, None if self.exit is None else _with_images(self.exit, resolve), self.parameters)


def _with_images(node: Node, resolve: Callable[[str], str]) -> Node:
    step = node.step
    if isinstance(step, TuneStep):
        step = step.model_copy(update={"study": step.study.with_images(resolve)})
    if step.image is not None:
        step = step.model_copy(update={"image": resolve(step.image)})
    if step.job is not None:
        job = step.job.model_copy(update={"launcher": resolve(step.job.launcher)})
        step = step.model_copy(update={"job": job})
    return replace(node, step=step)


def with_values(study: Study, values: Mapping[str, Any]) -> Study:
    """Returns a study with more fixed values.

    Args:
        study: The study.
        values: JSON-able values by dotted name.

    Raises:
        StudyError: A value is invalid.
    """
    return study.replace(values={**study.fixed_values, **values})
