"""What tests of the models that read numbers share: the defaults of experiment files, and torch with one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Every field of the training configuration that experiment files are written for, as JSON has its default.
DEFAULTS: dict[str, Any] = {
    # model
    "model_name": "medium",
    "model_config_path": "config/model_config.yaml",
    "vocab_size": 13,
    "max_sequence_length": 9,
    # data
    "metadata_path": "generated_data/metadata.yaml",
    "train_split": "train",
    "val_split": "val",
    "batch_size": 32,
    "num_workers": 4,
    "pin_memory": False,
    "augmentation": True,
    # training
    "device": "auto",
    "mixed_precision": False,
    "num_epochs": 40,
    "learning_rate": 1e-3,
    "weight_decay": 1e-4,
    "gradient_clip_norm": 1.0,
    "log_every_n_steps": 25,
    "save_every_n_epochs": 5,
    "keep_n_checkpoints": 3,
    "use_tensorboard": True,
    # loss, optimizer, scheduler
    "loss_type": "crossentropy",
    "label_smoothing": 0.0,
    "optimizer_type": "adam",
    "optimizer_betas": [0.9, 0.999],
    "scheduler_type": "steplr",
    "warmup_epochs": 0,
    "min_lr": 1e-6,
    "step_size": 10,
    "gamma": 0.5,
    "patience": 5,
    "factor": 0.5,
    # early stopping, output
    "early_stopping_patience": 10,
    "early_stopping_min_delta": 1e-4,
    "early_stopping_monitor": "val_char_accuracy",
    "early_stopping_mode": "max",
    "experiment_name": "hyperparameter_experiment",
    "output_dir": "training_output",
}


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """As in the processes that tests start: another number of threads adds up in another order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
