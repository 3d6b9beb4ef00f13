"""Finds the script that a study's step runs, and its arguments apart from the hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.scripts.module import module_file
from kftune.spec.program import PythonProgram, python_program
from kftune.study import Step


class StepScript(NamedTuple):
    """What a step starts."""

    file: Path | None
    """The script; None if it is unknown."""
    why: str
    """Why it is unknown."""
    given: tuple[str, ...]
    """The arguments before those of the hyperparameters."""


def step_script(step: Step, folders: Sequence[Path]) -> StepScript:
    """Returns what a study's step starts.

    Args:
        step: The step.
        folders: Where to find its files, in order.
    """
    if step.module:
        program = PythonProgram(module=step.module, arguments=step.args)
    else:
        program = python_program([*step.command, *step.args])
    if program.module:
        what, file = f"module {program.module}", module_file(program.module, folders, run=True)
    else:
        places = [folder / program.script for folder in folders if program.script]
        what, file = program.script, next((place for place in places if place.is_file()), None)
    shown = " or ".join("the current folder" if folder == Path() else str(folder) for folder in folders)
    why = program.problem or f"there is no {what} in {shown}"
    return StepScript(file, "" if file else f"{why}; name the script with --script FILE", program.arguments)
