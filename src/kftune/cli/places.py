"""Finds a study's results: ``runs/NAME`` beside its file, or the folder that was given."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.cli.arguments import a_path, a_source
from kftune.errors import StoreError, StudyError, UsageError
from kftune.results import Trials, open_results, slug
from kftune.results.entities import EntitiesFolder, Listed
from kftune.results.sources.hints import Hints
from kftune.runs import RUNS, YAML_SUFFIXES

if TYPE_CHECKING:
    from kftune.spec.kind import KindName
    from kftune.study import Study

DEFAULT = f"{RUNS}/NAME beside the file"
"""Where results are if no folder is given, for the help of a command."""


def add_results_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments that name a study's results."""
    parser.add_argument(
        "study",
        type=a_source,
        help="study or Experiment file, the folder of its results, a file with trials (JSON, CSV, YAML, Optuna, ZIP), "
        "or katib:NAMESPACE/NAME",
    )
    parser.add_argument("--dir", type=a_path, help=f"folder of the results (default: {DEFAULT})")
    parser.add_argument(
        "--entity", metavar="NAME", help="of the results of a study with for_each: those of this entity"
    )
    add_source_options(parser)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Declares the options that say what a file of trials does not."""
    parser.add_argument(
        "--study",
        dest="through",
        type=a_path,
        metavar="FILE",
        help="with a file of trials: the study that they are of; its class gives the values their types (default: for "
        "an Experiment, the study of its name beside it)",
    )
    parser.add_argument("--objective", metavar="NAME", help="with a CSV: the column to optimize")
    parser.add_argument(
        "--metrics",
        type=_names,
        default=(),
        metavar="NAMES",
        help="with a CSV: further columns that are metrics, not hyperparameters, such as accuracy,seconds",
    )
    parser.add_argument("--direction", choices=["minimize", "maximize"], help="with a CSV: which values are better")
    parser.add_argument("--study-name", metavar="NAME", help="with a storage of Optuna: the study, if it has several")


def _names(text: str) -> tuple[str, ...]:
    """Returns the names in a list with commas."""
    return tuple([name for name in map(str.strip, text.split(",")) if name])


def open_given(arguments: argparse.Namespace) -> Trials:
    """Returns the trials that a command line names; use it in a `with` statement. Prints what a reader has to know.

    Raises:
        UsageError: The file is of another kind.
        StudyError: The file has no name.
        StoreError: There are no results.
        OSError: The file does not exist.
    """
    through: Path | None = arguments.through
    if through is None:
        hints = Hints(arguments.objective, arguments.direction, arguments.study_name, columns=arguments.metrics)
        found = _opened(arguments, hints)
        if found.folder is None:
            _check_entity(arguments, found)
        if found.folder is None and found.meta.experiment is not None:
            from kftune.render.names import is_name_of
            from kftune.results.sources.beside import through_study_in

            found = through_study_in(_folder_of(arguments.study), found, is_name_of)
    else:
        found = _typed(arguments, through)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    return found


def _folder_of(source: Path) -> Path:
    """Returns the folder of a file; the current one for an address on a cluster."""
    return source.parent if source.exists() else Path()


def _check_entity(arguments: argparse.Namespace, found: Trials) -> None:
    """Checks that trials which do not lie in a folder of results are of the entity that was given.

    Raises:
        UsageError: They are of another one, or it is not known of which.
    """
    from kftune.results.sources.through_study import entity_of

    given, own = getattr(arguments, "entity", None), entity_of(found)
    if given is None or given == own:
        return
    if own is None:
        raise UsageError(
            f"--entity is {given}, but {arguments.study} does not say of which entity its trials are; give the study "
            f"with entities that they are of with --study, or leave --entity out"
        )
    raise UsageError(
        f"--entity is {given}, but the trials of {arguments.study} are of the entity {own}; leave --entity out"
    )


def open_several_given(arguments: argparse.Namespace, place: Path) -> list[Trials]:
    """Returns the trials that one place of a command line has: of a folder of folders with results, those of each.

    Args:
        arguments: The options of `add_source_options`.
        place: A folder, a pattern of paths, the file of a study, or what `open_given` takes.

    Raises:
        UsageError: The file is of another kind.
        StoreError: There are no results.
        OSError: The file does not exist.
    """
    from kftune.results.sources.many import inner_results

    if any(mark in str(place) for mark in "*?[") and not place.exists():
        places = sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
        if not places:
            raise StoreError("no file or folder has such a path", str(place))
        return [each for one in places for each in open_several_given(arguments, one)]
    inner = inner_results(place if place.is_dir() else _results_of_file(place))
    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_given(argparse.Namespace(**{**vars(arguments), "study": each, "dir": None})))
            for each in inner or [place]
        ]
        stack.pop_all()
    return opened


def open_place(place: Path) -> list[Trials]:
    """Returns what `open_several_given` does for a place without any option.

    Args:
        place: A folder, a pattern of paths, the file of a study, or what `open_given` takes.

    Raises:
        UsageError: The file is of another kind.
        StoreError: There are no results.
        OSError: The file does not exist.
    """
    parser = argparse.ArgumentParser()
    add_source_options(parser)  # so that no option of the readers lacks its default here
    return open_several_given(parser.parse_args([]), place)


def _results_of_file(file: Path) -> Path:
    """Returns the folder that the results of a study file have; the file itself if it has none."""
    if file.suffix not in YAML_SUFFIXES or not file.is_file():
        return file
    from kftune.spec.kind import kind_of_file

    kind, value = kind_of_file(file)
    name = value.get("name") if kind.name == "study" and isinstance(value, Mapping) else None
    return _beside(file, slug(name)) if isinstance(name, str) else file


def _typed(arguments: argparse.Namespace, through: Path) -> Trials:
    from kftune.results.sources.through_study import through_study
    from kftune.study import load_study

    study = load_study(through)
    objective, direction = (
        arguments.objective or study.objective.metric,
        arguments.direction or study.objective.direction,
    )
    hints = Hints(objective, direction, arguments.study_name, tuple(study.reductions), arguments.metrics)
    found = _opened(arguments, hints)
    return found if found.folder is not None else through_study(found, _of_entity(arguments, study, found))


def _of_entity(arguments: argparse.Namespace, study: Study, found: Trials) -> Study:
    """Returns the study that trials are of: of one with entities, that of their entity.

    Raises:
        UsageError: Their entity is not known, or another one was given.
        UnknownNameError: The study has no such entity.
    """
    from kftune.results.sources.through_study import entity_of

    if study.for_each is None or found.meta.experiment is not None:
        _check_entity(arguments, found)
    if study.for_each is None:
        return study
    entity = getattr(arguments, "entity", None) or entity_of(found)
    if entity is None:
        raise UsageError(
            f"the study {study.name} has entities, and {arguments.study} does not say of which its trials are; give "
            f"--entity, such as {study.for_each.entities[0].name}"
        )
    return study.for_entity(entity)


def _opened(arguments: argparse.Namespace, hints: Hints) -> Trials:
    study: Path = arguments.study
    if str(study).startswith("katib:") and not study.exists():
        from kftune.cli.live import open_live

        return open_live(str(study))
    # A YAML file that is not there is reported as a study, which most of them are.
    if (
        arguments.dir is None
        and study.suffix
        and not study.is_dir()
        and (study.is_file() or study.suffix not in YAML_SUFFIXES)
    ):
        from kftune.results.sources.find import SUFFIXES, trials_in

        found = trials_in(study, hints) if study.suffix in SUFFIXES else None
        if found is not None:
            return found
    if arguments.dir is not None or study.is_dir():
        return _open_folder(arguments.dir or study, arguments)
    name = slug(_name(study))
    folder = _beside(study, name)
    earlier = _in_current_folder(folder, name)
    if earlier is not None and not folder.exists():
        raise StoreError(
            f"there are no results here, but the current folder has some of that name: give {earlier}", str(folder)
        )
    return _open_folder(folder, arguments)


def _open_folder(folder: Path, arguments: argparse.Namespace) -> Trials:
    """Opens the results in a folder, or those of the entity that a command line chooses."""
    # A command that takes several studies has no --entity.
    entity, is_choosable = getattr(arguments, "entity", None), hasattr(arguments, "entity")
    entities = EntitiesFolder(folder)
    if not entities.exists:
        check_no_entity(entity, folder)
        return open_results(folder)
    if entity is None:
        first, *others = entities.entities()
        which = f"--entity {first.name}, or the folder {entities.of(first)}"
        which = which if is_choosable else f"give its folder, such as {entities.of(first)}"
        raise UsageError(
            f"{folder} has results of {1 + len(others)} entities, so say which: {which}; kftune best, status and "
            f"results print all of them"
        )
    found = entities.open(entities.entity(entity))
    if found is None:
        raise StoreError(f"the entity {entity} has no trial yet", str(folder))
    return found


def check_no_entity(entity: str | None, place: Path) -> None:
    """Checks that a command line chooses no entity where there is none.

    Args:
        entity: What it chooses.
        place: Where the results of one study are.

    Raises:
        UsageError: It chooses one.
    """
    if entity is not None:
        raise UsageError(f"--entity chooses among the results of a study with for_each, but {place} has none")


def given_entities(arguments: argparse.Namespace) -> EntitiesFolder | None:
    """Returns the results of all entities, if a command line names such, and no entity; else None.

    Args:
        arguments: The command line.
    """
    if arguments.entity is not None:
        return None
    found = entities_of(arguments)
    return found if found is not None and found.exists else None


def given_entity(arguments: argparse.Namespace) -> Listed | None:
    """Returns the entity that a command line names; None if it names none.

    Raises:
        UnknownNameError: There is no such entity.
    """
    if arguments.entity is None:
        return None
    found = entities_of(arguments)
    return found.entity(arguments.entity) if found is not None and found.exists else None


def entities_of(arguments: argparse.Namespace) -> EntitiesFolder | None:
    """Returns where the results of all entities are, or would be; None if a command line names no folder or study.

    Args:
        arguments: The command line.
    """
    study: Path = arguments.study
    if arguments.dir is not None or study.is_dir():
        return EntitiesFolder(arguments.dir or study)
    if study.suffix not in YAML_SUFFIXES or not study.is_file():
        return None
    from kftune.spec.kind import kind_of_file

    kind, content = kind_of_file(study)
    name = content.get("name") if kind.name == "study" and isinstance(content, Mapping) else None
    return EntitiesFolder(_beside(study, slug(name))) if isinstance(name, str) else None


def new_results(given: Path | None, file: Path, name: str) -> Path:
    """Returns the folder for the results of a run. Says so if the current folder has earlier ones of that name.

    Args:
        given: The folder of the command line.
        file: The file that runs.
        name: The name of the results.
    """
    if given is not None:
        return given
    folder = _beside(file, name)
    earlier = _in_current_folder(folder, name)
    if earlier is not None and not folder.exists():
        print(
            f"note: results go to {folder}, beside the file; the current folder has some of that name: to go on with "
            f"these, give --dir {earlier}",
            file=sys.stderr,
        )
    return folder


def given_results(given: Path) -> Path:
    """Returns the folder of the results of a file, or the folder that was given.

    Args:
        given: A folder, or the file of a study, an Experiment or a pipeline.

    Raises:
        UsageError: The file is of another kind.
        StoreError: It has no results.
        OSError: The file does not exist.
    """
    if given.is_dir():
        return given
    from kftune.cli.given import given_kind

    kind, _ = given_kind(given, ("study", "Experiment", "pipeline", "experiment list"))
    if kind.name == "experiment list":
        raise UsageError(f"{given} is {kind}; give the folder of its results, its --output-dir")
    name = _name(given, "pipeline")
    folder = _beside(given, name if kind.name == "pipeline" else slug(name))
    if not folder.is_dir():
        raise StoreError("there are no results here; kftune run creates them", str(folder))
    return folder


def counted(results: Trials) -> str:
    """Returns how many trials are in each state, as text."""
    return ", ".join(f"{count} {state}" for state, count in results.counts().items()) or "none"


def _beside(file: Path, name: str) -> Path:
    """Returns the folder of a file's results, relative to the current folder if it is below it."""
    folder, here = file.resolve().parent / RUNS / name, Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _in_current_folder(folder: Path, name: str) -> Path | None:
    """Returns the folder where earlier versions put results of that name; None if it is not there, or the same."""
    earlier = Path(RUNS) / name
    return earlier if earlier.is_dir() and earlier.resolve() != folder.resolve() else None


def _name(study: Path, *further: KindName) -> str:
    from kftune.cli.given import given_kind  # a folder needs no YAML

    kind, value = given_kind(study, ("study", "Experiment", *further))
    content = value.get("metadata") if kind.name == "Experiment" else value
    name = content.get("name") if isinstance(content, Mapping) else None
    if not isinstance(name, str):
        if kind.name == "other":
            from kftune.results.sources.find import READ

            raise StoreError(
                f"the file has no trials that kftune reads: {READ}; or give a study or Experiment file", str(study)
            )
        raise StudyError("a study file holds a mapping with a name: key", str(study), 1, 1)
    return name
