"""Reads what a step wrote, checks it against its type, and hashes it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from kftune import confined, json_input
from kftune.containers.ending import readable
from kftune.errors import RunError
from kftune.files import digest_of
from kftune.pipeline import Output
from kftune.pipeline.ports import is_artifact, output_text, typed_value
from kftune.spec.part import PartError

_LONGEST_TEXT = 1 << 20
_LARGEST_FILE = 1 << 40  # a file with holes may claim more than any disk holds
_SHOWN = 80
_NAMES_SHOWN = 10


@dataclass(frozen=True)
class Made:
    """One output of a step that has run.

    Attributes:
        type: Its type.
        path: Its file or folder.
        value: A parameter's value; None for an artifact.
        digest: SHA-256 of an artifact's content; empty for a parameter.
        text: A parameter's value as the step wrote it; empty for an artifact.
    """

    type: str
    path: Path
    value: Any = None
    digest: str = ""
    text: str = ""

    @property
    def shown(self) -> Any:
        """What to show of it: the value, or the path."""
        return str(self.path) if self.digest else self.value


def collect(
    outputs: Mapping[str, Output], folder: Path, interrupted: Callable[[], bool] = confined.never
) -> dict[str, Made]:
    """Reads the outputs of a step, which may be hostile: files, folders, and links that stay in their folder.

    Args:
        outputs: The outputs that it declares, by name.
        folder: Where it wrote them.
        interrupted: Asked while files are read whether the user wants an end.

    Raises:
        RunError: An output is missing, or is not of its type.
        ConfinedError: An output is, or holds, something else than files and folders.
        ReadingStoppedError: `interrupted` said so, and there was much to read.
        OSError: An output cannot be read.
    """
    stop = confined.after_a_moment(interrupted)

    def opened(path: Path) -> BufferedReader:
        return confined.open_file(folder, path, most=_LARGEST_FILE, stop=stop)

    made = {}
    for name, output in outputs.items():
        path = folder / name
        if not os.path.lexists(path):
            raise RunError(
                f"exit code 0, but the output {name} is missing: a step writes it to the path that --{name}= gives "
                f"(it wrote {_names_in(folder)})"
            )
        kind = confined.check(folder, name, stop)
        if is_artifact(output.type):
            made[name] = Made(output.type, path, digest=digest_of(path, opened))
        else:
            text = _read(name, output.type, folder, kind)
            made[name] = Made(output.type, path, _value_of(text, name, output.type), text=text)
    return made


def _names_in(folder: Path) -> str:
    """Returns names that a step has chosen, for a message."""
    names = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(readable(os.fsencode(name)) for name in names[:_NAMES_SHOWN]) or "nothing"
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"


def _read(name: str, wanted: str, folder: Path, kind: str) -> str:
    if kind != "file":
        raise RunError(f"the output {name} is of type {wanted}, so it is a file with a text, but a folder was written")
    with confined.open_file(folder, name, most=confined.ANY_SIZE) as file:
        size = file.seek(0, os.SEEK_END)
        if size > _LONGEST_TEXT:
            raise RunError(
                f"the output {name} is of type {wanted} and must have at most 1 MiB, but has {size} bytes; make it an "
                f"artifact"
            )
        file.seek(0)
        content = file.read(size)
    try:
        return output_text(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RunError(f"the output {name} is of type {wanted} and must be UTF-8, but is not: {error}") from error


def _value_of(text: str, name: str, wanted: str) -> Any:
    if wanted == "str":
        return text
    shown = repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
    try:
        value = json_input.loads(text, parse_constant=_refuse)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half of a pair of surrogates is no character
        return typed_value(value, wanted)
    except PartError as error:
        raise RunError(f"the output {name} {error.message}") from error
    except ValueError as error:
        must = f"the output {name} is of type {wanted}, so its file must hold JSON"
        raise RunError(f"{must}, but holds {shown}") from error


def _refuse(constant: str) -> NoReturn:
    raise PartError(f"must be finite, but holds {constant}")


def copy(source: Path, target: Path) -> None:
    """Copies a file or folder; uses hard links where the file system has them.

    Args:
        source: The file or folder.
        target: The copy, which does not exist yet.

    Raises:
        OSError: It cannot be read or written.
    """
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_link)
    else:
        _link(str(source), str(target))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target, follow_symlinks=False)


def empty(folder: Path) -> Path:
    """Makes `folder` an empty folder; deletes what is there."""
    if os.path.lexists(folder):
        confined.remove_folder(folder)
    folder.mkdir(parents=True)
    return folder
