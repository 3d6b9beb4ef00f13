"""Reads the command line of a trial in another system, in which marks stand for hyperparameters."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import NamedTuple

_MARK = re.compile("\x00([^\x00]+)\x00")
_OPERATORS = ("&&", "||", ";", "|", "&")


class ForeignCommand(NamedTuple):
    """A command line without its hyperparameters."""

    tokens: list[str]
    flags: dict[str, str]
    """Hyperparameter -> its argument, without dashes at the start."""
    style: str
    """How most hyperparameters are given, as `step.arguments.style` has it."""
    lost: list[str]
    """What a study cannot write."""


def mark(name: str) -> str:
    """Returns what stands for a hyperparameter in a command line that `read_command` reads."""
    return f"\x00{name}\x00"


def read_command(given: str | Sequence[str], searched: Callable[[str], bool]) -> ForeignCommand:
    """Returns a command line without its hyperparameters.

    Args:
        given: A shell line, or tokens; `mark` has put marks into it.
        searched: Whether a name is that of a hyperparameter.
    """
    lost: list[str] = []
    try:
        tokens = shlex.split(given, comments=True) if isinstance(given, str) else [*given]
    except ValueError as error:
        return ForeignCommand([], {}, "--name=value", [f"the command cannot be read ({error}): write step.command"])
    if isinstance(given, str):
        tokens = _one_command(_with_operators(tokens), lost)
    kept: list[str] = []
    flags: dict[str, str] = {}
    styles: list[str] = []
    for token in tokens:
        names = _MARK.findall(token)
        if not names:
            kept.append(token)
            continue
        name, whole = names[0], _MARK.fullmatch(token) is not None
        head = token.partition("=")[0]
        if not searched(name):
            lost.append(f"{_shown(token)} is no hyperparameter: write its value into step.args")
        elif token == f"{head}={mark(name)}" and head.startswith("--"):
            flags[name] = head[2:]
            styles.append("--name=value")
        elif token == f"{head}={mark(name)}" and re.fullmatch(r"[+~]*[\w.@/-]+", head) and not head.startswith("-"):
            flags[name] = head
            styles.append("name=value")
        elif whole and kept and kept[-1].startswith("--") and "=" not in kept[-1]:
            flags[name] = kept.pop()[2:]
            styles.append("--name value")
        else:
            if whole and kept and re.fullmatch("-[A-Za-z]", kept[-1]):
                token = f"{kept.pop()} {token}"
            lost.append(f"{_shown(token)} has no argument of the form --{name}=VALUE: the script gets --{name}")
    style = max(styles, key=styles.count) if styles else "--name=value"
    if len(set(styles)) > 1:
        lost.append(f"arguments have several forms; the script gets all as {style}")
    return ForeignCommand(kept, flags, style, lost)


def _with_operators(tokens: Sequence[str]) -> list[str]:
    """Returns the tokens with `;` apart from the word before it."""
    found: list[str] = []
    for token in tokens:
        if token.endswith(";") and len(token) > 1:
            found += [token[:-1], ";"]
        else:
            found.append(token)
    return found


def _one_command(tokens: Sequence[str], lost: list[str]) -> list[str]:
    """Returns the command with the hyperparameters, of a shell line with several."""
    commands: list[list[str]] = [[]]
    for token in tokens:
        if token in _OPERATORS:
            commands.append([])
        elif token != "\\":
            commands[-1].append(token)
    commands = [command for command in commands if command]
    chosen = next((each for each in commands if any(map(_MARK.search, each))), commands[-1] if commands else [])
    others = [" ".join(each) for each in commands if each is not chosen]
    if others:
        lost.append(
            f"{'; '.join(map(_shown, others))}: a step runs one program without a shell; do it in the image, or in a script"
        )
    return chosen


def _shown(text: str) -> str:
    return _MARK.sub(r"<\1>", text)
