"""The command line of a training: its own options, and what is left for the class of hyperparameters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.errors import UsageError, near_files, near_names
from kftune.hparams import Hparams
from kftune.outputs import take
from kftune.runs import YAML_SUFFIXES
from kftune.training.step_outputs import NAMES, check_outputs

CONFIG_PATH = "KFTUNE_CONFIG_PATH"
_FILES = ("-c",)
_NAMES = ("--config-name", "-cn")  # as Hydra calls them
_FOLDER = "-o"
_PRINT = ("--print-config", "--print_config")


class TrainingLine(NamedTuple):
    """A command line of a training.

    Attributes:
        data: The data; None for that of the environment.
        output: The folder to write; None for that of the environment.
        outputs: The files to write after the training, by name of `NAMES`.
        hparams: The arguments for the class.
        config: The name of the flag for config files in these.
        prints: Whether the hyperparameters are printed, in place of a training.
    """

    data: Path | None
    output: Path | None
    outputs: dict[str, str]
    hparams: list[str]
    config: str
    prints: bool


def read_arguments(argv: Sequence[str], hparams: type[Hparams]) -> TrainingLine:
    """Returns what a command line says. A name of the class is a hyperparameter, and no option.

    Args:
        argv: The arguments after the model.
        hparams: The class.

    Raises:
        UsageError: An option has no value, is given twice or needs another one, or there is no such config file.
    """
    fields = hparams.leaves()
    given, tokens = take(argv, *(name for name in ("data", "model", *NAMES) if name.replace("-", "_") not in fields))
    flag = hparams._command_line.config or "kftune-config"
    files = (*_FILES, f"--{flag}")
    names = [name for name in _NAMES if name.lstrip("-").replace("-", "_") not in fields]
    prints = [name for name in _PRINT if name.lstrip("-").replace("-", "_") not in fields]
    rest: list[str] = []
    folders = [given["model"]] if "model" in given else []
    at = 0
    while at < len(tokens):
        option, equals, value = tokens[at].partition("=")
        at += 1
        if option in prints and not equals:
            continue
        if option not in (*files, *names, _FOLDER):
            rest.append(tokens[at - 1])
            continue
        if not equals:
            value = tokens[at] if at < len(tokens) else ""
            at += 1
        if not value:
            raise UsageError(f"{option} needs a value: {option} {'DIR' if option == _FOLDER else 'FILE'}")
        if option == _FOLDER:
            folders.append(value)
        else:
            rest.append(f"--{flag}={find_config(option, value, is_name=option in names)}")
    check_outputs(given)
    if len(folders) > 1:
        raise UsageError(f"the folder to write is given once, with -o or --model, but got {' and '.join(folders)}")
    return TrainingLine(
        data=Path(given["data"]) if "data" in given else None,
        output=Path(folders[0]) if folders else None,
        outputs={name: path for name, path in given.items() if name in NAMES},
        hparams=rest,
        config=flag,
        prints=any(token in prints for token in tokens),
    )


def find_config(option: str, name: str, *, is_name: bool) -> Path:
    """Returns a config file: the one at a path, or the first of that name in the folders of KFTUNE_CONFIG_PATH.

    Args:
        option: The option that names it, for the error.
        name: The path or name; a name may lack its ``.yaml``.
        is_name: Whether it is a name only, and no path from the working folder.

    Raises:
        UsageError: There is no such file, or no such folder.
    """
    if not is_name and Path(name).is_file():
        return Path(name)
    listed = [Path(folder) for folder in os.environ.get(CONFIG_PATH, "").split(os.pathsep) if folder]
    missing = next((folder for folder in listed if not folder.is_dir()), None)
    if missing is not None:
        raise UsageError(f"{CONFIG_PATH} must list folders, but there is no folder {missing}")
    folders = listed or ([Path()] if is_name else [])
    places = [folder / f"{name}{suffix}" for folder in folders for suffix in ("", *YAML_SUFFIXES)]
    found = next((place for place in places if place.is_file()), None)
    if found is not None:
        return found
    known = [path.name for folder in folders for path in folder.iterdir() if path.suffix in YAML_SUFFIXES]
    near = near_names(name, [*known, *(name.rpartition(".")[0] for name in known)])
    places_said = [] if is_name and listed else ["here"]
    places_said += [f"in {', '.join(map(str, listed))} ({CONFIG_PATH})"] if listed else []
    where = " or ".join(places_said)
    raise UsageError(f"{option} {name}: there is no such file {where}{f'; {near}' if near else near_files(name)}")
