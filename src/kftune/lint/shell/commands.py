"""What becomes of a container's command when Katib wraps it into a shell line.

Most commands have no sign in them that a shell would look at; the others are `shell_lines`' business.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go); recorded runs in dash and bash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import texts

OWN_SHELLS = ("sh", "bash")
"""The shells that Katib knows, by these letters."""

HARMLESS = re.compile(r"[A-Za-z0-9_./:,@%+^=-]+")
"""A word that every shell hands on as it is."""

_PLAIN = re.compile(r"(?:[A-Za-z0-9_./:,@%+^= -]|\$\{trial(?:Parameters|Spec)\.[^}]*\})+")
# Words that mean something to the shell where a command begins.
_FIRST_WORDS = frozenset(
    [
        *["!", "case", "coproc", "do", "done", "elif", "else", "esac", "exec", "exit", "false", "fi", "for"],
        *["function", "if", "set", "then", "time", "until", "while"],
    ]
)


def command_findings(
    container: Mapping[str, Any], path: Path, collector: str, *, early_stopping: bool = False
) -> Iterator[Finding]:
    """What the wrapping does to the primary container.

    Args:
        container: The primary container.
        path: Where it stands.
        collector: The metrics collector's kind, one that wraps: StdOut, File or TensorFlowEvent.
        early_stopping: Whether trials may be stopped early.
    """
    if _is_plain([*texts(container.get("command")), *texts(container.get("args"))]) and container.get("command"):
        return
    from kftune.lint.shell.shell_lines import line_findings

    yield from line_findings(container, path, collector, early_stopping=early_stopping)


def is_spoilt(words: list[str], placeholder: str, value: str) -> bool:
    """Whether a value, put into command and args as it is, is not one whole argument any more.

    Args:
        words: The container's command and args.
        placeholder: What the value is put in for.
        value: One of its values.
    """
    if HARMLESS.fullmatch(value):
        return False
    from kftune.lint.shell.shell_lines import is_torn

    return is_torn(words, placeholder, value)


def _is_plain(words: list[str]) -> bool:
    """Whether a command and its args are words without signs, or one script for sh or bash that is."""
    if len(words) == 3 and words[0] in OWN_SHELLS and words[1] == "-c":
        return _PLAIN.fullmatch(words[2]) is not None and words[2].split(" ", 1)[0] not in (*_FIRST_WORDS, "")
    if not words or words[0] in _FIRST_WORDS or words[0] in OWN_SHELLS or "=" in words[0]:
        return False
    return all(" " not in word and _PLAIN.fullmatch(word) for word in words)
