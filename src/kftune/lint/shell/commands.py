"""Findings about a container's command, which Katib wraps into a shell line.

Most commands have no character that is special to a shell. Only the others are parsed, by `kftune.lint.shell.lines`.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go); recorded runs in dash and bash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.lint.rules.rule import Finding
from kftune.lint.shell.words import HARMLESS, OWN_SHELLS, is_script
from kftune.lint.trial.pods import texts

_PLAIN = re.compile(r"(?:[A-Za-z0-9_./:,@%+^= -]|\$\{trial(?:Parameters|Spec)\.[^}]*\})+")
# Words with a meaning to the shell where a command begins.
_FIRST_WORDS = frozenset(
    [
        *["!", "case", "coproc", "do", "done", "elif", "else", "esac", "exec", "exit", "false", "fi", "for"],
        *["function", "if", "set", "then", "time", "until", "while"],
    ]
)


def command_findings(
    container: Mapping[str, Any], path: Path, collector: str, *, early_stopping: bool = False
) -> Iterator[Finding]:
    """Yields what goes wrong when the primary container's command is wrapped.

    Args:
        container: The primary container.
        path: Its path in the Experiment.
        collector: The metrics collector's kind, one that wraps: StdOut, File or TensorFlowEvent.
        early_stopping: Whether trials may be stopped early.
    """
    if container.get("command") and _is_plain([*texts(container["command"]), *texts(container.get("args"))]):
        return
    from kftune.lint.shell.lines import line_findings

    yield from line_findings(container, path, collector, early_stopping=early_stopping)


def is_split(words: list[str], placeholder: str, value: str) -> bool:
    """Returns whether a value no longer arrives as one whole argument when it replaces a placeholder.

    Args:
        words: The container's command and args.
        placeholder: The text that the value replaces.
        value: One value of the parameter.
    """
    if HARMLESS.fullmatch(value):
        return False
    from kftune.lint.shell.lines import changes_words

    return changes_words(words, placeholder, value)


def _is_plain(words: list[str]) -> bool:
    """Returns whether no word, or no word of the script for sh or bash, is special to a shell."""
    if len(words) == 3 and is_script(words):
        return _PLAIN.fullmatch(words[2]) is not None and words[2].split(" ", 1)[0] not in (*_FIRST_WORDS, "")
    if not words or words[0] in _FIRST_WORDS or words[0] in OWN_SHELLS or "=" in words[0]:
        return False
    return all(" " not in word and _PLAIN.fullmatch(word) for word in words)
