"""Trains the models of `kftune.hparams.models.ocr`, which read Khmer numbers. `docs/ocr.md` describes data and models.

Each part of a training can be used alone.
"""

from kftune.hparams.models.ocr import create_training_config
from kftune.training.ocr.batches import create_data_loaders
from kftune.training.ocr.loop import train
from kftune.training.ocr.measuring import evaluate_trained, load_trained
from kftune.training.ocr.model import create_model_from_config
from kftune.training.ocr.parts import (
    create_loss_function,
    create_optimizer,
    create_scheduler,
    setup_training_environment,
)

__all__ = [
    "create_data_loaders",
    "create_loss_function",
    "create_model_from_config",
    "create_optimizer",
    "create_scheduler",
    "create_training_config",
    "evaluate_trained",
    "load_trained",
    "setup_training_environment",
    "train",
]
