"""Finds the Python script or module that a command line runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
"""The name or path of a Python interpreter."""
_LAUNCHER = re.compile(r"(?:.*/)?(?:torchrun|deepspeed)|torch\.distributed\.(?:run|launch)")
_OPTIONS_WITH_VALUE = frozenset({"-X", "-W"})


class PythonProgram(NamedTuple):
    """What a command line runs: a script, a module, or neither."""

    script: str = ""
    module: str = ""
    arguments: tuple[str, ...] = ()
    """The arguments after the script or module."""
    problem: str = ""
    """Why it is neither."""


def python_program(tokens: Sequence[str]) -> PythonProgram:
    """Returns the script or module that a command line runs, with or without torchrun or deepspeed."""
    program, *rest = tokens
    if program.endswith(".py"):
        return PythonProgram(script=program, arguments=tuple(rest))
    if _LAUNCHER.fullmatch(program):
        return _launched(rest)
    if not PYTHON.fullmatch(program):
        return PythonProgram(problem=f"{program} is not a Python program")
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        if rest[0].startswith("-c") or rest[0] == "-":
            return PythonProgram(problem="the command runs a text, not a file")
        rest = rest[2 if rest[0] in _OPTIONS_WITH_VALUE else 1 :]
    if rest[:1] == ["-m"] and len(rest) > 1:
        if _LAUNCHER.fullmatch(rest[1]):
            return _launched(rest[2:])
        return PythonProgram(module=rest[1], arguments=tuple(rest[2:]))
    if not rest:
        return PythonProgram(problem="the command starts Python without a script")
    return PythonProgram(script=rest[0], arguments=tuple(rest[1:]))


def _launched(tokens: Sequence[str]) -> PythonProgram:
    """Returns what a launcher starts: the first `.py` file, or the module after -m."""
    for index, token in enumerate(tokens):
        if token.endswith(".py"):
            return PythonProgram(script=token, arguments=tuple(tokens[index + 1 :]))
        if token in ("-m", "--module") and index + 1 < len(tokens):
            return PythonProgram(module=tokens[index + 1], arguments=tuple(tokens[index + 2 :]))
    return PythonProgram(problem="the launcher's script is unknown")
