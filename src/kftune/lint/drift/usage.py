"""The arguments that a program's own --help names, for scripts whose source does not tell."""

from __future__ import annotations

import re

from kftune.lint.drift.script import Argument, Script

# A name where an option is declared: at the beginning of a line, behind a comma or a frame, or in the usage's brackets.
_DECLARED = re.compile(r"(?m)(?:^[ \t│|*]*|[,/\[|│]\s*|^\s*-\w,?\s+)(--[A-Za-z][\w.-]*)")


def script_of_usage(file: str, text: str) -> Script:
    """What a program takes by the text that it prints for --help; names only.

    Args:
        file: What messages call the program.
        text: What it printed.
    """
    flags = [flag for flag in dict.fromkeys(_DECLARED.findall(text)) if flag != "--help"]
    if not flags:
        return Script(file, "", unclear=(f"{file} --help names no argument",))
    return Script(file, "--help", tuple(Argument((flag,), file, 1) for flag in flags))
