"""Which script a study's step runs, and what it gives to it beside the hyperparameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.lint.drift.module import module_file
from kftune.study import Step

_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_LAUNCHER = re.compile(r"(?:.*/)?(?:torchrun|deepspeed)|torch\.distributed\.(?:run|launch)")
_TAKES_NEXT = frozenset({"-X", "-W"})


class Started(NamedTuple):
    """What a step starts."""

    file: Path | None
    """The script; None where it cannot be told."""
    why: str
    """Why it cannot."""
    given: tuple[str, ...]
    """The arguments before those of the hyperparameters."""


def started(step: Step, folders: Sequence[Path]) -> Started:
    """What a study's step starts.

    Args:
        step: The step.
        folders: Where its files are looked for, in order.
    """
    if step.module:
        return _module(step.module, step.args, folders)
    return _command([*step.command, *step.args], folders)


def _command(tokens: Sequence[str], folders: Sequence[Path]) -> Started:
    program, *rest = tokens
    if program.endswith(".py"):
        return _file(program, rest, folders)
    if _LAUNCHER.fullmatch(program):
        return _launched(rest, folders)
    if not _PYTHON.fullmatch(program):
        return Started(None, f"{program} is no Python program; name the script with --script FILE", ())
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        if rest[0].startswith("-c") or rest[0] == "-":
            return Started(None, "the step runs a text, not a file; name the script with --script FILE", ())
        rest = rest[2:] if rest[0] in _TAKES_NEXT else rest[1:]
    if rest[:1] == ["-m"] and len(rest) > 1:
        if _LAUNCHER.fullmatch(rest[1]):
            return _launched(rest[2:], folders)
        return _module(rest[1], rest[2:], folders)
    if not rest:
        return Started(None, "the step starts Python without a script", ())
    return _file(rest[0], rest[1:], folders)


def _launched(tokens: Sequence[str], folders: Sequence[Path]) -> Started:
    """What a launcher of several processes starts: the first file, or the module behind -m."""
    for index, token in enumerate(tokens):
        if token.endswith(".py"):
            return _file(token, tokens[index + 1 :], folders)
        if token in ("-m", "--module") and index + 1 < len(tokens):
            return _module(tokens[index + 1], tokens[index + 2 :], folders)
    return Started(None, "the launcher's script cannot be told; name it with --script FILE", ())


def _module(module: str, given: Sequence[str], folders: Sequence[Path]) -> Started:
    file = module_file(module, folders, run=True)
    why = "" if file else f"there is no module {module} in {_shown(folders)}; name the script with --script FILE"
    return Started(file, why, tuple(given))


def _file(name: str, given: Sequence[str], folders: Sequence[Path]) -> Started:
    places: Iterator[Path] = (folder / name for folder in folders)
    file = next((place for place in places if place.is_file()), None)
    why = "" if file else f"there is no {name} in {_shown(folders)}; name the script with --script FILE"
    return Started(file, why, tuple(given))


def _shown(folders: Sequence[Path]) -> str:
    return " or ".join("the current folder" if folder == Path() else str(folder) for folder in folders)
