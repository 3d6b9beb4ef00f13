"""Makes the plan of a pipeline: completes steps, follows references, compares types, and finds the order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kftune.errors import suggestion
from kftune.pipeline.entities import entity_arguments
from kftune.pipeline.instances import instance_resources
from kftune.pipeline.loop import Loop, element_type
from kftune.pipeline.order import in_order, refuse_cycle
from kftune.pipeline.plan import Argument, FixedValue, Node, Plan, with_values
from kftune.pipeline.ports import Input, Parameter, fits, is_artifact, text_of, type_of, typed_value
from kftune.pipeline.references import OutputReference, ParameterReference, Reference
from kftune.pipeline.resolving import Path, Resolver
from kftune.pipeline.shared import SharedFields, filled
from kftune.pipeline.sources import constants, hyperparameters
from kftune.pipeline.steps import EXIT_HAS_NO, StepConfig, TuneStep
from kftune.spec.container import Resources
from kftune.spec.part import PartError, located

# These defaults go to the trials of a tune step; the container that watches over them has its own values.
_TRIALS_ONLY = ("image", "resources", "instance_type", "instance_count")


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The fields of `Pipeline` that its plan depends on."""

    parameters: Mapping[str, Parameter]
    defaults: SharedFields
    instances: Mapping[str, Resources]
    loops: Mapping[str, Loop]
    steps: Mapping[str, StepConfig]
    exit: StepConfig | None


def make_plan(declared: Declared) -> Plan:
    """Returns the plan of a pipeline.

    Raises:
        PartError: Its parts do not fit together.
    """
    return _Planner(declared).plan()


class _Planner:
    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._check_instance()
        self._steps = {name: self._complete(step, ("steps", name)) for name, step in declared.steps.items()}
        exit_name = declared.exit.name if declared.exit else None
        self._resolver = Resolver(
            parameters=declared.parameters, loops=declared.loops, steps=self._steps, exit_name=exit_name
        )
        self._parameters = dict(declared.parameters)

    def plan(self) -> Plan:
        for name, loop in self._declared.loops.items():
            self._check_items(name, loop)
        drafts = {}
        for name, step in self._steps.items():
            self._check_loop(step, ("steps", name, "for_each"))
            drafts[name] = self._draft(step, ("steps", name))
        waits = {name: self._waits_for(draft) for name, draft in drafts.items()}
        refuse_cycle(waits, lambda name: ("steps", name), "steps must not wait for one another")
        nodes: dict[str, Node] = {}
        for name in self._order(waits):
            nodes[name] = self._placed(drafts[name], waits[name], nodes)
        return Plan(nodes, self._exit(), self._parameters)

    # -- completing a step -----------------------------------------------------------------------------------------

    def _check_instance(self) -> None:
        """Checks the instance type of the defaults here, so that no step is blamed for it."""
        kind = self._declared.defaults.instance_type
        if kind is not None:
            with located("defaults", "instance_type"):
                instance_resources(kind, self._declared.instances)

    def _complete(self, step: StepConfig, path: Path) -> StepConfig:
        """Returns the step with the defaults filled in, also for the trials of a tune step."""
        defaults, instances = self._declared.defaults, self._declared.instances
        with located(*path):
            complete = filled(step, defaults, instances, _TRIALS_ONLY if isinstance(step, TuneStep) else ())
            _check_share(complete)
            return self._with_trials(complete) if isinstance(complete, TuneStep) else complete

    def _with_trials(self, step: TuneStep) -> TuneStep:
        """Returns the tune step with its constants in the study, and the defaults filled in for the trials."""
        trial = filled(step.study.step, self._declared.defaults, self._declared.instances)
        values = constants(step)
        with located("values"):
            study = with_values(step.study.model_copy(update={"step": trial}), values)
        return step.model_copy(update={"study": study})

    # -- what a step gets ------------------------------------------------------------------------------------------

    def _draft(self, step: StepConfig, path: Path) -> Node:
        """Returns the node without what depends on its place among the others."""
        given = {name: self._input(step, name, value, (*path, "inputs", name)) for name, value in step.inputs.items()}
        searched = hyperparameters(step, path, self._resolver, self._parameters)
        return Node(
            name=step.name,
            step=step,
            arguments={**given, **{argument.name: argument for argument in searched}, **entity_arguments(step)},
            outputs=step.outputs,
            condition=step.when,
            condition_types=self._compared(step, (*path, "when")),
            loop=step.for_each,
        )

    def _exit(self) -> Node | None:
        step = self._declared.exit
        if step is None:
            return None
        if isinstance(step, TuneStep):
            raise PartError("the exit step cannot be a tune step; use a container step", ("exit",))
        for name in EXIT_HAS_NO:
            if getattr(step, name):
                message = f"the exit step always runs, once, at the end; remove {name!r}"
                raise PartError(message, ("exit", name), at_key=True)
        return self._draft(self._complete(step, ("exit",)), ("exit",))

    def _compared(self, step: StepConfig, path: Path) -> tuple[str, str] | None:
        """Returns the types of the two sides of its condition."""
        if step.when is None:
            return None
        left, right = (
            self._resolver.resolve(step, side, path).type if isinstance(side, Reference) else type_of(side)
            for side in (step.when.left, step.when.right)
        )
        with located(*path):
            step.when.check(left, right)
        return left, right

    def _input(self, step: StepConfig, name: str, given: Input, path: Path) -> Argument:
        if not isinstance(given.value, Reference):
            own = given.type or type_of(given.value)
            _check_absence(given, own, False, path)
            value = typed_value(given.value, own)
            return Argument(name=name, type=own, source=FixedValue(value, text_of(given.value)))
        found, fan_in, element = self._resolver.resolve(step, given.value, path)
        if given.type is not None and not fits(found, given.type):
            raise PartError(
                f"{name} is of type {given.type}, but {given.value} is of type {found}; "
                f"remove the type, or refer to another output",
                (*path, "type"),
            )
        wanted = given.type or found
        _check_absence(given, wanted, isinstance(given.value, OutputReference), path)
        default = None if given.default is None else typed_value(given.default, wanted)
        return Argument(
            name=name,
            type=wanted,
            source=given.value,
            default=default,
            optional=given.optional,
            fan_in=fan_in,
            element=element,
        )

    # -- loops -----------------------------------------------------------------------------------------------------

    def _check_loop(self, step: StepConfig, path: Path) -> None:
        known = self._declared.loops
        if step.for_each is not None and step.for_each not in known:
            hint = suggestion(step.for_each, known)
            raise PartError(f"for_each names one of loops, but there is none {step.for_each!r}; {hint}", path)

    def _check_items(self, name: str, loop: Loop) -> None:
        """Checks that the source of a loop's items is a list of such items, if that is known."""
        member = next((step for step in self._steps.values() if step.for_each == name), None)
        if loop.source is None or member is None:
            return
        path = ("loops", name, "items")
        found, _, element = self._resolver.resolve(member, loop.source, path)
        if found != "list":
            raise PartError(f"items is a list, but {loop.source} is of type {found}", path)
        if isinstance(loop.source, ParameterReference):
            default = self._declared.parameters[loop.source.name].value
            element = element_type(default, path) if default else None
        wanted = loop.type_of(None)
        if element is not None and not fits(element, wanted):
            hint = "fields: {NAME: TYPE}" if element == "dict" else f"item: {element}"
            raise PartError(f"items are of type {wanted}, but those of {loop.source} are {element}; add {hint}", path)

    # -- all steps -------------------------------------------------------------------------------------------------

    def _waits_for(self, node: Node) -> dict[str, bool]:
        """Returns the steps that must end before this one starts, and whether it takes something from each."""
        sources = [argument.source for argument in node.arguments.values()]
        sources += node.condition.references if node.condition else ()
        if node.loop is not None and (source := self._declared.loops[node.loop].source):
            sources.append(source)
        waits = {source.step: True for source in sources if isinstance(source, OutputReference)}
        for index, name in enumerate(node.step.after):
            waits.setdefault(self._resolver.known(name, node.name, ("steps", node.name, "after", index)), False)
        return waits

    def _order(self, waits: Mapping[str, Mapping[str, bool]]) -> list[str]:
        """Returns the steps, each after those it waits for, otherwise as written; the steps of a loop are together."""
        group_of = {name: step.for_each or name for name, step in self._steps.items()}
        groups: dict[str, list[str]] = {}
        for name, group in group_of.items():
            groups.setdefault(group, []).append(name)
        between = {
            group: dict.fromkeys(
                group_of[other] for name in members for other in waits[name] if group_of[other] != group
            )
            for group, members in groups.items()
        }
        refuse_cycle(
            between,
            lambda group: ("loops" if group in self._declared.loops else "steps", group),
            "a loop runs as a whole, so its steps and others must not wait for one another",
        )
        within = {
            group: {name: [other for other in waits[name] if group_of[other] == group] for name in members}
            for group, members in groups.items()
        }
        return [name for group in in_order(between) for name in in_order(within[group])]

    def _placed(self, draft: Node, waits: Mapping[str, bool], before: Mapping[str, Node]) -> Node:
        """Returns the node with what depends on its place among the others."""
        dependencies = tuple(name for name in before if name in waits)
        needed = {
            argument.source.step
            for argument in draft.arguments.values()
            if isinstance(argument.source, OutputReference)
            and argument.default is None
            and not argument.optional
            and not argument.fan_in
        }
        if draft.loop is not None and isinstance(source := self._declared.loops[draft.loop].source, OutputReference):
            needed.add(source.step)
        return replace(
            draft,
            dependencies=dependencies,
            waits_only=tuple(name for name in dependencies if not waits[name]),
            skippable=draft.condition is not None or any(before[name].skippable for name in needed),
        )


def _check_absence(given: Input, wanted: str, may_lack: bool, path: Path) -> None:
    """Checks that an input has `default` or `optional` only if they have a meaning."""
    if (given.default is not None or given.optional) and not may_lack:
        name = "optional" if given.optional else "default"
        raise PartError(
            f"{name} is for an input that comes from a step; remove it",
            (*path, name),
            at_key=True,
        )
    if given.optional and not is_artifact(wanted):
        raise PartError("optional is for artifacts; for a parameter, use default", (*path, "optional"), at_key=True)
    if given.default is None:
        return
    if is_artifact(wanted):
        raise PartError("an artifact cannot have a default; use optional: true", (*path, "default"), at_key=True)
    with located(*path, "default"):
        typed_value(given.default, wanted)


def _check_share(step: StepConfig) -> None:
    """Checks that other pods can read and write the volume of `share`."""
    if step.share is None:
        return
    names = [volume.name for volume in step.volumes]
    if step.share not in names:
        hint = suggestion(step.share, names) if names else "give it volumes: [{name: …, claim: …, mount: …}]"
        raise PartError(f"share names one of the step's volumes, but none is {step.share!r}; {hint}", ("share",))
    volume = step.volumes[names.index(step.share)]
    if volume.claim is None:
        raise PartError(f"share needs a volume with a claim, but {step.share!r} has none", ("share",))
    if volume.read_only:
        raise PartError(
            f"the step writes to the volume of share, but {step.share!r} is read_only; remove that", ("share",)
        )
