"""The study of one entity, made of a study for each of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kftune.errors import StudyError
from kftune.spec.part import PartError, located
from kftune.study.entities import Entity, filled, filled_text, names_entity

if TYPE_CHECKING:
    from kftune.study.model import Study
    from kftune.study.step import Step

_ENTITY = "${entity}"
_LONGEST_NAME = 200
_TEXTS_OF_STEP = ("command", "args", "env", "working_dir")
_PLACES = "values, apply, and command, args, env, working_dir and data of the step"


def study_of(study: Study, entity: Entity) -> Study:
    """Returns the study of one entity: with its values in place of the references, and without `for_each`.

    Its name ends with that of the entity. If the study has a seed, the seed of each entity is made from it.

    Args:
        study: The study for each entity.
        entity: The entity.

    Raises:
        StudyError: It is invalid with the values of this entity.
    """
    algorithm = study.algorithm
    if algorithm.seed is not None:
        algorithm = algorithm.replace(seed=_seed(algorithm.seed, entity.name))
    changed: dict[str, Any] = {"name": name_for(study.name, entity.name), "algorithm": algorithm, "for_each": None}
    with located("step"):
        changed["step"] = _step(study.step, entity)
    if study.apply is not None:
        with located("apply"):
            changed["apply"] = study.apply.replace(
                to=filled_text(study.apply.to, entity),
                at=filled_text(study.apply.at or _ENTITY, entity._replace(name=entity.path)),
            )
    if not names_entity(study.values):
        return study.model_copy(update=changed)
    return study.replace(values=values_for(study, entity), **changed)


def values_for(study: Study, entity: Entity) -> dict[str, Any]:
    """Returns the fixed values of a study, with those of an entity in place of the references.

    Args:
        study: The study for each entity.
        entity: The entity.

    Raises:
        PartError: The entity has not what a reference names.
    """
    found = {}
    for name, value in study.values.items():
        with located("values", name):
            found[name] = filled(value, entity)
    return found


def check_entities(study: Study) -> None:
    """Checks the study of each entity.

    Raises:
        PartError: One is invalid, nothing in the study names the entity, or a place names it that does not get it.
    """
    if study.for_each is None:
        return
    for entity in study.for_each.entities:
        try:
            study_of(study, entity)
        except StudyError as error:
            path = error.path if isinstance(error, PartError) else ("values",)
            raise PartError(f"{entity.name}: {error.message.removeprefix('values.')}", path) from error
    step, place = study.step, study.apply
    if not names_entity(
        ([getattr(step, key) for key in _TEXTS_OF_STEP], step.data.path, step.data.mount, study.values)
    ):
        raise PartError(
            f"trials must know their entity, but nothing in the study names it; for example values: "
            f"{{NAME: '{_ENTITY}'}}, or args: ['--entity={_ENTITY}'] of the step",
            ("for_each",),
        )
    whole = study.model_dump(exclude={"for_each", "values", "apply", "description"}, exclude_defaults=True)
    for key in (*_TEXTS_OF_STEP, "data"):
        whole["step"].pop(key, None)
    found = next((path for path in _paths(whole) if path), None)
    if found is not None:
        raise PartError(f"the entity is known to {_PLACES}; not here", found)
    if place is not None and place.at and not names_entity((place.at, place.to)):
        raise PartError(
            f"each entity has its own place, but {place.at!r} is one for all; leave out at, or name the entity in it: "
            f"{_ENTITY}",
            ("apply", "at"),
        )


def refuse_entities(study: Study, what: str) -> None:
    """Refuses a study that has entities, where one study is needed.

    Args:
        study: The study.
        what: What needs it, as the beginning of a sentence.

    Raises:
        StudyError: It has entities.
    """
    if study.for_each is not None:
        count = len(study.for_each.entities)
        raise StudyError(
            f"{what} takes one study, but {study.name!r} is one for each of {count} entities (for_each); take that of "
            f"one entity, with for_entity({study.for_each.entities[0].name!r}), or leave for_each out"
        )


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Returns the keys that lead to each text that names the entity."""
    if isinstance(value, str):
        return [path] if names_entity(value) else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    return [found for key, each in inner for found in _paths(each, (*path, key))]


def _step(step: Step, entity: Entity) -> Step:
    changed: dict[str, Any] = {}
    for key in _TEXTS_OF_STEP:
        given = getattr(step, key)
        if "${" in str(given):
            with located(key):
                changed[key] = _texts(given, entity)
    data = {key: filled_text(text, entity) for key, text in step.data.model_dump(exclude_none=True).items()}
    if data:
        changed["data"] = step.data.replace(**data)
    return step.replace(**changed) if changed else step


def _texts(given: Any, entity: Entity) -> Any:
    """Returns a text, or a list or mapping of texts, with the entity in place of its references."""
    if isinstance(given, str):
        return filled_text(given, entity)
    if isinstance(given, dict):
        return {key: filled_text(text, entity) for key, text in given.items()}
    return tuple(filled_text(text, entity) for text in given)


def name_for(study: str, entity: str) -> str:
    """Returns the name of the study of one entity.

    Args:
        study: The name of the study for each of them.
        entity: The name of the entity.
    """
    name = f"{study} {entity}"
    if len(name) <= _LONGEST_NAME:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}-{mark}"


def _seed(seed: int, entity: str) -> int:
    """Returns the seed of an entity: with the same one, all entities would try the same points."""
    digest = hashlib.sha256(f"{seed} {entity}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
