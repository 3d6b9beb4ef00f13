"""What the author of a command wrote for Katib's shell line: quotes, and several words in one text.

Katib joins command and args with blanks and gives the line to a shell. There `--lr="0.1"` reaches the program as
`--lr=0.1`, and it needs the quotes if the value has blanks or quotes of its own.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (utils.go), examples/v1beta1/nas (darts-cpu.yaml, enas-cpu.yaml).
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.katib.trial import SHELLS, WRAPPED_COLLECTORS

_TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')"""
_BARE = r"""[^\s"'\\]"""
_QUOTED = rf"(?:[\w.-]+=)?{_TEXT}"  # `--name="value"`: the quotes are around all of a value
_OPTION = rf"(?:-[\w.-]+={_TEXT}|--?[A-Za-z]{_BARE}*(?: +{_TEXT})?)"
_ONE_WORD = re.compile(_QUOTED, re.DOTALL)
_SCRIPT = rf"{_BARE}+\.(?:py|sh|R|jl)"
_WORDS = re.compile(rf"{_QUOTED}|(?:{_OPTION}|{_SCRIPT})(?: +{_OPTION})*", re.DOTALL)
_ESCAPED_NUMBER = re.compile(r"^((?:-{0,2}[\w.-]+=)?)\\(-?[0-9.][\w.+-]*)$")  # `\${trialParameters.lr}` with a value
_PROGRAM_FOLLOWS = re.compile("-[a-z]*c[a-z]*")  # as in `python -c` and `/bin/sh -lc`


def is_script(words: Sequence[str]) -> bool:
    """Returns whether Katib recognises a command as a shell with a script: `sh -c` or `bash -c`."""
    return len(words) > 1 and words[0] in SHELLS and words[1] == "-c"


def is_line(words: Sequence[str]) -> bool:
    """Returns whether a command is itself a shell line: its first text has blanks, as no program's name has."""
    return bool(words) and len(words[0].split()) > 1


def meant_words(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the words that each token was written for.

    That is the token itself, unless quotes stand around all of a value, or a backslash before a number, or it is
    options, or a script and its options.

    Args:
        tokens: command and args of a container that is neither a script nor a line.
    """
    return [_words(before, token) for before, token in itertools.pairwise(["", *tokens])]


def _words(before: str, token: str) -> tuple[str, ...]:
    if not any(sign in token for sign in " \"'"):
        return (_ESCAPED_NUMBER.sub(r"\1\2", token),)
    form = _ONE_WORD if _PROGRAM_FOLLOWS.fullmatch(before) else _WORDS
    return tuple(shlex.split(token)) if form.fullmatch(token) else (token,)


def as_meant(command: Sequence[str], args: Sequence[str], collecting: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Returns the command and args that a container's command and args were written for.

    Args:
        command: Its command; empty for that of its image.
        args: Its args.
        collecting: spec.metricsCollectorSpec with its defaults: only some collectors have a shell line.
    """
    tokens = [*command, *args]
    if str((collecting.get("collector") or {}).get("kind", "")) not in WRAPPED_COLLECTORS or is_script(tokens):
        return list(command), list(args)
    if command and is_line(tokens):
        return ["sh", "-c", " ".join(tokens)], []
    words = meant_words(tokens)
    first, rest = words[: len(command)], words[len(command) :]
    return list(itertools.chain(*first)), list(itertools.chain(*rest))
