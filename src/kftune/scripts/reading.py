"""Finds the arguments that a script takes, from its source or from the text of its --help."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kftune.scripts.argparse_reader import argparse_script
from kftune.scripts.click_reader import click_script
from kftune.scripts.fields_reader import fields_script
from kftune.scripts.hydra_reader import hydra_script
from kftune.scripts.module import Module, SourceError
from kftune.scripts.other_readers import other_script
from kftune.scripts.script import Script, ScriptArgument
from kftune.scripts.typer_reader import typer_script

# A declared option: at the start of a line, after a comma or a frame, or in the brackets of the usage.
_DECLARED = re.compile(r"(?m)(?:^[ \t│|*]*|[,/\[|│]\s*|^\s*-\w,?\s+)(--[A-Za-z][\w.-]*)")


def read_script(file: Path, folders: Sequence[Path], command: str = "") -> Script:
    """Returns what a script takes according to its source.

    Args:
        file: The script.
        folders: Where to find the modules that it imports; no others are opened.
        command: The subcommand to read, if there are several.
    """
    try:
        script = _script(Module(file, folders), command)
    except SourceError as error:
        return Script(file=str(file), unclear=(str(error),))
    except RecursionError:
        return Script(file=str(file), unclear=(f"{file} is nested too deeply",))
    return script or Script(file=str(file), unclear=(f"{file} uses no argument parser that kftune can read",))


def _script(module: Module, command: str) -> Script | None:
    return (
        hydra_script(module)
        or fields_script(module)
        or argparse_script(module, command)
        or click_script(module, command)
        or typer_script(module, command)
        or other_script(module)
    )


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
