"""The model that a study's step trains with kftune's own program: ``module: kftune.training``, or ``kftune train``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kftune.errors import KftuneError
from kftune.hparams import Hparams
from kftune.spec.classes import load_class
from kftune.spec.program import python_program
from kftune.study.step import Step

_PROGRAM = "kftune.training"


class TrainedModel(NamedTuple):
    """The model that a step names."""

    name: str
    hparams: type[Hparams] | None
    """Its class; None if there is none of that name."""
    problem: str
    """Why there is no class; empty if there is one."""


def trained_model(step: Step, folders: Sequence[Path]) -> TrainedModel | None:
    """Returns the model that a step trains; None if it runs another program.

    Args:
        step: The step.
        folders: Where trials find modules and a project file. Those of PYTHONPATH follow.
    """
    arguments = _arguments(step.start)
    if arguments is None:
        return None
    name = arguments[0] if arguments else ""
    if not name or name.startswith("-"):
        return TrainedModel(name, None, f"it must be a model, but is {name or 'missing'}")
    further = step.env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    try:
        found = load_class(name, [*folders, *(Path(each) for each in further.split(os.pathsep) if each)])
    except KftuneError as error:
        return TrainedModel(name, None, str(error))
    return TrainedModel(name, found, "")


def _arguments(start: Sequence[str]) -> Sequence[str] | None:
    """Returns the arguments of kftune's program for training; None if a command starts another one."""
    if start[:2] == ["kftune", "train"]:
        return start[2:]
    program = python_program(start)
    return program.arguments if program.module == _PROGRAM else None
