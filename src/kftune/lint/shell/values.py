"""What becomes of the values that Katib inserts into a container's shell line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kftune.katib.trial.quoting import is_script
from kftune.shell import ShellSyntaxError, parse

_PLACEHOLDER = re.compile(r"\$\{trial(?:Parameters|Spec)\.[^{}]*\}")
_ESCAPED = re.compile(r"(?<!\\)\\" + _PLACEHOLDER.pattern)
# Kubernetes replaces variables that it knows, and turns `$$` into `$`.
_VARIABLE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_UPPER_CASE = re.compile(r"[A-Z][A-Z0-9_]*")
_STAND_IN = "kftune-stand-in"
_WHOLE_ARGUMENT = re.compile(r"|(?:--?[A-Za-z][\w.-]*+=?|[A-Za-z_][\w.]*=)[\w.,:+/@%^-]*(?: [\w.,:+/@%^-]+)?")
_KEPT_BACKSLASH = re.compile(rf"(?:-{{0,2}}[\w.-]+=)?\\{_STAND_IN}")


def kept_backslashes(words: list[str]) -> Iterator[str]:
    r"""Yields the words in which quotes keep a backslash before a value, as in ``--lr="\${trialParameters.lr}"``.

    Args:
        words: The container's command and args.
    """
    if not any("\\${" in word for word in words):
        return
    line = " ".join(words[2:] if is_script(words) else words)
    try:
        seen = _all_words(_PLACEHOLDER.sub(_STAND_IN, line))
    except ShellSyntaxError:
        return  # reported by `command_findings`
    for word in seen:
        if _KEPT_BACKSLASH.fullmatch(word):
            yield word.replace(_STAND_IN, "VALUE")


def is_whole_argument(words: list[str], placeholder: str, values: Iterable[str]) -> bool:
    """Returns whether each value is a whole argument or nothing: ``--amp``, ``--rate 0.1``, ``rate=0.1``.

    Args:
        words: The container's command and args.
        placeholder: The text that a value replaces.
        values: The values.
    """
    if not any(values) or not all(map(_WHOLE_ARGUMENT.fullmatch, values)):
        return False
    line = " ".join(words[2:] if is_script(words) else words)
    try:
        seen = _all_words(line.replace(placeholder, _STAND_IN))
    except ShellSyntaxError:
        return False  # reported by `command_findings`
    # With quotes, the empty text would be an argument.
    quoted = re.search(rf"[\"']{re.escape(placeholder)}[\"']", line)
    return _STAND_IN in seen and not quoted


def is_split(words: list[str], placeholder: str, value: str) -> bool:
    """Returns whether the shell splits or changes a value that replaces a placeholder.

    Args:
        words: The container's command and args.
        placeholder: The text that the value replaces.
        value: One value of the parameter.
    """
    line = " ".join(words[2:] if is_script(words) else words)
    try:
        wanted = _all_words(line.replace(placeholder, _STAND_IN))
    except ShellSyntaxError:
        return False  # reported by `command_findings`
    try:
        got = _all_words(line.replace(placeholder, value))
    except ShellSyntaxError:
        return True
    return got != [word.replace(_STAND_IN, value) for word in wanted]


def _all_words(line: str) -> list[str]:
    commands = parse(expanded(line, set()), bash=True).simple_commands()
    words = [word for command in commands for word in command.words]
    return [word.text if not set(word.expansions) - set("?[") else f"{word.text}\0{word.expansions}" for word in words]


def expanded(token: str, known: set[str]) -> str:
    """Returns a token as the shell gets it, with `x` for each placeholder and each variable that Kubernetes replaces.

    Args:
        token: A word of command or args.
        known: The variables of the container's env.
    """

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return "x" if match[1] in known or _UPPER_CASE.fullmatch(match[1]) else match[0]

    if "$" not in token:
        return token
    if not any(sign in token for sign in "\"'"):
        token = _ESCAPED.sub("x", token)  # outside quotes the shell removes the backslash
    return _VARIABLE.sub(replaced, _PLACEHOLDER.sub("x", token))
