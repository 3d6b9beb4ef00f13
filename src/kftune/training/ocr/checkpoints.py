"""Checkpoints from which a training goes on as if it had not been interrupted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kftune.errors import HparamsError
from kftune.hparams.models.ocr import OcrHparams
from kftune.training import checkpoint
from kftune.training.folder import read_json

_NAME = re.compile(r"epoch-(\d+)\.pt")
_MAY_DIFFER = {
    "num_epochs", "device", "num_workers", "pin_memory", "log_every_n_steps", "save_every_n_epochs",
    "keep_n_checkpoints", "use_tensorboard", "early_stopping_patience", "output_dir", "experiment_name", "resume",
    "metadata_path",
}  # fmt: skip
"""What may change between a training and its continuation: it does not change the epochs that are done."""


class Checkpoints:
    """The folder ``checkpoints`` in a training's output folder.

    Args:
        folder: The output folder.
        keep: How many checkpoints to keep, the newest.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self._output = folder
        self._folder = folder / "checkpoints"
        self._keep = keep

    def save(self, epoch: int, state: Mapping[str, Any]) -> None:
        """Writes the checkpoint of an epoch, and removes those that are too old.

        Args:
            epoch: The epoch that is done.
            state: Tensors, numbers, text, and dicts and lists of them.

        Raises:
            OSError: The folder cannot be written.
        """
        checkpoint.save_state(self._folder / f"epoch-{epoch:04}.pt", state)
        for path in self._saved()[: -self._keep]:
            path.unlink()

    def remove(self) -> None:
        """Removes the checkpoints of an earlier training."""
        for path in self._saved():
            path.unlink()

    def newest(self, hparams: OcrHparams) -> dict[str, Any] | None:
        """Returns the newest state; None without one.

        Args:
            hparams: The hyperparameters of the training that goes on.

        Raises:
            HparamsError: The checkpoint is that of another training, or another file.
        """
        saved = self._saved()
        if not saved:
            return None
        before, now = read_json(self._output / "hparams.json"), hparams.to_dict()
        other = [name for name in now if name not in _MAY_DIFFER and before.get(name) != now[name]]
        if other:
            name = other[0]
            raise HparamsError(
                f"resume goes on only with the same hyperparameters, but {name} is {now[name]!r} and was "
                f"{before.get(name)!r} in {self._output}; choose another output_dir, or resume=false"
            )
        return checkpoint.load_state(saved[-1])

    def _saved(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        named = ((_NAME.fullmatch(path.name), path) for path in self._folder.iterdir())
        return [path for _, path in sorted((int(match[1]), path) for match, path in named if match)]
