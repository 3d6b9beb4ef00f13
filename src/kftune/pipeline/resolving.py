"""Follows references: what they refer to, and whether the step may have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kftune.errors import suggestion
from kftune.pipeline.loop import Loop
from kftune.pipeline.ports import Parameter, is_artifact
from kftune.pipeline.references import ItemReference, OutputReference, ParameterReference, Reference
from kftune.pipeline.steps import StepConfig
from kftune.spec.part import PartError, located

Path = tuple[str | int, ...]


class Resolved(NamedTuple):
    """What a reference refers to.

    Attributes:
        type: Its type.
        fan_in: Whether it is the list of what all items of a loop gave.
        element: With `fan_in`, the type of one element.
    """

    type: str
    fan_in: bool = False
    element: str | None = None


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """Follows the references of one pipeline.

    Attributes:
        parameters: The parameters of the run.
        loops: The loops, by name.
        steps: The steps, complete, without the exit step.
        exit_name: The name of the exit step, if there is one.
    """

    parameters: Mapping[str, Parameter]
    loops: Mapping[str, Loop]
    steps: Mapping[str, StepConfig]
    exit_name: str | None

    def resolve(self, step: StepConfig, reference: Reference, path: Path) -> Resolved:
        """Returns what a reference refers to.

        Args:
            step: The step that has it.
            reference: The reference.
            path: Its keys in the file; those of the exit step begin with ``exit``.

        Raises:
            PartError: It refers to nothing, or to something that the step cannot have.
        """
        if isinstance(reference, ParameterReference):
            known = self.parameters
            if reference.name not in known:
                raise PartError(f"unknown parameter {reference.name!r}; {suggestion(reference.name, known)}", path)
            return Resolved(str(known[reference.name].type))
        if isinstance(reference, ItemReference):
            return Resolved(self._item_type(step, reference, path))
        if isinstance(reference, OutputReference):
            return self._output(step, reference, path)
        if not _is_exit(path):
            raise PartError("only the exit step knows how the run ended; remove ${run.status}", path)
        return Resolved("str")

    def producer(self, step: StepConfig, reference: OutputReference, path: Path) -> StepConfig:
        """Returns the step that writes what a reference refers to.

        Args:
            step: The step that has the reference.
            reference: The reference.
            path: Its keys in the file.

        Raises:
            PartError: The step is unknown, or `step` cannot wait for it.
        """
        if _is_exit(path):
            raise PartError(
                f"the exit step runs even if no other step did, so it cannot take {reference}; "
                f"it can take parameters and ${{run.status}}",
                path,
            )
        return self.steps[self.known(reference.step, step.name, path)]

    def known(self, name: str, own: str, path: Path) -> str:
        """Returns the name of a step that another step waits for.

        Args:
            name: The step.
            own: The step that waits.
            path: The keys of `name` in the file.

        Raises:
            PartError: The step is unknown, or `own` cannot wait for it.
        """
        if name == own:
            raise PartError(f"a step waits for others, but {own!r} would wait for itself; name another step", path)
        if name == self.exit_name:
            raise PartError(f"{name!r} is the exit step, which runs last: nothing can wait for it", path)
        if name not in self.steps:
            raise PartError(f"unknown step {name!r}; {suggestion(name, self.steps)}", path)
        return name

    def _output(self, step: StepConfig, reference: OutputReference, path: Path) -> Resolved:
        producer = self.producer(step, reference, path)
        output = producer.outputs.get(reference.output)
        if output is None:
            known = suggestion(reference.output, producer.outputs)
            raise PartError(f"step {producer.name!r} has no output {reference.output!r}; {known}", path)
        if producer.for_each is None or producer.for_each == step.for_each:
            return Resolved(output.type)
        if is_artifact(output.type):
            raise PartError(
                f"artifacts stay inside their loop, but {reference} is a {output.type} of loop {producer.for_each!r}; "
                f"put this step into the loop, or use a parameter",
                path,
            )
        return Resolved("list", fan_in=True, element=output.type)

    def _item_type(self, step: StepConfig, reference: ItemReference, path: Path) -> str:
        if step.for_each is None:
            raise PartError(
                f"{reference} is the current item of a loop, but step {step.name!r} is in none; give it for_each", path
            )
        with located(*path):
            return self.loops[step.for_each].type_of(reference.field)


def _is_exit(path: Path) -> bool:
    return path[0] == "exit"
