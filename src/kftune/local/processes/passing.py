"""How a trial or step on this machine gets its arguments: its command line, its variables, and its JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from kftune import confined
from kftune.argv import PLAIN, Kinds, to_json
from kftune.spec.arguments import HPARAMS_FILE
from kftune.spec.container import SHOWN_FILE, Command


def passed(
    step: Command, assignment: Mapping[str, str], kinds: Kinds, folder: Path, seen: str
) -> tuple[list[str], dict[str, str]]:
    """Returns the command line and the environment variables, and writes the JSON file if there is one.

    Args:
        step: What runs.
        assignment: Name -> text.
        kinds: What is known about each of them.
        folder: A folder for the file.
        seen: The folder's path as the program sees it.
    """
    given = step.arguments
    if given is None:
        return step.command_line(assignment), {}
    if given.way != "json-file":
        return [*step.start, *step.arguments_of(assignment, kinds, "")], step.variables(assignment, kinds)
    hparams = {name: text for name, text in assignment.items() if kinds.get(name, PLAIN).is_hparam}
    # A trial that goes on may have left a link there.
    confined.write(folder, SHOWN_FILE, json.dumps(to_json(hparams, given.form, kinds), ensure_ascii=False))
    file = f"{seen}/{SHOWN_FILE}"
    return [*step.start, *step.arguments_of(assignment, kinds, file)], {HPARAMS_FILE: file}
