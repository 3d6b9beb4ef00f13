"""`Pipeline`: one object for the pipeline file and for Python; its plan is made when it is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from kftune.pipeline.loop import Loop
from kftune.pipeline.names import LoopName, PipelineName, StepName
from kftune.pipeline.part import PipelinePart
from kftune.pipeline.plan import Argument, Node, Plan
from kftune.pipeline.planning import Declared, make_plan
from kftune.pipeline.ports import Parameter, Parameters
from kftune.pipeline.references import Reference
from kftune.pipeline.schedule import Schedule
from kftune.pipeline.shared import SharedFields
from kftune.pipeline.steps import AnyStep, StepConfig, TuneStep
from kftune.pipeline.targets import PipelineTargets
from kftune.spec.container import Resources
from kftune.spec.derived import derived
from kftune.spec.part import PartError
from kftune.spec.quantities import Seconds


def _named(name: str, value: object, path: tuple[str | int, ...]) -> object:
    if isinstance(value, StepConfig):
        if value.name not in ("", name):
            raise PartError(f"a step has one name, but {value.name!r} stands under {name!r}", path)
        return value if value.name else value.named(name)
    if not isinstance(value, Mapping):
        return value
    if "name" in value:
        raise PartError(f"a step's name is its key, so take out name: {value['name']!r}", (*path, "name"), at_key=True)
    return {"name": name, **value}


def _steps(value: object) -> object:
    if isinstance(value, (list, tuple)) and all(isinstance(step, StepConfig) for step in value):
        unnamed = next((step for step in value if not step.name), None)
        if unnamed is not None:
            raise PartError(f"steps in a list need a name each, but a {type(unnamed).__name__} has none")
        names = [step.name for step in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise PartError(f"names of steps must differ, but {twice!r} is there twice")
        return {step.name: step for step in value}
    if not isinstance(value, Mapping):
        return value
    return {name: _named(str(name), step, (str(name),)) for name, step in value.items()}


def _exit(value: object) -> object:
    if isinstance(value, StepConfig):
        return value if value.name else value.named("exit")
    if isinstance(value, Mapping):
        value = {"kind": "container", **value}
    return _named("exit", value, ())


# In Python a list of named steps will do.
if TYPE_CHECKING:
    Steps = Any
else:
    Steps = Annotated[dict[StepName, AnyStep], BeforeValidator(_steps)]


class Pipeline(PipelinePart):
    """Steps, what each takes from the others, and how it all runs.

    Raises:
        PipelineError: The parts do not fit each other, or one of them cannot be.
    """

    name: PipelineName
    """What the pipeline is called on a cluster."""
    description: str = ""
    """One sentence for whoever reads it next."""
    parameters: Parameters = Field(default_factory=dict)
    """What is chosen when a run starts: a default each, or a type, a default and a description."""
    defaults: SharedFields = SharedFields()
    """Fields that all steps share."""
    instances: dict[str, Resources] = Field(default_factory=dict)
    """Further names for `instance_type`, and what such an instance has."""
    loops: dict[LoopName, Loop] = Field(default_factory=dict)
    """What steps run for, again and again."""
    steps: Steps = Field(min_length=1)
    """The steps by name, as written; `plan` has them in order and complete."""
    exit: Annotated[AnyStep | None, BeforeValidator(_exit)] = None
    """The step that runs at the end, whatever happened."""
    schedule: Schedule | None = None
    """When it runs by itself."""
    parallel: int | None = Field(None, ge=1)
    """Steps at once; left out, as many as can."""
    timeout: Seconds | None = None
    """The longest that a run may take."""
    targets: PipelineTargets = PipelineTargets()
    """Options of the render targets."""

    def model_post_init(self, context: object, /) -> None:
        """Checks what the fields by themselves cannot."""
        taken = {*self.steps, *([self.exit.name] if self.exit else [])}
        if self.exit is not None and self.exit.name in self.steps:
            raise PartError(
                f"names of steps must differ, but a step is called {self.exit.name!r} as the exit step",
                ("steps", self.exit.name),
                at_key=True,
            )
        for name in self.loops:
            if name in taken:
                raise PartError(
                    f"a loop and a step cannot share a name, but both are called {name!r}", ("loops", name), at_key=True
                )
        self.plan  # noqa: B018  # making it is what checks the steps
        for name in self.loops:
            if not self.members(name):
                raise PartError(
                    f"a loop needs a step that names it: give one for_each: {name}", ("loops", name), at_key=True
                )

    @derived
    def plan(self) -> Plan:
        """The steps in order, with everything filled in and followed."""
        fields = ("parameters", "defaults", "instances", "loops", "steps", "exit")
        return make_plan(Declared(**{name: getattr(self, name) for name in fields}))

    @property
    def order(self) -> tuple[str, ...]:
        """The names of the steps, each after those that it waits for; the steps of a loop stand together."""
        return tuple(self.plan.nodes)

    @property
    def run_parameters(self) -> Mapping[str, Parameter]:
        """Everything that can be set when a run starts, hyperparameters included."""
        return self.plan.parameters

    def node(self, step: str) -> Node:
        """A step of the plan."""
        return self.plan.nodes[step]

    def dependencies(self, step: str) -> tuple[str, ...]:
        """The steps that must be over before a step, in order."""
        return self.plan.nodes[step].dependencies

    def inputs_of(self, step: str) -> Mapping[str, Argument]:
        """Everything that a step gets, inputs and hyperparameters, and where it comes from."""
        return self.plan.nodes[step].arguments

    def members(self, loop: str) -> tuple[str, ...]:
        """The steps of a loop, in order."""
        return tuple(name for name, node in self.plan.nodes.items() if node.loop == loop)

    @property
    def skippable(self) -> tuple[str, ...]:
        """The steps that may be skipped."""
        return tuple(name for name, node in self.plan.nodes.items() if node.skippable)

    def with_images(self, resolve: Callable[[str], str]) -> Pipeline:
        """The same pipeline whose steps and trials run other images.

        Args:
            resolve: Gives for each image the one that runs in its place.
        """
        copy = self.model_copy()
        copy.__dict__["plan"] = self.plan.with_images(resolve)
        return copy

    def to_dict(self) -> dict[str, Any]:
        """The pipeline as its file writes it, without what is left at its default."""
        written = self.model_dump(mode="json", exclude_defaults=True, exclude={"steps", "exit"})
        written["steps"] = {name: step.to_dict() for name, step in self.steps.items()}
        if self.exit is not None:
            written["exit"] = self.exit.to_dict()
        return written

    def content_hash(self) -> str:
        """A SHA-256 (hexadecimal) of all that the pipeline is, with the studies and items that it reads from files."""
        content = {
            "pipeline": self.to_dict(),
            "studies": {name: step.study.to_dict() for name, step in self.steps.items() if isinstance(step, TuneStep)},
            "items": {name: loop.entries for name, loop in self.loops.items() if not isinstance(loop.items, Reference)},
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
