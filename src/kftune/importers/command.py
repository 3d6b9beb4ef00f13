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
    for word in tokens:
        names = _MARK.findall(word)
        if not names:
            kept.append(word)
        elif not searched(names[0]):
            lost.append(f"{_shown(word)} is not a hyperparameter: write its value into step.args")
        else:
            flag, style = _flag(word, names[0], kept)
            if style:
                flags[names[0]] = flag
                styles.append(style)
            else:
                lost.append(f"{flag} has no argument of the form --{names[0]}=VALUE: the script gets --{names[0]}")
    style = max(styles, key=styles.count) if styles else "--name=value"
    if len(set(styles)) > 1:
        lost.append(f"arguments have several forms; the script gets all as {style}")
    return ForeignCommand(kept, flags, style, lost)


def _flag(word: str, name: str, kept: list[str]) -> tuple[str, str]:
    """Returns the argument of a hyperparameter, without dashes, and its form; the form is empty for another one.

    Args:
        word: The token with the mark.
        name: The hyperparameter.
        kept: The tokens before it; the last one is removed if it is the argument's name.
    """
    head = word.partition("=")[0]
    if word == f"{head}={mark(name)}":
        if head.startswith("--"):
            return head[2:], "--name=value"
        if re.fullmatch(r"[+~]*[\w.@/-]+", head) and not head.startswith("-"):
            return head, "name=value"
    if word == mark(name) and kept and "=" not in kept[-1]:
        if kept[-1].startswith("--"):
            return kept.pop()[2:], "--name value"
        if re.fullmatch("-[A-Za-z]", kept[-1]):
            return f"{kept.pop()} {_shown(word)}", ""
    return _shown(word), ""


def _with_operators(tokens: Sequence[str]) -> list[str]:
    """Returns the tokens with `;` apart from the word before it."""
    found: list[str] = []
    for word in tokens:
        if word.endswith(";") and len(word) > 1:
            found += [word[:-1], ";"]
        else:
            found.append(word)
    return found


def _one_command(tokens: Sequence[str], lost: list[str]) -> list[str]:
    """Returns the command with the hyperparameters, of a shell line with several."""
    commands: list[list[str]] = [[]]
    for word in tokens:
        if word in _OPERATORS:
            commands.append([])
        elif word != "\\":
            commands[-1].append(word)
    commands = [command for command in commands if command]
    chosen = next((each for each in commands if any(map(_MARK.search, each))), commands[-1] if commands else [])
    others = [" ".join(each) for each in commands if each is not chosen]
    if others:
        lost.append(
            f"{'; '.join(map(_shown, others))}: a step runs one program without a shell; do it in the image or a script"
        )
    return chosen


def _shown(text: str) -> str:
    return _MARK.sub(r"<\1>", text)
