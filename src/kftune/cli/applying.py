"""What `apply`, `snippet` and `run --baseline-from` share: the place in a file, and the class of the values."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kftune.cli.arguments import a_path
from kftune.cli.places import given_entity
from kftune.errors import UnknownNameError, UsageError
from kftune.results import Trials
from kftune.runs import YAML_SUFFIXES

if TYPE_CHECKING:
    from kftune.hparams import Hparams
    from kftune.study import Study


class Place(NamedTuple):
    """Where values go.

    Attributes:
        to: The file.
        at: The path of the mapping in it.
        names: Hyperparameter -> path of its value in the mapping, where the names differ.
        add: Whether keys that are missing are added.
    """

    to: Path
    at: str
    names: Mapping[str, str]
    add: bool


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments that name a place in a YAML file."""
    parser.add_argument("--to", type=a_path, metavar="FILE", help="the YAML file")
    parser.add_argument("--at", metavar="PATH", help="the mapping in it, such as PLANT001/CIRCUIT01 (default: the top)")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="the path of a hyperparameter in the mapping, if its key has another name",
    )
    add_class_argument(parser)


def add_class_argument(parser: argparse.ArgumentParser) -> None:
    """Declares the argument that names the class."""
    parser.add_argument(
        "--hparams", metavar="CLASS", help="the class that checks the values, if it is not known: NAME or MODULE:CLASS"
    )


def place_of(arguments: argparse.Namespace, entity: str | None = None) -> Place:
    """Returns the place that a command line names, or that of the study's key `apply`.

    Args:
        arguments: The command line.
        entity: The entity that the trials are of, if the command line names none.

    Raises:
        UsageError: There is none, or --map has another form.
    """
    study = study_of(arguments)
    name = arguments.entity or entity
    at_entity = _path_of(arguments, study, name)
    if study is not None and study.for_each is not None and name is not None:
        study = study.for_entity(name)
    own = None if study is None else study.apply
    if own is not None and study is not None:
        to = arguments.to or (arguments.through or arguments.study).parent / own.to
        at = own.at if arguments.at is None and arguments.to is None else arguments.at or at_entity
        names = {**own.map, **names_of(arguments.map)}
        add = own.add if arguments.add is None else arguments.add
    else:
        to, at, names, add = arguments.to, arguments.at or at_entity, names_of(arguments.map), bool(arguments.add)
    if to is None:
        raise UsageError(
            "apply needs --to FILE, the YAML file that gets the best values (or apply: {to: FILE} in the "
            "study); to create a study on a cluster: kftune render FILE --out DIR, and kubectl apply -f DIR"
        )
    return Place(to, at, names, add)


def _path_of(arguments: argparse.Namespace, study: Study | None, entity: str | None) -> str:
    """Returns the path of an entity in its file; its name if the file is not known, and nothing without an entity."""
    listed = given_entity(arguments)
    if listed is not None:
        return listed.path
    if entity is None or study is None or study.for_each is None:
        return entity or ""
    return study.for_each.entity(entity).path


def names_of(given: Sequence[str]) -> dict[str, str]:
    """Returns the arguments of --map as hyperparameter -> path.

    Args:
        given: Texts such as ``lr=training.learning_rate``.

    Raises:
        UsageError: One has another form.
    """
    found = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not name or not equals or not path:
            raise UsageError(f"--map is NAME=PATH, such as lr=training.learning_rate, but is {text!r}")
        found[name] = path
    return found


def study_of(arguments: argparse.Namespace) -> Study | None:
    """Returns the study that a command line names, with all its entities; None if it names results or an Experiment.

    Raises:
        StudyError: The study is invalid.
    """
    from kftune.spec.kind import kind_of_file

    path: Path = arguments.through or arguments.study
    is_yaml = path.is_file() and path.suffix in YAML_SUFFIXES
    if arguments.through is None and not (is_yaml and kind_of_file(path)[0].name == "study"):
        return None
    from kftune.study import load_study

    return load_study(path)


def hparams_of(arguments: argparse.Namespace, results: Trials) -> type[Hparams] | None:
    """Returns the class of the hyperparameters; None if it is not known here.

    Args:
        arguments: The command line.
        results: The trials.

    Raises:
        UnknownNameError: No class has the name of --hparams.
        RegistryError: Its module cannot be imported.
    """
    from kftune.applying.classes import class_of
    from kftune.spec.classes import load_class

    path: Path = arguments.study
    if arguments.hparams is not None:
        return load_class(arguments.hparams, [path.resolve() if path.is_dir() else path.resolve().parent, Path.cwd()])
    study = study_of(arguments)
    if study is not None:
        return study.hparams
    found, problem = class_of(results, path)
    if problem:
        print(f"note: {problem}", file=sys.stderr)
    return found


def check_names(names: Mapping[str, str], known: Sequence[str]) -> None:
    """Checks that --map names hyperparameters of the trial, or groups of them.

    Args:
        names: Hyperparameter -> path.
        known: The hyperparameters.

    Raises:
        UnknownNameError: One is unknown.
    """
    for name in names:
        if name not in known and not any(each.startswith(f"{name}.") for each in known):
            raise UnknownNameError("hyperparameter in --map", name, known)
