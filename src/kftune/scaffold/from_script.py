"""Writes a class and a study from the arguments that a training script takes already."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from kftune.errors import UsageError, near_names
from kftune.files import write_text
from kftune.scaffold.class_text import class_text
from kftune.scaffold.fields import Fields, fields_of
from kftune.scaffold.names import check_absent, check_name, class_name_of
from kftune.scaffold.study_text import needed_of, searched_first, study_text
from kftune.scripts.module import Module, SourceError
from kftune.scripts.prints import Printed, Stored, printed_metrics
from kftune.scripts.reading import read_script
from kftune.scripts.script import UNKNOWN, Script, ScriptArgument


def new_from_script(name: str, root: Path, script: Path, command: str = "") -> tuple[list[Path], list[str]]:
    """Writes the class and the study of a script that stays as it is. The script is read, never run.

    Args:
        name: The model's name, in lower case with underscores.
        root: The folder from which the script is run; the files are written there.
        script: The script.
        command: The script's subcommand, if it has several.

    Returns:
        The written files, and a line for each argument that is left out or has to be completed.

    Raises:
        UsageError: The name is not that of a Python module, one of the files already exists, or the source of the
            script does not show what it takes.
    """
    check_name(name)
    place = Path(os.path.relpath(script.resolve(), root.resolve()))
    if not str(place).isprintable() or set(str(place)) & {'"', "\\"}:
        raise UsageError(f"the path of a script is written into the files, so it has no quotes, but got {str(place)!r}")
    targets = [root / f"{name}_hparams.py", root / f"{name}_study.yaml"]
    check_absent(targets)
    found, metrics = _read(script, root, command)
    shown = _relative(found, script, place)
    fields = fields_of(shown)
    if not fields.fields:
        head = f"{script}: kftune finds no argument that a study can set"
        raise UsageError("\n".join([head, *_remarks(shown, fields)]))
    texts = [
        class_text(name, class_name_of(name), str(place), fields),
        study_text(name, ["python", str(place)], shown, fields, metrics),
    ]
    for target, text in zip(targets, texts, strict=True):
        write_text(target, text)
    return targets, _remarks(shown, fields)


def _read(script: Path, root: Path, command: str) -> tuple[Script, tuple[list[Printed], list[Stored]]]:
    """Returns what a script takes and prints.

    Raises:
        UsageError: The source does not show it.
    """
    if not script.is_file():
        what = "it is a folder" if script.is_dir() else "there is no such file"
        raise UsageError(f"{script}: {what}; --from takes a Python script")
    folders = [script.resolve().parent, root.resolve()]
    try:
        module = Module(script, folders)
    except SourceError as error:
        raise UsageError(str(error)) from error
    found = read_script(script, folders, command)
    if found.hparams:
        raise UsageError(
            f"{script} reads its arguments with the class {found.hparams}; a study names that class: "
            f"hparams: MODULE:{found.hparams}"
        )
    if found.commands and not found.start:
        near = near_names(command, found.commands) if command else ""
        raise UsageError(
            f"{script} has the subcommands {', '.join(found.commands)}; choose one with --command"
            f"{f', but got {command!r}' if command else ''}{near and f'; {near}'}"
        )
    if command and not found.start:
        raise UsageError(f"{script} has no subcommands that kftune can read, but got --command {command}")
    if not found.arguments:
        raise UsageError("\n".join((*found.unclear, _READABLE)) if found.unclear else f"{script} takes no arguments")
    return found, printed_metrics(module)


_READABLE = (
    "kftune reads argparse, configargparse, click, typer, tyro, dataclasses (HfArgumentParser, simple-parsing), "
    "pydantic-settings, Hydra, jsonargparse, absl and fire; for others write the class (kftune new hparams NAME), and "
    "step.arguments says how the script takes it: as arguments, as variables, or in a JSON file"
)


def _relative(found: Script, script: Path, place: Path) -> Script:
    """Returns the script with places as the user writes them, so that the files are the same on every machine."""

    def shown(text: str) -> str:
        return text.replace(str(script), str(place))

    arguments = tuple(
        replace(each, place=shown(each.place), alternative=shown(each.alternative)) for each in found.arguments
    )
    return replace(found, file=str(place), arguments=arguments, unclear=tuple(map(shown, found.unclear)))


def _way(position: ScriptArgument) -> str:
    return ": write it into step.args" if position.required else "; without it in step.args the script has its default"


def _remarks(script: Script, fields: Fields) -> list[str]:
    """Returns what the user has to know: what is left out, open, or unclear."""
    searched = searched_first(fields)
    required = [each.argument for each in fields.fields if each.default is None and each is not searched]
    computed = [each.argument for each in fields.open]
    unlisted = [each.argument for each in fields.fields if UNKNOWN in (each.argument.reading.choices or ())]
    return [
        *(f"{each.name} ({each.place}): it has no default: write its value under values" for each in required),
        *(f"{each.position} ({each.place}): it has a position{_way(each)}" for each in fields.positions),
        *(f"{place}: {text}" for place, text in needed_of(fields)),
        *(f"{each.name} ({each.place}): its default is computed; set it in the class" for each in computed),
        *(f"{each.name} ({each.place}): its choices are computed; no domain is proposed" for each in unlisted),
        *fields.left,
        *(f"there may be more arguments: {why}" for why in script.unclear),
    ]
