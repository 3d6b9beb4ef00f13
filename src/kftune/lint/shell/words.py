"""Recognises commands without characters that are special to a shell. Most are, so they need no parsing."""

from __future__ import annotations

import re

from kftune.katib.trial import SHELLS
from kftune.katib.trial.quoting import is_script

_PLAIN = re.compile(r"(?:[A-Za-z0-9_./:,@%+^= -]|\$\{trial(?:Parameters|Spec)\.[^}]*\})+")
# Words with a meaning to the shell where a command begins.
_FIRST_WORDS = frozenset(
    [
        *["!", "case", "coproc", "do", "done", "elif", "else", "esac", "exec", "exit", "false", "fi", "for"],
        *["function", "if", "set", "then", "time", "until", "while"],
    ]
)


def is_plain(words: list[str]) -> bool:
    """Returns whether a shell passes the words of a command, or of a script for sh or bash, unchanged to a program."""
    if len(words) == 3 and is_script(words):
        return _PLAIN.fullmatch(words[2]) is not None and words[2].split(" ", 1)[0] not in (*_FIRST_WORDS, "")
    if not words or words[0] in _FIRST_WORDS or words[0] in SHELLS or "=" in words[0]:
        return False
    return all(" " not in word and _PLAIN.fullmatch(word) for word in words)
