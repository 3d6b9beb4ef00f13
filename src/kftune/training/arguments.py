"""The arguments of a step that is no training: all are ``--name=value``, and nothing else may stand there."""

from __future__ import annotations

from collections.abc import Sequence

from kftune.errors import UsageError, suggestion
from kftune.outputs import take


def step_arguments(
    step: str, argv: Sequence[str], needed: Sequence[str], further: Sequence[str] = ()
) -> dict[str, str]:
    """The values of a step's arguments by name; one that may be missing, and is, is left out.

    Args:
        step: The step, for messages.
        argv: The arguments behind its name.
        needed: Names that must be there.
        further: Names that may be there.

    Raises:
        UsageError: A needed one is missing or empty, one is there twice, or one is unknown.
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
