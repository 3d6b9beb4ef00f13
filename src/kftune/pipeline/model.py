"""`Pipeline`: what a pipeline file describes. Its plan is made when it is created."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr

from kftune.pipeline.entities import loops_of_entities
from kftune.pipeline.loop import Loop
from kftune.pipeline.names import LoopName, PipelineName, StepName
from kftune.pipeline.part import PipelinePart
from kftune.pipeline.plan import Node, Plan
from kftune.pipeline.planning import Declared, make_plan
from kftune.pipeline.ports import Parameter, Parameters
from kftune.pipeline.references import Reference
from kftune.pipeline.schedule import Schedule
from kftune.pipeline.shared import OnFailure, SharedFields
from kftune.pipeline.steps import AnyStep, StepConfig, TuneStep
from kftune.pipeline.targets import PipelineTargets
from kftune.spec.container import Resources
from kftune.spec.derived import derived
from kftune.spec.part import PartError
from kftune.spec.quantities import NO_BOOL, Seconds


def _named(name: str, value: object, path: tuple[str | int, ...]) -> object:
    if isinstance(value, StepConfig):
        if value.name not in ("", name):
            raise PartError(f"a step has one name, but {value.name!r} has the key {name!r}", path)
        return value if value.name else value.named(name)
    if not isinstance(value, Mapping):
        return value
    if "name" in value:
        raise PartError(f"the name of a step is its key; remove name: {value['name']!r}", (*path, "name"), at_key=True)
    return {"name": name, **value}


def _steps(value: object) -> object:
    if isinstance(value, (list, tuple)) and all(isinstance(step, StepConfig) for step in value):
        unnamed = next((step for step in value if not step.name), None)
        if unnamed is not None:
            raise PartError(f"steps in a list need names, but a {type(unnamed).__name__} has none")
        names = [step.name for step in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise PartError(f"names of steps must differ, but {twice!r} is used twice")
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


# Python code may give a list of named steps.
if TYPE_CHECKING:
    Steps = Any
else:
    Steps = Annotated[dict[StepName, AnyStep], BeforeValidator(_steps)]


class Pipeline(PipelinePart):
    """Steps with inputs and outputs, and how they run.

    Raises:
        PipelineError: A part is invalid, or the parts do not fit together.
    """

    name: PipelineName
    """Its name, also on a cluster."""
    description: str = ""
    """What it does, in one sentence."""
    parameters: Parameters = Field(default_factory=dict)
    """Parameters of a run: defaults, also with a type and a description."""
    defaults: SharedFields = SharedFields()
    """Fields that all steps share."""
    instances: dict[str, Resources] = Field(default_factory=dict)
    """More names for `instance_type`, with their resources."""
    loops: dict[LoopName, Loop] = Field(default_factory=dict)
    """Loops: items for which steps run."""
    steps: Steps = Field(min_length=1)
    """The steps, by name."""
    exit: Annotated[AnyStep | None, BeforeValidator(_exit)] = None
    """The step that always runs at the end."""
    schedule: Schedule | None = None
    """When it runs automatically: on Argo; in KFP, create a recurring run."""
    parallel: Annotated[int, Field(ge=1), NO_BOOL] | None = None
    """Most steps at the same time; default: no limit. KFP has none."""
    on_failure: OnFailure = "continue"
    """After a step has failed: whether the steps that do not wait for it still start, also those of loops."""
    timeout: Seconds | None = None
    """Longest duration of a run; in KFP from 2.17."""
    targets: PipelineTargets = PipelineTargets()
    """Options of the render targets."""

    _given: tuple[dict[str, Any], dict[str, Any]] | None = PrivateAttr(None)

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        self._take_entities()
        taken = {*self.steps, *([self.exit.name] if self.exit else [])}
        if self.exit is not None and self.exit.name in self.steps:
            raise PartError(
                f"names of steps must differ, but {self.exit.name!r} is also the name of the exit step",
                ("steps", self.exit.name),
                at_key=True,
            )
        for name in self.loops:
            if name in taken:
                raise PartError(
                    f"a loop and a step cannot have the same name, but {name!r} is both", ("loops", name), at_key=True
                )
        self.plan  # noqa: B018  # making it is what checks the steps
        for name in self.loops:
            if not self.members(name):
                raise PartError(
                    f"a loop needs a step that names it: give one for_each: {name}", ("loops", name), at_key=True
                )

    def _take_entities(self) -> None:
        """Puts tune steps whose studies have entities into loops over them."""
        found = [*loops_of_entities(self.steps, self.loops)]
        if found:
            self._given = (self.steps, self.loops)
            self.__dict__["steps"] = {**self.steps, **{each.step.name: each.step for each in found}}
            self.__dict__["loops"] = {**self.loops, **{each.loop_name: each.loop for each in found}}

    @derived
    def plan(self) -> Plan:
        """The steps in order, complete, with their references followed."""
        fields = ("parameters", "defaults", "instances", "loops", "steps", "exit")
        return make_plan(Declared(**{name: getattr(self, name) for name in fields}))

    @property
    def order(self) -> tuple[str, ...]:
        """The names of the steps, each after those that it waits for; the steps of a loop are together."""
        return tuple(self.plan.nodes)

    @property
    def run_parameters(self) -> Mapping[str, Parameter]:
        """All parameters of a run, with those for hyperparameters."""
        return self.plan.parameters

    def node(self, step: str) -> Node:
        """Returns a step of the plan."""
        return self.plan.nodes[step]

    def members(self, loop: str) -> tuple[str, ...]:
        """Returns the steps of a loop, in order."""
        return tuple(name for name, node in self.plan.nodes.items() if node.loop == loop)

    def with_images(self, resolve: Callable[[str], str]) -> Pipeline:
        """Returns the same pipeline with other images for its steps and trials.

        Args:
            resolve: Returns the image that runs in place of another.
        """
        copy = self.model_copy()
        copy.__dict__["plan"] = self.plan.with_images(resolve)
        return copy

    def to_dict(self) -> dict[str, Any]:
        """Returns the pipeline as in a file, without defaults."""
        steps, loops = self._given or (self.steps, self.loops)
        written = self.model_dump(mode="json", exclude_defaults=True, exclude={"steps", "loops", "exit"})
        if loops:
            written["loops"] = {
                name: loop.model_dump(mode="json", exclude_defaults=True) for name, loop in loops.items()
            }
        written["steps"] = {name: step.to_dict() for name, step in steps.items()}
        if self.exit is not None:
            written["exit"] = self.exit.to_dict()
        return written

    def content_hash(self) -> str:
        """Returns the SHA-256 (hexadecimal) of the pipeline, with the studies and items that it reads from files."""
        content = {
            "pipeline": self.to_dict(),
            "studies": {name: step.study.to_dict() for name, step in self.steps.items() if isinstance(step, TuneStep)},
            "items": {name: loop.entries for name, loop in self.loops.items() if not isinstance(loop.items, Reference)},
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
