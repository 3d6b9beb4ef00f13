"""Finds the arguments that a script takes, from its source or from the text of its --help."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kftune.scripts.argparse_reader import argparse_script
from kftune.scripts.module import Module, SourceError
from kftune.scripts.script import Script, ScriptArgument
from kftune.scripts.signature_reader import signature_script

# A declared option: at the start of a line, after a comma or a frame, or in the brackets of the usage.
_DECLARED = re.compile(r"(?m)(?:^[ \t│|*]*|[,/\[|│]\s*|^\s*-\w,?\s+)(--[A-Za-z][\w.-]*)")


def read_script(file: Path, folders: Sequence[Path]) -> Script:
    """Returns what a script takes according to its source.

    Args:
        file: The script.
        folders: Where to find the modules that it imports; no others are opened.
    """
    try:
        module = Module(file, folders)
        script = argparse_script(module) or signature_script(module)
    except SourceError as error:
        return Script(file=str(file), unclear=(str(error),))
    except RecursionError:
        return Script(file=str(file), unclear=(f"{file} is nested too deeply",))
    return script or Script(file=str(file), unclear=(f"{file} uses no argument parser that kftune can read",))


def read_help(file: str, text: str) -> Script:
    """Returns the names of the arguments that a program's --help lists.

    Args:
        file: The program's name in messages.
        text: What it printed.
    """
    flags = [flag for flag in dict.fromkeys(_DECLARED.findall(text)) if flag != "--help"]
    if not flags:
        return Script(file=file, unclear=(f"{file} --help lists no argument",))
    return Script(file=file, arguments=tuple(ScriptArgument(flags=(flag,), place=file) for flag in flags))
