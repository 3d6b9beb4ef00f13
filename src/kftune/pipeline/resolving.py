"""Following references: what they refer to, and whether they may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from kftune.errors import suggestion
from kftune.pipeline.ports import is_artifact
from kftune.pipeline.references import ItemReference, OutputReference, ParameterReference, Reference
from kftune.pipeline.steps import StepConfig
from kftune.spec.part import PartError

if TYPE_CHECKING:
    from kftune.pipeline.model import Pipeline

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


class Resolver:
    """Follows the references of one pipeline.

    Args:
        pipeline: The pipeline.
        steps: Its steps, complete.
    """

    def __init__(self, pipeline: Pipeline, steps: Mapping[str, StepConfig]) -> None:
        self._pipeline = pipeline
        self._steps = steps

    def resolve(self, step: StepConfig, reference: Reference, path: Path) -> Resolved:
        """What a reference of a step refers to.

        Args:
            step: The step.
            reference: The reference.
            path: Where in the file it stands; ``exit`` comes first in those of the exit step.

        Raises:
            PartError: There is no such thing, or the step cannot have it.
        """
        if isinstance(reference, ParameterReference):
            known = self._pipeline.parameters
            if reference.name not in known:
                raise PartError(f"there is no parameter {reference.name!r}; {suggestion(reference.name, known)}", path)
            return Resolved(str(known[reference.name].type))
        if isinstance(reference, ItemReference):
            return Resolved(self._item_type(step, reference, path))
        if isinstance(reference, OutputReference):
            return self._output(step, reference, path)
        if not _is_exit(path):
            raise PartError("only the exit step can know how the run ended; take ${run.status} out", path)
        return Resolved("str")

    def producer(self, step: StepConfig, reference: OutputReference, path: Path) -> StepConfig:
        """The step that writes what a reference refers to.

        Raises:
            PartError: There is none, or the step cannot wait for it.
        """
        if _is_exit(path):
            raise PartError(
                f"the exit step runs even if nothing else did, so it cannot take {reference}; "
                f"it can take parameters and ${{run.status}}",
                path,
            )
        return self._steps[self.known(reference.step, step.name, path)]

    def known(self, name: str, own: str, path: Path) -> str:
        """The name of a step, if another called `own` can wait for it.

        Raises:
            PartError: It cannot.
        """
        if name == own:
            raise PartError(f"a step waits for others, but {own!r} would wait for itself; name another step", path)
        if self._pipeline.exit is not None and name == self._pipeline.exit.name:
            raise PartError(f"{name!r} is the exit step, which runs last: nothing can wait for it", path)
        if name not in self._steps:
            raise PartError(f"there is no step {name!r}; {suggestion(name, self._steps)}", path)
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
                f"put this step into the loop, or take a parameter",
                path,
            )
        return Resolved("list", fan_in=True, element=output.type)

    def _item_type(self, step: StepConfig, reference: ItemReference, path: Path) -> str:
        if step.for_each is None:
            raise PartError(
                f"{reference} is what a loop is at, but step {step.name!r} is in none; give it for_each", path
            )
        try:
            return self._pipeline.loops[step.for_each].type_of(reference.field)
        except PartError as error:
            raise PartError(error.message, path) from error


def _is_exit(path: Path) -> bool:
    return path[0] == "exit"
