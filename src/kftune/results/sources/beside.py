"""Finds the study of an Experiment among the files of a folder, so that its class can type the values.

Nobody has named that study, and it may have come with the dump: none of its modules is imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kftune.errors import KftuneError
from kftune.hparams.imports import watched_imports
from kftune.results.sources.through_study import entity_of, through_study
from kftune.results.trials import Trials
from kftune.runs import YAML_SUFFIXES
from kftune.spec.kind import kind_of_file
from kftune.study import load_study
from kftune.study.each import name_for

_MOST_BYTES = 200_000
"""A study is shorter; a dump of a cluster is often longer."""


def through_study_in(folder: Path, trials: Trials, is_name_of: Callable[[str, str], bool]) -> Trials:
    """Returns the trials of an Experiment typed through the study in a folder that it was rendered from.

    That is the study whose Experiment has this name, and which has all its parameters; of a study with entities, that
    of the Experiment's entity. Without one, or with several, or if it cannot be loaded, the trials are returned as they
    are; a note says so, unless there is none. Its class is one of kftune, or is read from its source.

    Args:
        folder: The folder; those in it are not searched.
        trials: The trials, as a dump or a cluster has them.
        is_name_of: Returns whether a render gives an Experiment that name for a text.
    """
    entity = entity_of(trials)

    def fits(path: Path) -> bool:
        name = _experiment_of(path, entity)
        return name is not None and is_name_of(trials.meta.name, name)

    found = [path for path in sorted(folder.glob("*")) if path.suffix in YAML_SUFFIXES and fits(path)]
    if not found:
        return trials
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        return _noted(trials, f"several studies have the name of this Experiment: {names}; choose one with --study")
    try:
        with watched_imports(refused=True) as watch:
            study = load_study(found[0])
            study = study if entity is None else study.for_entity(entity)
    except KftuneError as error:
        if watch.unread:
            return _noted(
                trials,
                f"{found[0]} has the name of this Experiment; its code was not run to type the values: "
                f"{watch.unread[0]}; if you trust it: --study {found[0]}",
            )
        return _noted(trials, f"{found[0]} has the name of this Experiment, but does not type its values: {error}")
    strange = sorted({*trials.meta.space} - {*study.leaves})
    if strange:
        return _noted(
            trials,
            f"{found[0]} has the name of this Experiment, but not its parameters {', '.join(strange)}, so it does not "
            f"type the values; give the study that it was rendered from with --study",
        )
    return _noted(through_study(trials, study), f"values have the types of {found[0]}; another study: --study FILE")


def _noted(trials: Trials, note: str) -> Trials:
    trials.notes = [*trials.notes, note]
    return trials


def _experiment_of(path: Path, entity: str | None) -> str | None:
    """Returns the text that names the Experiment of a study; None if the file is none for this entity, or for none."""
    try:
        if path.stat().st_size > _MOST_BYTES or not re.search(rb"^name:", path.read_bytes(), re.MULTILINE):
            return None
        kind, study = kind_of_file(path)
    except (OSError, KftuneError):
        return None  # another program's file
    if kind.name != "study" or not isinstance(study, Mapping) or ("for_each" in study) != (entity is not None):
        return None
    named: Any = study
    for key in ("targets", "katib", "name"):
        named = named.get(key) if isinstance(named, Mapping) else None
    name = named if isinstance(named, str) else str(study.get("name"))
    return name if entity is None else name_for(name, entity)
