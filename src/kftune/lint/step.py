"""Findings about the command of a step, of a study or a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kftune.katib.go.types import Path
from kftune.katib.trial.quoting import is_line
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding


def command_findings(command: Sequence[object], path: Path) -> Iterator[Finding]:
    """Yields a finding if a command is one text with blanks: no shell splits it, so it is the name of a program.

    Args:
        command: The step's command.
        path: Its place in the file.
    """
    tokens = list(map(str, command))
    if is_line(tokens):
        items = ", ".join(tokens[0].split())
        message = f"{tokens[0]!r} is taken for the name of one program; write [{items}]"
        yield finding("KT408", path, message)
