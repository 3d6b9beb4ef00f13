"""The commands that a command line starts, also through a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from kftune.shell import CommandList, ShellSyntaxError, Simple, parse
from kftune.spec.program import PYTHON

_SHELLS = ("sh", "bash", "dash")
_TEXT_FOLLOWS = re.compile(r"-[a-z]*c")
# They change neither the folder in which the next command runs nor a file in it.
_HARMLESS = frozenset({":", "date", "echo", "export", "nvidia-smi", "printf", "set", "sleep", "true", "ulimit"})
_INSTALLERS = frozenset({"apk", "apt", "apt-get", "conda", "dnf", "mamba", "micromamba", "pip", "uv", "yum"})
_ELSEWHERE = ("--target", "-t", "--prefix", "--root", "--dry-run")


class First(NamedTuple):
    """A command in a shell's text that starts before any other could change the folder or the files in it."""

    words: list[str]
    """Its words before the first one that the shell computes; at least one."""
    alone: bool
    """Whether nothing before it could change variables or what is installed."""


def first_in_shell(argv: Sequence[str]) -> Iterator[First]:
    """Yields the commands in a shell's text that start first.

    Args:
        argv: The command line; one that is not of a shell gives nothing.
    """
    script, alone = _script(argv), True
    for command in _in_order(script) if script else ():
        words = _known_words(command)
        if words[:1] == ["exec"]:
            del words[0]
        alone = alone and not command.assignments
        if words:
            yield First(words, alone)
        alone = alone and words[:1] != ["export"] and not _is_install(words)
        if not _leaves_files(command, words):
            return


def is_shell(program: str) -> bool:
    """Whether a program is a shell.

    Args:
        program: Its name or path.
    """
    return PurePath(program).name in _SHELLS


def installs(argv: Sequence[str]) -> str:
    """Returns the command by which a command line changes what is installed; empty if there is none.

    Args:
        argv: The command line.
    """
    script = _script(argv)
    commands = [list(argv)] if script is None else [_known_words(each) for each in script.simple_commands()]
    for words in commands:
        if any(PurePath(word).name == "activate" for word in words):
            return ""  # from here on, another environment is changed
        if _is_install(words):
            return " ".join(words)
    return ""


def _is_install(words: Sequence[str]) -> bool:
    program, *rest = words or [""]
    if PYTHON.fullmatch(program) and rest[:1] == ["-m"]:
        program, *rest = [*rest[1:], ""]
    name = PurePath(program).name.rstrip("0123456789.")
    changes = {"install", "uninstall"} & set(rest[:2])
    return name in _INSTALLERS and bool(changes) and not any(word.partition("=")[0] in _ELSEWHERE for word in rest)


def _script(argv: Sequence[str]) -> CommandList | None:
    """Returns the commands of a shell's text; None if a command line is not that of a shell with a text."""
    place = next((index for index, token in enumerate(argv) if index and _TEXT_FOLLOWS.fullmatch(token)), None)
    if not is_shell(argv[0]) or place is None or place + 1 >= len(argv):
        return None
    try:
        return parse(argv[place + 1], bash=PurePath(argv[0]).name == "bash")
    except ShellSyntaxError:
        return CommandList(())


def _in_order(script: CommandList) -> Iterator[Simple]:
    """Yields the commands that run one after the other, up to the first that is more than one command."""
    for item in script.items:
        for pipeline in (item.first, *(pipeline for _, pipeline in item.rest)):
            for command in pipeline.commands:
                if not isinstance(command, Simple):
                    return
                yield command


def _known_words(command: Simple) -> list[str]:
    computed = next((index for index, word in enumerate(command.words) if word.expansions), len(command.words))
    return [word.text for word in command.words[:computed]]


def _leaves_files(command: Simple, words: Sequence[str]) -> bool:
    """Whether the next command finds the folder and the files as this one did."""
    writes = any(">" in each.operator and not each.target.startswith(("/dev/", "&")) for each in command.redirects)
    harmless = not command.words or (words[:1] and words[0] in _HARMLESS)
    return not writes and bool(harmless or _is_install(words))
