"""Writes an imported study and its class as text."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from kftune.importers.flow import bare_or_quoted, flow
from kftune.importers.imported import REQUIRED, Field, Imported, lines_of
from kftune.importers.names import study_name
from kftune.scaffold.class_text import module_text
from kftune.scaffold.fields import Fields, WrittenField
from kftune.scripts.script import ScriptArgument
from kftune.spec.kind import STUDY_KEYS

_WIDTH = 120
_NESTED = ("search", "values", "step", "objective", "budget", "stopping")


def study_text(imported: Imported, hparams: str, origin: str) -> str:
    """Returns the study file.

    Args:
        imported: The import.
        hparams: The class, as the study names it.
        origin: The command that wrote it.
    """
    lines = [f"# Written by `{origin}`."]
    if imported.open:
        lines += ["# To fill in or to check:", *_comments(f"{each.key}: {each.text}" for each in imported.open)]
    lost = lines_of(imported.notes, "lost")
    if lost:
        lines += ["# Not carried over, or not as it was:", *_comments(f"{each.where}: {each.text}" for each in lost)]
    document = {"name": imported.name, "hparams": hparams, **imported.study}
    for key in STUDY_KEYS:
        if key in document:
            lines += _entry(key, document[key])
    return "\n".join(lines) + "\n"


def class_text(imported: Imported, class_name: str, origin: str) -> str:
    """Returns the module with the class.

    Args:
        imported: The import.
        class_name: The name of the class.
        origin: The command that wrote it.
    """
    found = Fields([_field(name, each) for name, each in imported.fields.items()])
    # The name comes from the file, and this text is run: only letters, digits and dashes may reach it.
    head = f"Hyperparameters of {study_name(imported.name)}, written by `{origin}`."
    return module_text(class_name, head, "The hyperparameters that the imported file names.", found)


def _entry(key: str, value: Any) -> list[str]:
    if key in _NESTED and isinstance(value, Mapping) and (key in ("search", "values", "step") or len(flow(value)) > 90):
        return [f"{key}:", *(f"  {bare_or_quoted(str(name))}: {flow(inner)}" for name, inner in value.items())]
    if isinstance(value, list) and len(flow(value)) > 90:
        return [f"{key}:", *(f"  - {flow(item)}" for item in value)]
    return [f"{key}: {flow(value)}"]


def _comments(texts: Iterable[str]) -> list[str]:
    made: list[str] = []
    for text in texts:
        made += textwrap.wrap(
            " ".join(text.split()), _WIDTH, initial_indent="#   ", subsequent_indent="#     ", break_on_hyphens=False
        )
    return made


def _field(name: str, each: Field) -> WrittenField:
    value = each.default
    text = None if value is REQUIRED else json.dumps(value) if isinstance(value, str) else repr(value)
    return WrittenField(name, each.annotation, text, ScriptArgument(place=""), "")
