"""Reads searches of other systems as studies, and says what becomes of each part of them.

Each system has a module of its name with `read(path, options) -> Imported`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from kftune.errors import UnknownNameError
from kftune.importers.imported import Imported, Options

SYSTEMS = {
    "sagemaker": "Amazon SageMaker: tuning_config, CreateHyperParameterTuningJob, HyperparameterTuner",
    "azureml": "Azure ML: sweep jobs and components",
    "wandb": "Weights & Biases: sweep configurations",
    "optuna": "Optuna: storages and distributions",
    "ray": "Ray Tune: param_space as JSON or Python text",
    "hydra": "Hydra: parameters of its sweepers",
    "katib": "Katib: Experiments",
    "experiments": "lists of experiments: named sets of values",
}
"""System -> what is read of it."""

__all__ = ["SYSTEMS", "Imported", "Options", "read_foreign"]


def read_foreign(system: str, path: Path, options: Options = Options()) -> Imported:  # noqa: B008 - it is immutable
    """Returns the study that a file of another system describes.

    Args:
        system: One of `SYSTEMS`.
        path: The file.
        options: What the user decides.

    Raises:
        ForeignFileError: The file has no search of that system, or it is invalid.
        UnknownNameError: There is no such system.
        OSError: The file cannot be read.
    """
    if system not in SYSTEMS:
        raise UnknownNameError("system", system, SYSTEMS)
    return cast("Imported", import_module(f"kftune.importers.{system}").read(path, options))
