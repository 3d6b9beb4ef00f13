"""A command line for people, with ``<name>`` for a value that is not known and ``[--name]`` for a flag."""

from __future__ import annotations

from collections.abc import Mapping

from kftune.argv import PLAIN, Kinds
from kftune.spec.container import Command


def shown_command(step: Command, texts: Mapping[str, str], kinds: Kinds) -> list[str]:
    """Returns the command line of a step.

    Args:
        step: The step.
        texts: Name -> text, ``<name>`` for one that is not known.
        kinds: What is known about each of them.
    """
    form = step.form
    flags = [
        name
        for name, text in texts.items()
        if form.booleans != "value" and kinds.get(name, PLAIN).is_boolean and text.startswith("<")
    ]
    shown = {form.option(name): f"--[no-]{form.option(name)[2:]}" for name in flags}
    if form.booleans == "flag":
        shown = {option: f"[{option}]" for option in shown}
    line = step.command_line({**texts, **dict.fromkeys(flags, "true")}, kinds)
    return [shown.get(token, token) for token in line]
