"""`Study`: one object for the study file and for Python; what it derives is computed once, when it is made."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from kftune.domains import Conditional, Domain, domain_from_spec
from kftune.errors import DomainError, HparamsError, KftuneError, UnknownNameError, near_names, suggestion
from kftune.hparams import Hparams
from kftune.hparams.fields import Leaf, check_condition, has_field_validators, put
from kftune.hparams.registry import load_hparams, name_of
from kftune.metrics.definition import MetricDefinition
from kftune.spec.derived import derived
from kftune.spec.part import Part, PartError
from kftune.study.algorithm import Algorithm
from kftune.study.objective import Budget, MetricSpec, Objective, Reduce
from kftune.study.step import Step
from kftune.study.targets import Targets
from kftune.study.values import flat_values, keys_to
from kftune.validation import findings


def _hparams(value: object, info: ValidationInfo) -> type[Hparams]:
    if isinstance(value, type) and issubclass(value, Hparams):
        return value
    if not isinstance(value, str):
        raise PartError(f"hparams is a registry name or module:Class, but got {value!r}")
    try:
        return load_hparams(value, (info.context or {}).get("folders", ()))
    except KftuneError as error:
        raise PartError(str(error)) from error


def _domain(value: object) -> Domain | None:
    if value is None or isinstance(value, Domain):
        return value
    try:
        return domain_from_spec(value)
    except UnknownNameError as error:
        inner = value.get(error.name) if isinstance(value, Mapping) else None
        if not isinstance(inner, Mapping) or near_names(error.name, error.known):
            raise PartError(str(error)) from error
        dotted = f"group.{error.name}: {inner!r}"
        raise PartError(f"a field of a group is searched under its dotted name, as one key: {dotted}") from error
    except KftuneError as error:
        raise PartError(str(error)) from error


def _metric(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


_DOMAIN_SCHEMA = {
    "anyOf": [{"type": "object", "minProperties": 1}, {"type": "null"}],
    "description": "One key that names the domain, with its arguments: {loguniform: [1.0e-4, 1.0e-2]}",
}
HparamsClass = Annotated[
    type[Hparams],
    PlainValidator(_hparams),
    PlainSerializer(name_of, return_type=str),
    WithJsonSchema({"type": "string", "description": "Registry name, or module:Class"}),
]
SearchDomain = Annotated[
    Domain | None,
    PlainValidator(_domain),
    PlainSerializer(lambda domain: domain and domain.to_spec()),
    WithJsonSchema(_DOMAIN_SCHEMA),
]


class Study(Part):
    """Hyperparameters, their domains, an objective, an algorithm, a budget, and the step that each trial runs.

    Raises:
        StudyError: The parts do not fit each other, or one of them cannot be.
    """

    name: str = Field(min_length=1, max_length=200)
    """What people call the study; names of objects and folders are made from it."""
    description: str = ""
    """One sentence for whoever reads it next."""
    hparams: HparamsClass
    """The class of hyperparameters."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Hyperparameters fixed in this study."""
    search: dict[str, SearchDomain] = Field(default_factory=dict)
    """Domains that replace those on the class, by dotted name; null switches one off."""
    objective: Objective
    """What counts."""
    metrics: tuple[Annotated[MetricSpec, BeforeValidator(_metric, json_schema_input_type=str | MetricSpec)], ...] = ()
    """Further metrics to keep."""
    algorithm: Algorithm = Algorithm()
    """How values are chosen."""
    budget: Budget = Budget()
    """How far it goes."""
    step: Step
    """What each trial runs."""
    points: tuple[dict[str, Any], ...] = ()
    """Values to try first, by dotted name; what a point leaves out takes its default."""
    targets: Targets = Targets()
    """Options of the render targets."""

    def model_post_init(self, context: object, /) -> None:
        """Checks what the fields by themselves cannot."""
        self.fixed  # noqa: B018  # deriving them is what checks them
        self._check_space()
        self._check_ends()
        self.reductions  # noqa: B018
        self._check_algorithm()
        for index, point in enumerate(self.points):
            self._check_point(point, index)

    # -- what it derives ---------------------------------------------------------------------------------------

    @derived
    def fixed_values(self) -> dict[str, Any]:
        """The fixed hyperparameters as JSON-able values, by dotted name."""
        found: dict[str, Any] = {}
        leaves = self.hparams.leaves()
        for name, value in flat_values(self.hparams, self.values):
            if name not in leaves:
                raise self._unknown(name, "values")
            if name in found:
                raise PartError(f"{name} is there twice, as one name and in a group; keep one", ("values",))
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
    def space(self) -> dict[str, Domain]:
        """What is searched: dotted name -> domain, in the order of the class."""
        fixed, search, space = self.fixed_values, self.search, {}
        for name, leaf in self.hparams.leaves().items():
            domain = search.get(name, leaf.domain)
            if domain is not None and name not in fixed and (name in search or not self._is_left_out(leaf)):
                space[name] = domain
        return space

    @derived
    def reductions(self) -> dict[str, Reduce]:
        """Name of each metric, the objective first -> which of a trial's values counts."""
        objective = self.objective
        own = objective.reduction
        rest = own if objective.reduce is None else "latest"
        found: dict[str, Reduce] = {objective.metric: own}
        for index, spec in enumerate(self.metrics):
            name = spec.name
            if name in found:
                raise PartError(f"metric names must differ, but {name!r} is there twice", ("metrics", index))
            found[name] = spec.reduce or rest
        return found

    @derived
    def metric_definitions(self) -> tuple[MetricDefinition, ...]:
        """The metrics that are read from a script's own format."""
        found = []
        if self.objective.regex:
            found.append(MetricDefinition(self.objective.metric, self.objective.regex))
        for spec in self.metrics:
            if spec.regex:
                found.append(MetricDefinition(spec.name, spec.regex))
        return tuple(found)

    @derived
    def size(self) -> float:
        """The number of different points of the space (conditions aside), or `math.inf`."""
        return math.prod(domain.size for domain in self.space.values())

    def active(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """`point` without the values whose condition does not hold, parents judged before children."""
        values = {**self._defaults, **self.fixed_values, **point}
        kept = dict(point)
        for name, domain in self.space.items():
            if isinstance(domain, Conditional) and name in kept and not domain.active(values):
                del kept[name]
                values[name] = self._defaults.get(name)
        return kept

    def assignment(self, point: Mapping[str, Any]) -> dict[str, str]:
        """The texts that a trial gets: fixed values and those of `point`, in the order of the class.

        Args:
            point: JSON-able value by dotted name; those that their condition switches off are left out.
        """
        texts = {**self.fixed, **self.encode(self.active(point))}
        return {name: texts[name] for name in self.argument_names if name in texts}

    def encode(self, point: Mapping[str, Any]) -> dict[str, str]:
        """The text of each value."""
        leaves = self.hparams.leaves()
        return {name: leaves[name].encode(value) for name, value in point.items()}

    @derived
    def argument_names(self) -> tuple[str, ...]:
        """The hyperparameters on a trial's command line, fixed and searched, in the order of the class."""
        space, fixed = self.space, self.fixed_values
        return tuple([name for name in self.hparams.leaves() if name in space or name in fixed])

    def defaults(self) -> dict[str, Any]:
        """The class's defaults that trials get, by dotted name: of what is not given, or given on a condition only."""
        return {
            name: default
            for name, default in self._defaults.items()
            if (name not in self.argument_names or isinstance(self.space.get(name), Conditional))
            and not self._is_left_out(self.hparams.leaf(name))
        }

    def compared(self) -> dict[str, Any]:
        """Returns what makes results comparable: all values that trials get, the objective and the command."""
        objective = self.objective
        return {
            "fixed": self.fixed_values,
            "defaults": self.defaults(),
            "space": {name: domain.to_spec() for name, domain in self.space.items()},
            "objective": {"metric": objective.metric, "direction": objective.direction, "reduce": objective.reduction},
            "regex": objective.regex,
            "command": {"line": self.step.command_line({})},
            "hparams": f"{self.hparams.__module__}:{self.hparams.__qualname__}",
        }

    def identity(self) -> str:
        """Returns a SHA-256 of `compared`."""
        parts = self.compared()
        # The form in which earlier versions hashed these, so that their results can be resumed.
        parts |= {"fixed": self.fixed, "objective": [*parts["objective"].values()], "command": parts["command"]["line"]}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The study as its file writes it, without what is left at its default."""
        return self.model_dump(mode="json", exclude_defaults=True)

    # -- how it checks itself ----------------------------------------------------------------------------------

    @derived
    def _defaults(self) -> dict[str, Any]:
        return {name: leaf.default for name, leaf in self.hparams.leaves().items() if leaf.has_default}

    @derived
    def _absent_groups(self) -> tuple[str, ...]:
        """Optional groups that are None here and of which nothing in this study names a field."""
        named = (*self.fixed_values, *self.search)
        return tuple(
            name
            for name, leaf in self.hparams.leaves().items()
            if leaf.is_group
            and self.fixed_values.get(name, leaf.default) is None
            and (name in self.fixed_values or not any(other.startswith(f"{name}.") for other in named))
        )

    def _is_left_out(self, leaf: Leaf) -> bool:
        """Whether a field is part of an absent group, so that only a study's own `search` is meant.

        A condition on the group brings it in, unless the study fixes it to null.
        """
        return bool(self._absent_groups) and any(
            leaf.name.startswith(f"{name}.") and (name in self.fixed_values or not isinstance(leaf.domain, Conditional))
            for name in self._absent_groups
        )

    def _unknown(self, name: str, section: str) -> PartError:
        return PartError(
            f"{self.hparams.__name__} has no hyperparameter {name!r}; {suggestion(name, self.hparams.leaves())}",
            (section, *keys_to(getattr(self, section), name)),
            at_key=True,
        )

    def _check_space(self) -> None:
        leaves = self.hparams.leaves()
        for name, domain in self.search.items():
            leaf = leaves.get(name)
            if leaf is None:
                raise self._unknown(name, "search")
            if domain is not None:
                self._check_domain(leaf, domain)
        fixed, space = self.fixed_values, self.space
        for name in fixed:
            if self.search.get(name) is not None:
                raise PartError(
                    f"a hyperparameter is fixed or searched, but {name} is in values and in search; "
                    f"take it out of one (on a command line: ~search.{name})",
                    ("search", name),
                )
        if not space:
            raise PartError(
                f"a study needs something to search, but neither {self.hparams.__name__} nor search has a domain; "
                f"for example search: {{{next(iter(leaves), 'name')}: {{uniform: [0, 1]}}}}",
                ("search",),
            )
        for name, leaf in leaves.items():
            if not leaf.has_default and name not in space and name not in fixed and not self._is_left_out(leaf):
                raise PartError(f"{leaf.declaration} has no default, so it needs a value or a domain", ("values",))

    def _check_domain(self, leaf: Leaf, domain: Domain) -> None:
        try:
            leaf.check_domain(domain)
        except (HparamsError, DomainError) as error:
            raise PartError(str(error), ("search", leaf.name)) from error
        if type(domain) is Conditional:
            if domain.domain is None:
                raise PartError(f"{leaf.name}: a condition in a study needs a domain beside it", ("search", leaf.name))
            leaves = self.hparams.leaves()
            domains = {name: self.search.get(name, other.domain) for name, other in leaves.items()}
            searched = {name: found for name, found in domains.items() if name not in self.fixed_values}
            try:
                check_condition(leaf.name, domain, leaves, searched)
            except HparamsError as error:
                raise PartError(str(error), ("search", leaf.name, "when")) from error
            if not leaf.has_default:
                raise PartError(f"{leaf.declaration} is conditional, so it needs a default", ("search", leaf.name))

    def _check_ends(self) -> None:
        """Lets the validators of the class see the fixed values, and both ends of each domain.

        Only what they say of one field by itself counts: two fields that clash here need not clash elsewhere.
        """
        if not has_field_validators(self.hparams):
            return
        for u in (0, 1):
            point = self.active({name: domain.quantile(u) for name, domain in self.space.items()})
            values: dict[str, Any] = {}
            for name, value in {**self.fixed_values, **point}.items():
                put(values, self.hparams.leaf(name).path, value)
            try:
                self.hparams.model_validate(values, strict=False)
            except ValidationError as error:
                for finding in findings(error, self.hparams):
                    self._check_end(".".join(map(str, finding.path)), finding.message, point)

    def _check_end(self, name: str, message: str, point: Mapping[str, Any]) -> None:
        if name in self.fixed_values:
            raise PartError(message, ("values", *keys_to(self.values, name)))
        if name in point:
            refused = f"{self.hparams.__name__} refuses {name}={point[name]!r} of {self.space[name]!r}: {message}"
            raise PartError(refused, ("search", name) if name in self.search else ("hparams",))

    def _check_algorithm(self) -> None:
        if self.algorithm.name == "grid":
            endless = next((name for name, domain in self.space.items() if math.isinf(domain.size)), None)
            if endless:
                raise PartError(
                    f"a grid needs finitely many points, but {endless} is {self.space[endless]!r}; give it a step "
                    f"(quniform, int) or a list (choice), or take the algorithm random",
                    ("search", endless) if endless in self.search else ("algorithm", "name"),
                )
            if self.size > self.budget.max_trials:
                raise PartError(
                    f"a grid tries every point, but it has {self.size} and max_trials={self.budget.max_trials}; "
                    f"set max_trials to {self.size}, make the grid smaller, or take the algorithm random",
                    ("budget", "max_trials") if "max_trials" in self.budget.model_fields_set else ("algorithm", "name"),
                )

    def _check_point(self, point: Mapping[str, Any], index: int) -> None:
        for name, value in point.items():
            if name not in self.space:
                known = suggestion(name, self.space)
                raise PartError(
                    f"a first point sets searched values, but {name!r} is not searched; {known}",
                    ("points", index, name),
                    at_key=True,
                )
            if not self.space[name].contains(value):
                raise PartError(
                    f"a first point must lie in the space, but {name}={value!r} is not in {self.space[name]!r}",
                    ("points", index, name),
                )
        for name in self.active({name: point.get(name, self._defaults.get(name)) for name in self.space}):
            leaf = self.hparams.leaf(name)
            if name not in point and not (leaf.has_default and self.space[name].contains(leaf.default)):
                raise PartError(
                    f"a first point must set {name}, whose default is not in {self.space[name]!r}", ("points", index)
                )

    def first_points(self) -> list[dict[str, Any]]:
        """The points to try first, completed with defaults."""
        leaves = self.hparams.leaves()
        return [
            {name: leaves[name].jsonable(point[name] if name in point else leaves[name].default) for name in self.space}
            for point in self.points
        ]
