"""`Study`: what a study file describes. Derived values are computed once, when it is created."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from kftune.argv import Kinds
from kftune.domains import Conditional, Domain
from kftune.errors import HparamsError, StudyError
from kftune.hparams.fields import Leaf, kinds_of
from kftune.hparams.homes import home_of
from kftune.metrics.definition import MetricDefinition
from kftune.spec.derived import derived
from kftune.spec.load import keys_to
from kftune.spec.part import Part, PartError
from kftune.stopping.rules import Stopping
from kftune.study.algorithm import Algorithm
from kftune.study.apply import Apply
from kftune.study.checks import (
    check_algorithm,
    check_arguments,
    check_ends,
    check_map,
    check_point,
    check_space,
    unknown,
)
from kftune.study.each import check_entities, study_of, values_for
from kftune.study.entries import Entries, Mappings, entries_of, leaves_with_entries
from kftune.study.feasibility import Feasibility, Refusal
from kftune.study.for_each import EachEntity
from kftune.study.objective import Budget, Objective, Reduce
from kftune.study.objectives import EITHER, comparable, definitions_of, not_given, reductions_of, settle
from kftune.study.retries import NO_RETRIES, RetryLimits, limits_of
from kftune.study.step import Step
from kftune.study.stopping import check_stopping
from kftune.study.targets import Targets
from kftune.study.types import HparamsClass, Metric, SearchDomain
from kftune.study.values import flat_values


class Study(Part):
    """Hyperparameters, their domains, objectives, an algorithm, a budget, and the step that each trial runs.

    Raises:
        StudyError: A part is invalid, or the parts do not fit together.
    """

    model_config = ConfigDict(json_schema_extra=EITHER)

    name: str = Field(min_length=1, max_length=200)
    """The name of the study; names of objects and folders are made from it."""
    description: str = ""
    """What it is about, in one sentence."""
    hparams: HparamsClass
    """The class of hyperparameters: its name in the registry, or ``module:Class``."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Hyperparameters with a fixed value, by dotted name or nested."""
    search: dict[str, SearchDomain] = Field(default_factory=dict)
    """Domains that replace those of the class, by dotted name; ``null`` removes one."""
    constraints: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """Conditions that each point must meet, such as ``hidden * layers <= 4096``. Not on Katib."""
    objective: Objective = Field(default_factory=not_given)
    """The metric to minimize or maximize. A study has this key, or `objectives`."""
    objectives: tuple[Objective, ...] = Field(default_factory=tuple, min_length=1)
    """Several metrics to minimize or maximize, the most important first: Katib gets that one only."""
    metrics: tuple[Metric, ...] = ()
    """More metrics to store; a text is the name of one."""
    algorithm: Algorithm = Algorithm()
    """How values are chosen."""
    budget: Budget = Budget()
    """The limits of the study."""
    stopping: Stopping = ()
    """Rules that end trials, or the study, before their time: settings by rule, or a list of such mappings."""
    step: Step
    """What each trial runs."""
    for_each: EachEntity | None = None
    """The entities, such as circuits, each of which has trials of its own: a YAML file, or a list."""
    points: tuple[dict[str, Any], ...] = ()
    """Values to try first, by dotted name; missing ones take their defaults. Not on Katib."""
    apply: Apply | None = None
    """The YAML file that gets the best values after a run on this machine. Not on Katib."""
    targets: Targets = Targets()
    """Options of the render targets."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        settle(self)
        self.fixed  # noqa: B018  # deriving them checks them
        check_space(self)
        check_ends(self)
        self.reductions  # noqa: B018
        if self.stopping:
            names = [objective.metric for objective in self.objectives]
            check_stopping(self.stopping, names, self.reductions, self.budget.wall_clock)
        if self.constraints:
            self.feasibility  # noqa: B018  # making it checks them
        check_algorithm(self)
        if self.budget.retries is not NO_RETRIES:
            self.retry_limits  # noqa: B018
        if self.step.arguments is not None:
            check_arguments(self)
        for index, point in enumerate(self.points):
            check_point(self, point, index)
        if self.apply is not None:
            check_map(self, self.apply.map)
        if self.for_each is not None:
            check_entities(self)

    # -- derived values ----------------------------------------------------------------------------------------

    @derived
    def fixed_values(self) -> dict[str, Any]:
        """The fixed hyperparameters as JSON-able values, by dotted name."""
        found: dict[str, Any] = {}
        leaves = self.hparams.leaves()
        # With entities, those of the first one stand for all.
        values = self.values if self.for_each is None else values_for(self, self.for_each.entities[0])
        for name, value in flat_values(self.hparams, values):
            if name not in leaves:
                raise unknown(self, name, "values")
            if name in found:
                raise PartError(f"{name} is set twice, as a dotted name and in a group; remove one", ("values",))
            try:
                found[name] = leaves[name].jsonable(value)
            except HparamsError as error:
                message = str(error).removeprefix(f"{name}: ")
                raise PartError(message, ("values", *keys_to(self.values, name))) from error
        return found

    @derived
    def fixed(self) -> dict[str, str]:
        """The fixed hyperparameters as texts, by dotted name."""
        leaves = self.hparams.leaves()
        return {name: leaves[name].encode(value) for name, value in self.fixed_values.items()}

    @derived
    def entries(self) -> Entries:
        """The searched keys inside mappings: field that holds the mapping -> dotted names of keys."""
        return entries_of(self.hparams, self.search)

    @derived
    def leaves(self) -> Mapping[str, Leaf]:
        """The fields of the class by dotted name, each searched key of a mapping after the field that holds it."""
        return leaves_with_entries(self.hparams, self.entries, self.search, self.fixed_values)

    @derived
    def mappings(self) -> Mappings:
        """The mappings in which keys are searched."""
        return Mappings(self.hparams, self.entries, self.fixed_values)

    @derived
    def space(self) -> dict[str, Domain]:
        """The searched hyperparameters: dotted name -> domain, in the order of the class."""
        fixed, search, space = self.fixed_values, self.search, {}
        for name, leaf in self.leaves.items():
            domain = search.get(name, leaf.domain)
            if domain is not None and name not in fixed and (name in search or not self.is_left_out(leaf)):
                space[name] = domain
        return space

    @derived
    def reductions(self) -> dict[str, Reduce]:
        """Name of each metric, the objectives first -> which value of a trial is used."""
        return reductions_of(self.objectives, self.metrics)

    @derived
    def metric_definitions(self) -> tuple[MetricDefinition, ...]:
        """The metrics that scripts print in another format."""
        return definitions_of(self.objectives, self.metrics)

    @derived
    def retry_limits(self) -> RetryLimits:
        """How often a trial runs again, by what ended it."""
        return limits_of(self.budget.retries, self.step.preemption, self)

    @derived
    def size(self) -> float:
        """The number of points of the space, ignoring conditions; may be `math.inf`."""
        return math.prod(domain.size for domain in self.space.values())

    def for_entity(self, name: str) -> Study:
        """Returns the study of one entity of `for_each`.

        Args:
            name: The entity's name, or its path in the file.

        Raises:
            UnknownNameError: There is no such entity.
            StudyError: The study has no `for_each`.
        """
        if self.for_each is None:
            raise StudyError(f"a study has entities in for_each, but {self.name!r} has none")
        return study_of(self, self.for_each.entity(name))

    def active(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns `point` without values that their condition excludes; parents are evaluated before children."""
        values = {**self.class_defaults, **self.fixed_values, **point}
        kept = dict(point)
        for name, domain in self.space.items():
            if isinstance(domain, Conditional) and name in kept and not domain.active(values):
                del kept[name]
                values[name] = self.class_defaults.get(name)
        return kept

    def assignment(self, point: Mapping[str, Any]) -> dict[str, str]:
        """Returns the texts of a trial: fixed values and those of `point`, in the order of the class.

        Args:
            point: JSON-able value by dotted name. Values that their condition excludes are left out.
        """
        texts = {**self.fixed, **self.encode(self.active(point))}
        texts.update(self.mappings.texts(texts))
        return {name: texts[name] for name in self.argument_names if name in texts}

    def typed(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the values of a point as their fields have them, not as the domains."""
        leaves = self.leaves
        return {name: leaves[name].typed(value) for name, value in point.items()}

    def encode(self, point: Mapping[str, Any]) -> dict[str, str]:
        """Returns the text of each value."""
        leaves = self.leaves
        return {name: leaves[name].encode(value) for name, value in point.items()}

    @derived
    def feasibility(self) -> Feasibility:
        """Which points may be tried."""
        return Feasibility(self)

    @property
    def restricted(self) -> bool:
        """Whether the constraints or the class may refuse points."""
        return self.feasibility.restricted

    def refusal(self, point: Mapping[str, Any]) -> Refusal | None:
        """Returns what refuses a point; None if a trial may have it."""
        return self.feasibility.refusal(point)

    @derived
    def argument_names(self) -> tuple[str, ...]:
        """The hyperparameters on a trial's command line, fixed and searched, in the order of the class."""
        searched, fixed = self.searched_arguments, self.fixed_values
        return tuple([name for name in self.hparams.leaves() if name in searched or name in fixed])

    @derived
    def searched_arguments(self) -> tuple[str, ...]:
        """The hyperparameters that are searched, whole or keys in them, in the order of the class."""
        space, entries = self.space, self.entries
        return tuple([name for name in self.hparams.leaves() if name in space or name in entries])

    @derived
    def kinds(self) -> Kinds:
        """What a command line has to know about the fields of the class."""
        return kinds_of(self.hparams.leaves())

    def command_line(self, assignment: Mapping[str, str]) -> list[str]:
        """Returns the command line of a trial.

        Args:
            assignment: The trial's texts, or what stands for them.
        """
        step = self.step
        return step.command_line(assignment) if step.arguments is None else step.command_line(assignment, self.kinds)

    def defaults(self) -> dict[str, Any]:
        """Returns the defaults that trials use, by dotted name: of values that they do not get, or not always."""
        return {
            name: default
            for name, default in self.class_defaults.items()
            if (
                name not in self.argument_names
                or (name in self.entries and name not in self.fixed_values)
                or isinstance(self.space.get(name), Conditional)
            )
            and not self.is_left_out(self.hparams.leaf(name))
        }

    def compared(self) -> dict[str, Any]:
        """Returns what makes results comparable: all values that trials get, the objectives and the command."""
        given = self.step.arguments
        return {
            "fixed": self.fixed_values,
            "defaults": self.defaults(),
            "space": {name: domain.to_spec() for name, domain in self.space.items()},
            "constraints": list(self.constraints),
            "objective": comparable(self.objectives),
            "regex": self.objective.regex,
            "command": {"line": self.step.start, **({} if given is None else {"arguments": given.model_dump()})},
            "hparams": home_of(self.hparams),
        }

    def identity(self) -> str:
        """Returns a SHA-256 of `compared`."""
        parts = self.compared()
        # The form in which earlier versions hashed these, so that their results can be resumed.
        if not self.constraints:
            del parts["constraints"]
        parts |= {"fixed": self.fixed, "objective": [*parts["objective"].values()], "command": parts["command"]["line"]}
        if self.step.arguments is not None:
            parts["arguments"] = self.step.arguments.model_dump()
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def replace(self, **changes: Any) -> Study:
        """Returns a copy with some fields changed, and checks it; `objective` and `objectives` replace each other.

        Raises:
            StudyError: It is invalid.
        """
        other_keys = {"objective": "objectives", "objectives": "objective"}
        kept = self.model_fields_set - {other_keys.get(name) for name in changes}
        return type(self)(**{**{name: getattr(self, name) for name in kept}, **changes})

    def with_step(self, **changes: Any) -> Study:
        """Returns the study with some fields of its step changed, without checks."""
        return self.model_copy(update={"step": self.step.model_copy(update=changes)})

    def with_images(self, resolve: Callable[[str], str]) -> Study:
        """Returns the study with another image for its step.

        Args:
            resolve: Returns the image that runs in place of another.
        """
        return self if self.step.image is None else self.with_step(image=resolve(self.step.image))

    def to_dict(self) -> dict[str, Any]:
        """Returns the study as in a file, without defaults."""
        derived_key = "objectives" if "objective" in self.model_fields_set else "objective"
        return self.model_dump(mode="json", exclude_defaults=True, exclude={derived_key})

    @derived
    def class_defaults(self) -> dict[str, Any]:
        """The defaults of the class, by dotted name."""
        return {name: leaf.default for name, leaf in self.hparams.leaves().items() if leaf.has_default}

    @derived
    def _absent_groups(self) -> tuple[str, ...]:
        """Optional groups that are None, and of which this study names no field."""
        named = (*self.fixed_values, *self.search)
        return tuple(
            name
            for name, leaf in self.hparams.leaves().items()
            if leaf.is_group
            and self.fixed_values.get(name, leaf.default) is None
            and (name in self.fixed_values or not any(other.startswith(f"{name}.") for other in named))
        )

    def is_left_out(self, leaf: Leaf) -> bool:
        """Returns whether a field is part of an absent group, so that only `search` of the study can add it.

        A condition on the group adds it too, unless the study fixes the group to null.
        """
        return bool(self._absent_groups) and any(
            leaf.name.startswith(f"{name}.") and (name in self.fixed_values or not isinstance(leaf.domain, Conditional))
            for name in self._absent_groups
        )

    def first_points(self) -> list[dict[str, Any]]:
        """Returns the points to try first, with defaults filled in."""
        return [self.filled(point) for point in self.points]

    def filled(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a first point with defaults for the values that it does not set."""
        leaves = self.leaves
        return {
            name: leaves[name].jsonable(point[name] if name in point else leaves[name].default) for name in self.space
        }
