"""The plan of a pipeline: its steps in order, every reference followed and its type checked.

Renderers and the local run read this, and nothing else, to know what a step gets and what it waits for.

What a skipped step means, on every target: a step whose `when` does not hold is skipped; so is one that takes a
parameter or artifact of a skipped step and has neither a default nor `optional` for it. A step that only comes `after`
a skipped one runs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kftune.errors import KftuneError, StudyError, suggestion
from kftune.hparams import Hparams
from kftune.pipeline.condition import Condition
from kftune.pipeline.instances import instance_resources
from kftune.pipeline.loop import Loop, element_type
from kftune.pipeline.names import plain
from kftune.pipeline.ports import EXECUTOR_OUTPUT, Output, Parameter, fits, is_artifact, text_of, type_of, typed_value
from kftune.pipeline.references import (
    ItemReference,
    OutputReference,
    ParameterReference,
    Reference,
)
from kftune.pipeline.shared import filled
from kftune.pipeline.steps import BEST, EXIT_HAS_NO, StepConfig, TuneStep, hparam_type
from kftune.study import Study
from kftune.study.model import flat_values, keys_to
from kftune.study.part import PartError

if TYPE_CHECKING:
    from kftune.pipeline.model import Pipeline

Path = tuple[str | int, ...]


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


def with_values(study: Study, values: Mapping[str, Any]) -> Study:
    """The study with further fixed values.

    Raises:
        StudyError: It cannot have them.
    """
    fields = {name: getattr(study, name) for name in Study.model_fields}
    return Study(**{**fields, "values": {**study.fixed_values, **values}})


def make_plan(pipeline: Pipeline) -> Plan:
    """The plan of a pipeline.

    Raises:
        PartError: Its parts do not fit each other.
    """
    return _Planner(pipeline).plan()


class _Planner:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        _check_instance(pipeline)
        self._steps = {name: self._filled(step, ("steps", name)) for name, step in pipeline.steps.items()}
        self._parameters = dict(pipeline.parameters)

    def plan(self) -> Plan:
        for name, loop in self._pipeline.loops.items():
            self._check_items(name, loop)
        drafts = {name: self._draft(step, ("steps", name)) for name, step in self._steps.items()}
        waits = {name: self._waits_for(drafts[name]) for name in drafts}
        _refuse_cycle(waits, lambda name: ("steps", name), "steps must not wait for one another")
        order = self._order(waits)
        nodes: dict[str, Node] = {}
        for name in order:
            nodes[name] = self._finished(drafts[name], waits[name], order, nodes)
        step = self._pipeline.exit
        exit_node = None if step is None else self._draft(self._filled(step, ("exit",)), ("exit",), is_exit=True)
        return Plan(nodes, exit_node, self._parameters)

    # -- one step ----------------------------------------------------------------------------------------------

    def _filled(self, step: StepConfig, path: Path) -> StepConfig:
        own = ("image", "resources", "instance_type", "instance_count") if isinstance(step, TuneStep) else ()
        pipeline = self._pipeline
        try:
            complete = filled(step, pipeline.defaults, pipeline.instances, own)
            if isinstance(complete, TuneStep):
                complete = self._with_trials(complete)
        except PartError as error:
            raise PartError(error.message, (*path, *error.path)) from error
        return complete

    def _with_trials(self, step: TuneStep) -> TuneStep:
        """The tune step with its constants in the study, and the trials set up as the defaults say."""
        shared = [volume.name for volume in step.volumes]
        if step.share is not None and step.share not in shared:
            hint = suggestion(step.share, shared) if shared else "give it volumes: [{name: …, claim: …, mount: …}]"
            raise PartError(f"share names one of the step's volumes, but none is {step.share!r}; {hint}", ("share",))
        defaults, study = self._pipeline.defaults, step.study
        given = flat_values(study.hparams, step.values)
        searched = next((name for name, _ in given if name in study.space), None)
        if searched is not None:
            raise PartError(
                f"a hyperparameter is set or searched, but the study searches {searched}; take it out here, or out of "
                f"the search: overrides: [search.{searched}=null]",
                ("values", *keys_to(step.values, searched)),
                at_key=True,
            )
        constants = {
            name: _jsonable(study.hparams, name, value, ("values", *keys_to(step.values, name)))
            for name, value in given
            if not isinstance(value, Reference)
        }
        trial = filled(study.step, defaults, self._pipeline.instances)
        try:
            study = with_values(study.model_copy(update={"step": trial}), constants)
        except StudyError as error:
            raise PartError(error.message, ("values",)) from error
        return step.model_copy(update={"study": study})

    def _draft(self, step: StepConfig, path: Path, *, is_exit: bool = False) -> Node:
        """The node without what only its place among the others tells."""
        if is_exit:
            self._check_exit(step)
        elif step.for_each is not None and step.for_each not in self._pipeline.loops:
            hint = suggestion(step.for_each, self._pipeline.loops)
            raise PartError(
                f"for_each names one of loops, but there is none {step.for_each!r}; {hint}", (*path, "for_each")
            )
        arguments: dict[str, Argument] = {}
        for name, given in step.inputs.items():
            where = (*path, "inputs", name)
            arguments[name] = self._input(step, name, given, where, is_exit)
        for argument in self._hparams(step, path, is_exit):
            arguments[argument.name] = argument
        types = None
        if step.when is not None:
            where = (*path, "when")
            left, right = (self._side_type(step, side, where, is_exit) for side in (step.when.left, step.when.right))
            types = (left, right)
            try:
                step.when.check(left, right)
            except PartError as error:
                raise PartError(error.message, where) from error
        return Node(
            name=step.name,
            step=step,
            arguments=arguments,
            outputs=step.outputs,
            condition=step.when,
            condition_types=types,
            loop=step.for_each,
        )

    def _check_exit(self, step: StepConfig) -> None:
        if isinstance(step, TuneStep):
            raise PartError("the exit step cannot be a tune step; use a container", ("exit",))
        for name in EXIT_HAS_NO:
            if getattr(step, name):
                raise PartError(
                    f"the exit step runs once, at the end, whatever happened; take {name!r} out",
                    ("exit", name),
                    at_key=True,
                )

    def _side_type(self, step: StepConfig, side: Any, path: Path, is_exit: bool) -> str:
        if not isinstance(side, Reference):
            return type_of(side)
        return self._resolved(step, side, path, is_exit)[0]

    def _input(self, step: StepConfig, name: str, given: Any, path: Path, is_exit: bool) -> Argument:
        if not isinstance(given.value, Reference):
            wanted = given.type or type_of(given.value)
            value = typed_value(given.value, wanted)
            self._check_absence(given, wanted, False, path)
            return Argument(name, wanted, Constant(value, text_of(value)))
        found, fan_in, element = self._resolved(step, given.value, path, is_exit)
        if given.type is not None and not fits(found, given.type):
            raise PartError(
                f"{name} is of type {given.type}, but {given.value} is of type {found}; "
                f"leave the type out, or refer to another output",
                (*path, "type"),
            )
        wanted = given.type or found
        self._check_absence(given, wanted, isinstance(given.value, OutputReference), path)
        default = None if given.default is None else typed_value(given.default, wanted)
        return Argument(name, wanted, given.value, "input", default, given.optional, fan_in, element)

    def _check_absence(self, given: Any, wanted: str, may_lack: bool, path: Path) -> None:
        if (given.default is not None or given.optional) and not may_lack:
            name = "optional" if given.optional else "default"
            raise PartError(
                f"{name} is for an input that comes from a step which may be skipped", (*path, name), at_key=True
            )
        if given.optional and not is_artifact(wanted):
            raise PartError("optional is for artifacts; give a parameter a default", (*path, "optional"), at_key=True)
        if given.default is not None:
            if is_artifact(wanted):
                raise PartError("an artifact has no default; say optional: true", (*path, "default"), at_key=True)
            try:
                typed_value(given.default, wanted)
            except PartError as error:
                raise PartError(error.message, (*path, "default")) from error

    # -- hyperparameters ---------------------------------------------------------------------------------------

    def _hparams(self, step: StepConfig, path: Path, is_exit: bool) -> Iterable[Argument]:
        hparams = step.hyperparameters
        if hparams is None:
            return
        given: dict[str, Any] = {}
        for name, value in flat_values(hparams, step.values):
            where = (*path, "values", *keys_to(step.values, name))
            _refuse_unknown(hparams, name, where)
            given[name] = self._reference_or_value(step, hparams, name, value, where, is_exit)
        best = self._best(step, hparams, path, is_exit)
        both = next((name for name in best if name in given), None)
        if both is not None:
            raise PartError(
                f"a hyperparameter has one source, but {both} is in values and among the best values of "
                f"{step.values_from}; take it out of values",
                (*path, "values", *keys_to(step.values, both)),
                at_key=True,
            )
        sources = {**given, **best}
        for name in _present(hparams, sources):
            kind, source = hparam_type(hparams, name), sources.get(name)
            if isinstance(source, Reference):
                yield Argument(name, kind, source, "hparam")
            elif not isinstance(step, TuneStep):
                yield Argument(name, kind, self._exposed(step, hparams, name, sources, path), "hparam")

    def _reference_or_value(
        self, step: StepConfig, hparams: type[Hparams], name: str, value: Any, path: Path, is_exit: bool
    ) -> Any:
        if not isinstance(value, Reference):
            return _jsonable(hparams, name, value, path)
        leaf, wanted = hparams.leaf(name), hparam_type(hparams, name)
        found, _, _ = self._resolved(step, value, path, is_exit)
        takes_text = wanted == "str" and leaf.annotation is not str and not is_artifact(found)
        if not (fits(found, wanted) or takes_text):
            raise PartError(f"{leaf.declaration} takes no {found}, but {value} is one", path)
        return value

    def _best(self, step: StepConfig, hparams: type[Hparams], path: Path, is_exit: bool) -> dict[str, Reference]:
        if step.values_from is None:
            return {}
        where = (*path, "values_from")
        producer = self._producer(step, step.values_from, where, is_exit)
        if not isinstance(producer, TuneStep):
            raise PartError(f"values_from takes a tune step, but {producer.name!r} is none", where)
        missing = next((name for name in producer.study.space if name not in hparams.leaves()), None)
        if missing is not None:
            raise PartError(
                f"{hparams.__name__} must have all that {producer.name!r} searches, but has no {missing!r}; "
                f"name single ones under values: ${{steps.{producer.name}.outputs.{BEST}.NAME}}",
                where,
            )
        return {
            name: self._reference_or_value(step, hparams, name, step.values_from[name], where, is_exit)
            for name in producer.study.space
        }

    def _exposed(
        self, step: StepConfig, hparams: type[Hparams], name: str, given: Mapping[str, Any], path: Path
    ) -> Reference:
        """The parameter of the run that sets a hyperparameter which no reference sets."""
        leaf, kind = hparams.leaf(name), hparam_type(hparams, name)
        default = None
        if name in given or leaf.has_default:
            value = given.get(name, leaf.default)
            default = value if leaf.annotation is str or kind != "str" else leaf.encode(value)
        parameter = plain(f"{step.name}_{name}")
        if parameter in self._parameters:
            raise PartError(
                f"the run's parameter {parameter!r} sets {name} of step {step.name!r}, but another has that name; "
                f"rename the parameter or the step",
                (*path, "hparams"),
            )
        self._parameters[parameter] = Parameter(
            type=kind, default=default, description=" ".join(leaf.description.split())
        )
        return ParameterReference(parameter)

    # -- references --------------------------------------------------------------------------------------------

    def _resolved(
        self, step: StepConfig, reference: Reference, path: Path, is_exit: bool
    ) -> tuple[str, bool, str | None]:
        """The type of what a reference refers to, whether it is fanned in, and then the type of an element."""
        if isinstance(reference, ParameterReference):
            known = self._pipeline.parameters
            if reference.name not in known:
                raise PartError(f"there is no parameter {reference.name!r}; {suggestion(reference.name, known)}", path)
            return str(known[reference.name].type), False, None
        if isinstance(reference, ItemReference):
            return self._item_type(step, reference, path), False, None
        if isinstance(reference, OutputReference):
            return self._output_type(step, reference, path, is_exit)
        if not is_exit:
            raise PartError("only the exit step can know how the run ended; take ${run.status} out", path)
        return "str", False, None

    def _output_type(
        self, step: StepConfig, reference: OutputReference, path: Path, is_exit: bool
    ) -> tuple[str, bool, str | None]:
        producer = self._producer(step, reference, path, is_exit)
        output = producer.outputs.get(reference.output)
        if output is None:
            known = suggestion(reference.output, producer.outputs)
            raise PartError(f"step {producer.name!r} has no output {reference.output!r}; {known}", path)
        if producer.for_each is None or producer.for_each == step.for_each:
            return output.type, False, None
        if is_artifact(output.type):
            raise PartError(
                f"artifacts stay inside their loop, but {reference} is a {output.type} of loop {producer.for_each!r}; "
                f"put this step into the loop, or take a parameter",
                path,
            )
        return "list", True, output.type

    def _item_type(self, step: StepConfig, reference: ItemReference, path: Path) -> str:
        if step.for_each is None:
            raise PartError(
                f"{reference} is what a loop is at, but step {step.name!r} is in none; give it for_each", path
            )
        try:
            return self._pipeline.loops[step.for_each].type_of(reference.field)
        except PartError as error:
            raise PartError(error.message, path) from error

    def _producer(self, step: StepConfig, reference: OutputReference, path: Path, is_exit: bool) -> StepConfig:
        if is_exit:
            raise PartError(
                f"the exit step runs even if nothing else did, so it cannot take {reference}; "
                f"it can take parameters and ${{run.status}}",
                path,
            )
        return self._steps[self._known(reference.step, step.name, path)]

    def _known(self, name: str, own: str, path: Path) -> str:
        if name == own:
            raise PartError(f"a step waits for others, but {own!r} would wait for itself; name another step", path)
        if self._pipeline.exit is not None and name == self._pipeline.exit.name:
            raise PartError(f"{name!r} is the exit step, which runs last: nothing can wait for it", path)
        if name not in self._pipeline.steps:
            raise PartError(f"there is no step {name!r}; {suggestion(name, self._pipeline.steps)}", path)
        return name

    def _check_items(self, name: str, loop: Loop) -> None:
        """Makes sure that what a loop gets its items from is a list of such items, as far as that is known."""
        member = next((step for step in self._steps.values() if step.for_each == name), None)
        if loop.source is None or member is None:
            return
        path = ("loops", name, "items")
        found, _, element = self._resolved(member, loop.source, path, False)
        if found != "list":
            raise PartError(f"items is a list, but {loop.source} is of type {found}", path)
        if isinstance(loop.source, ParameterReference):
            default = self._pipeline.parameters[loop.source.name].value
            element = element_type(default, path) if default else None
        wanted = loop.type_of(None)
        if element is not None and not fits(element, wanted):
            say = "fields: {NAME: TYPE}" if element == "dict" else f"item: {element}"
            raise PartError(f"items are of type {wanted}, but those of {loop.source} are {element}; say {say}", path)

    # -- all steps ---------------------------------------------------------------------------------------------

    def _waits_for(self, node: Node) -> dict[str, bool]:
        """The steps that must be over before, and whether it takes something from each."""
        sources = [argument.source for argument in node.arguments.values()]
        sources += node.condition.references if node.condition else ()
        if node.loop is not None and (source := self._pipeline.loops[node.loop].source):
            sources.append(source)
        waits = {source.step: True for source in sources if isinstance(source, OutputReference)}
        for index, name in enumerate(node.step.after):
            waits.setdefault(self._known(name, node.name, ("steps", node.name, "after", index)), False)
        return waits

    def _order(self, waits: Mapping[str, Iterable[str]]) -> list[str]:
        """The steps, each after those it waits for and else as written; the steps of a loop stand together."""
        group_of = {name: step.for_each or f"{name} " for name, step in self._steps.items()}
        groups: dict[str, list[str]] = {}
        for name, group in group_of.items():
            groups.setdefault(group, []).append(name)
        between = {
            group: {group_of[other] for name in members for other in waits[name] if group_of[other] != group}
            for group, members in groups.items()
        }
        shown = lambda group: ("loops", group) if group in self._pipeline.loops else ("steps", group.strip())  # noqa: E731
        _refuse_cycle(between, shown, "a loop runs as a whole, so its steps and others must not wait for one another")
        within = {name: {other for other in waits[name] if group_of[other] == group_of[name]} for name in waits}
        return [name for group in _sorted(between) for name in _sorted({name: within[name] for name in groups[group]})]

    def _finished(self, node: Node, waits: Mapping[str, bool], order: list[str], nodes: Mapping[str, Node]) -> Node:
        dependencies = tuple(name for name in order if name in waits)
        needed = {
            argument.source.step
            for argument in node.arguments.values()
            if isinstance(argument.source, OutputReference)
            and argument.default is None
            and not argument.optional
            and not argument.fan_in
        }
        skippable = node.condition is not None or any(nodes[name].skippable for name in needed)
        if node.loop is not None and isinstance(source := self._pipeline.loops[node.loop].source, OutputReference):
            skippable = skippable or nodes[source.step].skippable
        return Node(
            **{
                **vars(node),
                "dependencies": dependencies,
                "waits_only": tuple(name for name in dependencies if not waits[name]),
                "skippable": skippable,
            }
        )


def _check_instance(pipeline: Pipeline) -> None:
    """Makes sure of the defaults' instance, so that a mistake there is not told of a step."""
    if pipeline.defaults.instance_type is not None:
        try:
            instance_resources(pipeline.defaults.instance_type, pipeline.instances)
        except PartError as error:
            raise PartError(error.message, ("defaults", "instance_type")) from error


def _refuse_unknown(hparams: type[Hparams], name: str, path: Path) -> None:
    leaves = hparams.leaves()
    if name not in leaves:
        raise PartError(
            f"{hparams.__name__} has no hyperparameter {name!r}; {suggestion(name, leaves)}", path, at_key=True
        )


def _jsonable(hparams: type[Hparams], name: str, value: Any, path: Path) -> Any:
    """A constant for a hyperparameter, as JSON has it."""
    _refuse_unknown(hparams, name, path)
    try:
        return hparams.leaf(name).jsonable(value)
    except KftuneError as error:
        raise PartError(str(error).removeprefix(f"{name}: "), path) from error


def _present(hparams: type[Hparams], given: Mapping[str, Any]) -> list[str]:
    """The hyperparameters on a command line: all but those of optional groups that are None and stay so."""
    leaves = hparams.leaves()
    absent = tuple(
        f"{name}."
        for name, leaf in leaves.items()
        if leaf.is_group and leaf.default is None and not any(other.startswith(f"{name}.") for other in given)
    )
    return [name for name, leaf in leaves.items() if not leaf.is_group and not name.startswith(absent)]


def _sorted(waits: Mapping[str, Iterable[str]]) -> list[str]:
    """Names, each after those that it waits for, and else in the order given. There is no cycle."""
    place = {name: index for index, name in enumerate(waits)}
    open_waits = {name: set(others) for name, others in waits.items()}
    followers: dict[str, list[str]] = {}
    for name, others in open_waits.items():
        for other in others:
            followers.setdefault(other, []).append(name)
    ready = [place[name] for name, others in open_waits.items() if not others]
    names, found = list(waits), []
    while ready:
        name = names[heapq.heappop(ready)]
        found.append(name)
        for follower in followers.get(name, ()):
            open_waits[follower].discard(name)
            if not open_waits[follower]:
                heapq.heappush(ready, place[follower])
    return found


def _refuse_cycle(waits: Mapping[str, Iterable[str]], path_of: Any, rule: str) -> None:
    done = set(_sorted(waits))
    left = [name for name in waits if name not in done]
    if not left:
        return
    walked = [left[0]]
    while True:
        walked.append(next(other for other in waits[walked[-1]] if other not in done))
        if walked[-1] in walked[:-1]:
            break
    cycle = walked[walked.index(walked[-1]) :]
    walk = " waits for ".join(name.strip() for name in cycle)
    raise PartError(f"{rule}, but {walk}; take one of these references out", path_of(cycle[0]))
