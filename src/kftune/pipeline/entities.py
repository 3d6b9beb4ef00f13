"""Makes a loop of a tune step whose study has entities: it runs once for each of them, a few at a time.

The values and arguments of a trial that name the entity become fields of the loop's items. The study in the step has
those of the first entity; the item's replace them in a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kftune.errors import KftuneError
from kftune.pipeline.loop import Loop
from kftune.pipeline.names import LONGEST_STEP, plain
from kftune.pipeline.plan import ENTITY_AS_LABEL, ENTITY_NAME, ENTITY_SEED, Argument
from kftune.pipeline.ports import hparam_type
from kftune.pipeline.references import item, write_value
from kftune.pipeline.steps import StepConfig, TuneStep
from kftune.spec.labels import label_value
from kftune.spec.part import PartError, located
from kftune.study import Study
from kftune.study.entities import Entity, filled_text, names_entity
from kftune.study.for_each import ForEach
from kftune.study.shared_limits import shared_parallel, too_many_trials
from kftune.study.values import flat_values

_NAME, _LABEL, _SEED = "entity", "label", "seed"

_SUFFIX = "-entities"
_ARGUMENT = re.compile(r"--([A-Za-z][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_ELSEWHERE = ("command", "env", "working_dir", "data")


class Looped(NamedTuple):
    """A tune step and the loop in which it runs."""

    step: TuneStep
    loop_name: str
    loop: Loop


def loops_of_entities(steps: Mapping[str, StepConfig], loops: Mapping[str, Loop]) -> Iterator[Looped]:
    """Yields the tune steps whose studies have entities, each in a loop over them.

    Args:
        steps: The steps of a pipeline, by name.
        loops: Its loops, by name.

    Raises:
        PartError: A step cannot run that way; the path begins at the pipeline.
    """
    for name, step in steps.items():
        if isinstance(step, TuneStep) and step.study.for_each is not None:
            with located("steps", name):
                yield _looped(name, step, step.study.for_each, loops)


def entity_arguments(step: StepConfig) -> dict[str, Argument]:
    """Returns what a tune step that runs for each entity gets to know of it, beside its values.

    Args:
        step: Any step.
    """
    if not isinstance(step, TuneStep) or step.entities is None:
        return {}
    fields = {ENTITY_NAME: _NAME, ENTITY_AS_LABEL: _LABEL}
    if step.study.algorithm.seed is not None:
        fields[ENTITY_SEED] = _SEED
    return {name: Argument(name=name, type="str", source=item(field), role="entity") for name, field in fields.items()}


def first_entity(step: StepConfig) -> dict[str, str]:
    """Returns the text of each of `entity_arguments` for the first entity, to look at what is rendered for all.

    Args:
        step: Any step.
    """
    if not isinstance(step, TuneStep) or step.entities is None:
        return {}
    name = step.entities.entities[0].name
    return {ENTITY_NAME: name, ENTITY_AS_LABEL: label_value(name), ENTITY_SEED: str(step.study.algorithm.seed)}


def _looped(name: str, step: TuneStep, each: ForEach, loops: Mapping[str, Loop]) -> Looped:
    study, loop_name = step.study, f"{name[: LONGEST_STEP - len(_SUFFIX)]}{_SUFFIX}"
    if step.for_each is not None:
        raise PartError(
            "a tune step whose study has entities is a loop over them, so it cannot be in another one; remove "
            "for_each here, or take it from the study: overrides: [~for_each]",
            ("for_each",),
            at_key=True,
        )
    if loop_name in loops:
        raise PartError(f"its loop over entities has the name {loop_name!r}, which another loop has; rename that one")
    problem = too_many_trials(each, study.budget.max_trials, "nothing in a pipeline")
    if problem:
        raise PartError(problem, ("study",))
    names = [given for given, _ in flat_values(study.hparams, step.values)]
    values = {
        f"value_{plain(hparam)}": hparam
        for hparam, value in flat_values(study.hparams, study.values)
        if names_entity(value) and hparam not in names
    }
    tokens = _tokens(step)
    items = [_item(study, entity, values, tokens) for entity in each.entities]
    shared = shared_parallel(study, each)
    try:
        loop = Loop(items=write_value(items), parallel=max(1, shared // study.budget.at_once))
    except KftuneError as error:
        raise PartError(
            f"in a pipeline the entities are items of a loop: {getattr(error, 'message', error)}", ("study",)
        ) from error
    return Looped(_step(step, values, tokens, loop_name, shared), loop_name, loop)


def _tokens(step: TuneStep) -> dict[str, str]:
    """Returns the arguments of the trials that name the entity: input of the step -> text after the ``=``.

    Raises:
        PartError: The entity is named where only a study that runs by itself gets it.
    """
    trial, found = step.study.step, {}
    given: dict[str, Any] = {key: getattr(trial, key) for key in _ELSEWHERE if key != "data"}
    given["data"] = (trial.data.path, trial.data.mount)
    place = next((key for key in _ELSEWHERE if names_entity(given[key])), None)
    for token in trial.args if place is None else ():
        if not names_entity(token):
            continue
        match = _ARGUMENT.fullmatch(token)
        if match is None or trial.arguments is not None or names_entity(token.partition("=")[0]):
            place = "args"
            break
        found[match[1]] = match[2]
    if place is not None:
        raise PartError(
            f"in a pipeline, trials get their entity through values, or an argument --NAME=${{entity}}, but the study "
            f"names it in step.{place}; move it, or run the study by itself",
            ("study",),
        )
    taken = next((name for name in found if name in step.inputs), None)
    if taken is not None:
        raise PartError(f"--{taken} names the entity in args of the study, and is an input too; remove it", ("inputs",))
    return found


def _item(study: Study, entity: Entity, values: Mapping[str, str], tokens: Mapping[str, str]) -> dict[str, Any]:
    own = study.for_entity(entity.name)
    found: dict[str, Any] = {_NAME: entity.name, _LABEL: label_value(entity.name)}
    if own.algorithm.seed is not None:
        found[_SEED] = str(own.algorithm.seed)
    for field, name in values.items():
        leaf = own.hparams.leaf(name)
        is_text = hparam_type(own.hparams, name) == "str"
        found[field] = own.fixed[name] if is_text else leaf.jsonable(own.fixed_values[name])
    return found | {f"input_{name}": filled_text(text, entity) for name, text in tokens.items()}


def _step(
    step: TuneStep, values: Mapping[str, str], tokens: Mapping[str, str], loop_name: str, shared: int
) -> TuneStep:
    study = step.study
    each = study.for_each
    assert each is not None  # noqa: S101  # the caller checked that
    first = study.for_entity(each.entities[0].name)
    kept = tuple(token for token in study.step.args if not names_entity(token))
    template = first.replace(name=study.name, budget=study.budget.replace(parallel=min(study.budget.at_once, shared)))
    changed = step.replace(
        study=template.with_step(args=kept),
        overrides=(),
        for_each=loop_name,
        values={**step.values, **{name: item(field) for field, name in values.items()}},
        inputs={**step.inputs, **{name: {"value": item(f"input_{name}")} for name in tokens}},
    )
    return changed.model_copy(update={"name": step.name, "overrides": step.overrides}).of_entities(each)
