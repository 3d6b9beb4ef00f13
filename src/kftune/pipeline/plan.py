"""The plan of a pipeline: its steps in order, every reference followed and its type checked.

Renderers and the local run read this, and nothing else, to know what a step gets and what it waits for.

What a skipped step means, on every target: a step whose `when` does not hold is skipped; so is one that takes a
parameter or artifact of a skipped step and has neither a default nor `optional` for it. A step that only comes `after`
a skipped one runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kftune.pipeline.condition import Condition
from kftune.pipeline.ports import EXECUTOR_OUTPUT, Output, Parameter, is_artifact
from kftune.pipeline.references import OutputReference, Reference
from kftune.pipeline.steps import StepConfig, TuneStep
from kftune.study import Study


@dataclass(frozen=True)
class Constant:
    """A value that is known before the run.

    Attributes:
        value: The value, of the argument's type.
        text: It on a command line.
    """

    value: Any
    text: str


@dataclass(frozen=True)
class Argument:
    """One ``--name=value`` that a step gets, beside its outputs.

    Attributes:
        name: What stands before the ``=``.
        type: A parameter type or an artifact type; of fanned-in outputs ``list``.
        source: Where its value comes from.
        role: Whether it is one of the step's inputs, or a hyperparameter.
        default: What it is when its producer was skipped; None without one.
        optional: Whether it is left out when its producer was skipped.
        fan_in: Whether it is the list of what all items of another loop gave, in the order of the items.
        element: With `fan_in`, the type of one element.
    """

    name: str
    type: str
    source: Constant | Reference
    role: Literal["input", "hparam"] = "input"
    default: Any = None
    optional: bool = False
    fan_in: bool = False
    element: str | None = None

    @property
    def producer(self) -> str | None:
        """The step that it comes from, if it does."""
        return self.source.step if isinstance(self.source, OutputReference) else None

    @property
    def is_artifact(self) -> bool:
        """Whether its value is the path of a file or folder."""
        return is_artifact(self.type)


@dataclass(frozen=True)
class Node:
    """One step of the plan.

    Attributes:
        name: The step's.
        step: The step with the pipeline's defaults and its instance's resources filled in.
        arguments: What it gets, by name: inputs, then hyperparameters.
        outputs: What it writes, by name.
        dependencies: The steps that must be over before it, in the order of the plan.
        waits_only: Those of them that it takes nothing from.
        condition: What must hold for it to run.
        condition_types: The types of the condition's two sides.
        loop: The loop that it is in.
        skippable: Whether it may be skipped.
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
    def argument_names(self) -> tuple[str, ...]:
        """Everything that its command line has as ``--name=…``, in order: inputs, hyperparameters, outputs."""
        further = (EXECUTOR_OUTPUT,) if self.step.has_executor_output else ()
        return (*self.arguments, *self.outputs, *further)

    def command_line(self, values: Mapping[str, str]) -> list[str]:
        """The argv of the step's container: the one place where it is made.

        Args:
            values: For each of `argument_names` its text (a parameter's value, a path), or a target's placeholder for
                it. An optional argument may be left out.

        Raises:
            KeyError: One that is not optional is missing.
        """
        return self.step.command_line(
            {name: values[name] for name in self.argument_names if self._is_given(name, values)}
        )

    def trial_study(self, values: Mapping[str, str]) -> Study:
        """The study that a tune step runs: what the step hands on is in it.

        Hyperparameters are fixed values of it, inputs further arguments of its step (``--data=/path``).

        Args:
            values: The text of each argument.

        Raises:
            StudyError: A value is not what its hyperparameter takes.
            TypeError: The step is no tune step.
        """
        if not isinstance(self.step, TuneStep):
            raise TypeError(f"{self.name} is no tune step")
        study = self.step.study
        fixed = {name: study.hparams.leaf(name).decode(values[name]) for name in self.hparams}
        tokens = tuple(f"--{name}={values[name]}" for name in self.inputs if self._is_given(name, values))
        step = study.step.model_copy(update={"args": (*study.step.args, *tokens)})
        return with_values(study.model_copy(update={"step": step}), fixed)

    def _is_given(self, name: str, values: Mapping[str, str]) -> bool:
        given = self.arguments.get(name)
        return name in values or given is None or not given.optional


@dataclass(frozen=True)
class Plan:
    """A whole pipeline, followed through.

    Attributes:
        nodes: The steps by name, each after those that it waits for; the steps of a loop stand together.
        exit: The step that runs at the end, whatever happened.
        parameters: Everything that can be set when a run starts: the pipeline's own parameters, then
            ``<step>_<hyperparameter>`` for each hyperparameter that no reference sets.
    """

    nodes: Mapping[str, Node]
    exit: Node | None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def with_images(self, resolve: Callable[[str], str]) -> Plan:
        """The same plan with other images, those of trials too.

        Args:
            resolve: Gives for each image the one that runs in its place.
        """
        nodes = {name: _with_images(node, resolve) for name, node in self.nodes.items()}
        return Plan(nodes, None if self.exit is None else _with_images(self.exit, resolve), self.parameters)


def _with_images(node: Node, resolve: Callable[[str], str]) -> Node:
    step = node.step
    if isinstance(step, TuneStep) and step.study.step.image is not None:
        trial = step.study.step.model_copy(update={"image": resolve(step.study.step.image)})
        step = step.model_copy(update={"study": step.study.model_copy(update={"step": trial})})
    if step.image is not None:
        step = step.model_copy(update={"image": resolve(step.image)})
    return replace(node, step=step)


def with_values(study: Study, values: Mapping[str, Any]) -> Study:
    """The study with further fixed values.

    Raises:
        StudyError: It cannot have them.
    """
    fields = {name: getattr(study, name) for name in Study.model_fields}
    return Study(**{**fields, "values": {**study.fixed_values, **values}})
