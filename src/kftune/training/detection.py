"""What all trainings of detectors need: the line of an epoch, and whether a training may continue."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path

from kftune.errors import HparamsError
from kftune.hparams import Hparams
from kftune.training.folder import read_json

LOG_NAMES = {
    "train_loss": "train/box_loss",
    "train_cls_loss": "train/cls_loss",
    "train_dfl_loss": "train/dfl_loss",
    "val_loss": "val/box_loss",
    "val_cls_loss": "val/cls_loss",
    "val_dfl_loss": "val/dfl_loss",
    "precision": "precision",
    "recall": "recall",
    "mAP_0.5": "mAP@0.5",
    "mAP_0.5_0.95": "mAP@0.5:0.95",
}
"""Metric -> its name in the log line."""


def log_line(epoch: int, epochs: int, metrics: Mapping[str, float]) -> str:
    """Returns the line of an epoch for people, and for what reads logs with a regex.

    Args:
        epoch: The epoch that is done.
        epochs: All epochs.
        metrics: Name -> value.
    """
    parts = [f"{name}: {metrics[metric]:.6g}" for metric, name in LOG_NAMES.items() if metric in metrics]
    return f"epoch {epoch} of {epochs}, {', '.join(parts)}"


def check_continues(folder: Path, hparams: Hparams, may_differ: Set[str]) -> None:
    """Rejects hyperparameters with which a training cannot continue.

    Args:
        folder: Its output folder.
        hparams: The hyperparameters of the continuation.
        may_differ: Those that change no epoch.

    Raises:
        HparamsError: Another one differs.
    """
    before, now = read_json(folder / "hparams.json"), hparams.to_dict()
    other = next((name for name in now if name not in may_differ and before.get(name) != now[name]), None)
    if other is not None:
        raise HparamsError(
            f"resume continues only with the same hyperparameters, but {other} is {now[other]!r} and was "
            f"{before.get(other)!r} in {folder}; choose another folder, or resume=false"
        )
