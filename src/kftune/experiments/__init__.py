"""Runs a list of named experiments: `HyperparameterTuner`, and the functions that read its results.

`docs/guides/experiment-lists.md` describes the file, the command and the results.
"""

from __future__ import annotations

from kftune.errors import ConfigurationError, DataLoaderError, ExperimentFailedError, ModelCreationError
from kftune.experiments.tuner import (
    HyperparameterTuner,
    get_best_hyperparameters,
    load_latest_results,
)
from kftune.hparams.models.ocr import create_training_config

__all__ = [
    "ConfigurationError",
    "DataLoaderError",
    "ExperimentFailedError",
    "HyperparameterTuner",
    "ModelCreationError",
    "create_training_config",
    "get_best_hyperparameters",
    "load_latest_results",
]
