"""Reads the arguments of the steps other than training: each one is ``--name=value``."""

from __future__ import annotations

from collections.abc import Sequence

from kftune.errors import UsageError, suggestion
from kftune.outputs import take


def step_arguments(
    step: str, argv: Sequence[str], needed: Sequence[str], further: Sequence[str] = ()
) -> dict[str, str]:
    """Returns the values of a step's arguments by name, without optional ones that are missing.

    Args:
        step: The step, for messages.
        argv: The arguments after its name.
        needed: Names of required arguments.
        further: Names of optional arguments.

    Raises:
        UsageError: A required argument is missing or empty, one is given twice, or one is unknown.
    """
    given, rest = take(argv, *needed, *further)
    if rest:
        flag = rest[0].partition("=")[0]
        raise UsageError(
            f"{step} takes arguments of the form --name=value, but got {rest[0]!r}; "
            f"{suggestion(flag.lstrip('-'), [*needed, *further])}"
        )
    missing = [name for name in needed if name not in given]
    if missing:
        raise UsageError(f"{step} needs --{missing[0]}=…, but it is missing or empty")
    return given
