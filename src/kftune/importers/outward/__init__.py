"""Writes a study in the words of other systems, and says what becomes of each part of it.

Each system has a module of its name with `write(study) -> Exported`.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from kftune.errors import UnknownNameError
from kftune.importers.outward.exported import Exported
from kftune.study import Study
from kftune.study.each import refuse_entities

TARGETS = {
    "azureml": "a sweep job (YAML)",
    "optuna": "distributions (JSON), as kftune import optuna and optuna.distributions read them",
}
"""System -> what is written for it."""

__all__ = ["TARGETS", "Exported", "write_foreign"]


def write_foreign(system: str, study: Study) -> Exported:
    """Returns a study in the words of another system.

    Args:
        system: One of `TARGETS`.
        study: The study.

    Raises:
        UnknownNameError: There is no such system.
        StudyError: The study has entities.
    """
    if system not in TARGETS:
        raise UnknownNameError("system", system, TARGETS)
    refuse_entities(study, f"the form of {system}")
    return cast("Exported", import_module(f"kftune.importers.outward.{system}").write(study))
