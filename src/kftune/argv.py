"""Writes an assignment as arguments of a command line: the only place that knows their form."""

from __future__ import annotations

from collections.abc import Mapping


def to_arguments(assignment: Mapping[str, str]) -> list[str]:
    """Returns an assignment as tokens of a command line, ``--name=text`` each.

    Args:
        assignment: Name -> text, or a target's placeholder for it.
    """
    return [f"--{name}={text}" for name, text in assignment.items()]
