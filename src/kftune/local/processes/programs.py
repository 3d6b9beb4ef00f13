"""The program of a command line on this machine; ``python`` is the interpreter that runs kftune."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import BuiltinImporter, ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

from kftune.errors import RunError
from kftune.local.processes.commands import first_in_shell
from kftune.runs import files_below
from kftune.spec.program import python_program

_PYTHON = ("python", "python3")


class Remedies(NamedTuple):
    """What a user can do when a command cannot run here, in the words of the file that has the command."""

    program: str
    script: str
    module: str


def step_remedies(file: str) -> Remedies:
    """The remedies for the step of a file of that kind, such as ``study``."""
    return Remedies(
        "install it, change step.command, or run the step in its image (--runtime container)",
        f"it is looked for from the {file} file's folder",
        "install it, or change step.module",
    )


def find_program(program: str, folder: Path, path: str) -> str:
    """The path of a program; the program as it was given where there is none.

    Args:
        program: The first word of a command line.
        folder: Where it runs.
        path: Its variable PATH.
    """
    if program in _PYTHON:
        return sys.executable
    if "/" in program:
        return str(folder / program)
    return shutil.which(program, path=path) or program


def check_program(argv: Sequence[str], folder: Path, env: Mapping[str, str], remedies: Remedies) -> None:
    """Checks that the program, script or module of a command line is here, without running any of it.

    In the text of a shell, only what starts first is checked, and no program without a path: it may be the shell's own.

    Args:
        argv: The command line.
        folder: Where it runs.
        env: Its whole environment.
        remedies: What an error advises.

    Raises:
        RunError: It is not here.
    """
    _check_program(argv, folder, env, remedies)
    for command in first_in_shell(argv):
        runs = python_program(command.words)
        if "/" in command.words[0] or runs.script or (runs.module and command.alone):
            _check_program(command.words, folder, env, remedies)


def _check_program(argv: Sequence[str], folder: Path, env: Mapping[str, str], remedies: Remedies) -> None:
    program, runs = argv[0], python_program(argv)
    if runs.script.endswith(".py") and runs.script != program and not _is_file(folder / runs.script):
        raise RunError(f"the script must be there, but {folder / runs.script} is not; {remedies.script}")
    if program in _PYTHON:
        if runs.module and _find_package(runs.module, env) is None:
            top = runs.module.partition(".")[0]
            raise RunError(
                f"the module must be one that this Python finds, but {top!r} is not installed and not in {folder}; "
                f"{remedies.module}"
            )
        return
    found = Path(find_program(program, folder, env["PATH"]))
    if "/" not in str(found):
        where = f"no folder on PATH has {program!r}"
    elif os.access(found, os.X_OK) and found.is_file():
        return
    else:
        where = f"{found} is {'not a program' if found.exists() else 'not there'}"
    raise RunError(f"the program must be one that runs here, but {where}; {remedies.program}")


def _find_package(module: str, env: Mapping[str, str]) -> ModuleSpec | None:
    """Finds the top package of a module as a process with this environment does, without importing it."""
    top = module.partition(".")[0]
    if top in sys.builtin_module_names:
        return BuiltinImporter.find_spec(top)
    return PathFinder.find_spec(top, [*env["PYTHONPATH"].split(os.pathsep), *sys.path])


def code_digest(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> str:
    """Returns a SHA-256 of the code that a process runs.

    It covers the Python files in `folder` and beside the script, the script or program, and the package of a module on
    the command line. It stays the same when all of it moves to another place.

    Args:
        argv: The command line.
        folder: Where it runs.
        env: Its whole environment.
    """
    files: dict[Path, str] = {}
    for name, path in _code_files(argv, folder, env):
        files.setdefault(path, name)
    hashed = hashlib.sha256()
    for name, path in sorted((name, path) for path, name in files.items()):
        hashed.update(f"{name}\0".encode(errors="surrogateescape"))
        with suppress(OSError):  # a folder, a broken link, or a program that may be run and not read
            hashed.update(hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()


def _code_files(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Yields files of code, each with a name that does not depend on where it is."""
    yield from ((path.name, path) for path in folder.glob("*.py"))
    runs = python_program(argv)
    for token in {runs.script, *argv[1:2]}:
        path = folder / token
        if _is_file(path):
            yield from ((f"beside:{each.name}", each) for each in (path, *path.parent.glob("*.py")))
    program = Path(find_program(argv[0], folder, env["PATH"]))
    if program.resolve() != Path(sys.executable).resolve() and program.is_file():
        yield argv[0], program
    found = _find_package(runs.module, env) if runs.module else None
    for place in (found.submodule_search_locations or ()) if found else ():
        for path in files_below(Path(place), (".py",)):
            yield f"{runs.module}:{path.relative_to(place)}", path
    if found and not found.submodule_search_locations and found.origin and Path(found.origin).is_file():
        yield f"{runs.module}:", Path(found.origin)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # an argument that is too long for a name
        return False
