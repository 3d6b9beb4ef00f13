"""Renders a study for each entity: one Experiment for each of them, and what they share on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kftune.errors import RenderError
from kftune.render.algorithm import counts, study_search
from kftune.render.on_katib import on_katib
from kftune.render.pods import group_labels
from kftune.render.rendering import Rendering
from kftune.spec.labels import ENTITY_LABEL, label_value
from kftune.study import Study
from kftune.study.each import name_for
from kftune.study.entities import Entity
from kftune.study.for_each import ForEach
from kftune.study.shared_limits import not_shared, shared_parallel, too_many_trials

_MOST_NAMED = 3


def render_entities(study: Study, renderer: Callable[[Study], Rendering]) -> Rendering:
    """Renders the Experiments of all entities.

    Args:
        study: A study with entities.
        renderer: Renders the study of one.

    Raises:
        RenderError: Katib cannot express the study of an entity, or cannot keep what they share.
    """
    each = study.for_each
    if each is None:
        raise TypeError(f"{study.name} has no entities")
    documents: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    for entity in each.entities:
        made = entity_study(study, entity)
        try:
            rendering = renderer(made)
        except RenderError as error:
            raise RenderError(f"{entity.name}: {error}", *error.places) from error
        for document in rendering.documents:
            name = document["metadata"]["name"]
            if names.setdefault(name, entity.name) != entity.name:
                raise RenderError(
                    f"each Experiment has a name of its own, but those of {names[name]} and {entity.name} are both "
                    f"{name}; rename an entity, or the study"
                )
        documents += rendering.documents
        for note in rendering.notes:
            notes.setdefault(note, []).append(entity.name)
    check_shared(study, each)
    return Rendering(documents, [*_about_shared(study, each), *_merged(notes, len(each.entities))])


def entity_study(study: Study, entity: Entity) -> Study:
    """Returns the study of one entity as a cluster runs it: with labels that name the entity.

    Args:
        study: A study with entities.
        entity: The entity.

    Raises:
        RenderError: The study has such a label already.
    """
    found = study.for_entity(entity.name)
    label = {ENTITY_LABEL: label_value(entity.name)}
    target, step = found.targets.katib, found.step
    for where, given in (("targets.katib.labels", target.labels), ("step.labels", step.labels)):
        if ENTITY_LABEL in given:
            raise RenderError(f"{where} must not have {ENTITY_LABEL}, which has the entity; use another key")
    katib = target.model_copy(
        update={
            "name": None,
            "labels": {**group_labels(study.name), **target.labels, **label},
            "annotations": {**target.annotations, ENTITY_LABEL: entity.name},
        }
    )
    named = {} if target.name is None else {"name": name_for(target.name, entity.name)}
    targets = found.targets.model_copy(update={"katib": katib})
    return found.model_copy(update={**named, "targets": targets}).with_step(labels={**step.labels, **label})


def check_shared(study: Study, each: ForEach) -> None:
    """Checks that the entities together have no more trials than they share: nothing on a cluster counts them.

    Args:
        study: The study.
        each: Its entities.

    Raises:
        RenderError: They have more.
    """
    there = on_katib(study)
    problem = too_many_trials(each, counts(there, study_search(there)).max_trials, "nothing on a cluster")
    if problem:
        raise RenderError(problem, ("for_each", "budget", "max_trials"))


def _about_shared(study: Study, each: ForEach) -> Iterator[str]:
    count, at_once = len(each.entities), study.budget.at_once
    queue = study.step.queue
    shared = shared_parallel(study, each)
    if queue is None:
        bound = (
            f"nothing keeps them to {shared}: set step.queue to a LocalQueue of Kueue, or run the study in a pipeline, "
            f"whose loop runs a few entities at a time"
        )
    else:
        bound = f"the quota of the ClusterQueue behind the LocalQueue {queue} bounds them, not for_each.budget.parallel"
    if count * at_once > shared:
        yield (
            f"{count} Experiments start together, with up to {at_once} trials each at a time, {count * at_once} in "
            f"all, and {count} pods of their algorithms; {bound}"
        )
    yield from not_shared(each, "a cluster")


def _merged(notes: Mapping[str, list[str]], count: int) -> Iterator[str]:
    """Yields each note once: as it is if it is about all entities, otherwise with those that it is about."""
    for note, names in notes.items():
        if len(names) == count:
            yield note
            continue
        more = len(names) - _MOST_NAMED
        yield f"{', '.join(names[:_MOST_NAMED])}{f' and {more} more' if more > 0 else ''}: {note}"
