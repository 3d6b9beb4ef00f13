"""Lightning's checkpoints and early stopping, with errors for metrics that nobody logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor

from kftune.errors import HparamsError, suggestion
from kftune.hparams.models.training import METRIC_IN_NAME, CheckpointHparams, EarlyStoppingHparams, ModelHparams

_ALWAYS = ("epoch", "step")


class Keeper(ModelCheckpoint):
    """Keeps the best checkpoints.

    Args:
        hparams: Which, and how they are named.
        folder: Where they are.
    """

    def __init__(self, hparams: CheckpointHparams, folder: Path) -> None:
        self._hparams = hparams
        super().__init__(
            dirpath=folder,
            filename=METRIC_IN_NAME.sub(lambda found: f"{found[1].replace('/', '_')}={found[0]}", hparams.filename),
            monitor=hparams.monitor,
            mode=hparams.mode,
            save_top_k=hparams.save_top_k,
            every_n_epochs=hparams.every_n_epochs,
            save_on_train_epoch_end=True,
            auto_insert_metric_name=False,
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Keeps the epoch if it is one of the best.
        check_logged("checkpoint", names_in(self._hparams), trainer.callback_metrics)
        super().on_train_epoch_end(trainer, pl_module)

    def format_checkpoint_name(self, metrics: dict[str, Tensor], *args: Any, **kwargs: Any) -> str:
        """Returns the path of a checkpoint; epochs count from 1, as on the metric lines."""
        epoch = metrics.get("epoch")
        shown = metrics if epoch is None else {**metrics, "epoch": epoch + 1}
        return super().format_checkpoint_name(shown, *args, **kwargs)


class Stopping(EarlyStopping):
    """Ends the training when a metric does not become better.

    Args:
        hparams: The metric, and how long it is waited for.
    """

    def __init__(self, hparams: EarlyStoppingHparams) -> None:
        super().__init__(**hparams.to_dict(), check_on_train_epoch_end=True, strict=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Ends the training if it is time.
        check_logged("early_stopping", (self.monitor,), trainer.callback_metrics)
        super().on_train_epoch_end(trainer, pl_module)


class Names(pl.Callback):
    """Checks the names of metrics of a validation before the first epoch, after Lightning's first look at the data.

    Args:
        hparams: The hyperparameters of the model.
    """

    def __init__(self, hparams: ModelHparams) -> None:
        self._hparams = hparams

    def on_sanity_check_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Checks the names.
        groups: list[tuple[str, Iterable[str]]] = [("checkpoint", names_in(self._hparams.checkpoint))]
        if self._hparams.early_stopping is not None:
            groups.append(("early_stopping", (self._hparams.early_stopping.monitor,)))
        for group, names in groups:
            known = [name for name in names if name.startswith("validation/")]
            check_logged(group, known, trainer.callback_metrics)


def names_in(hparams: CheckpointHparams) -> list[str]:
    """Returns the names of the metrics that checkpoints need."""
    return [hparams.monitor, *METRIC_IN_NAME.findall(hparams.filename)]


def check_logged(group: str, names: Iterable[str], metrics: Mapping[str, Any]) -> None:
    """Checks that the model logs what checkpoints or early stopping ask for.

    Args:
        group: The group of hyperparameters.
        names: The names that it asks for.
        metrics: What is logged.

    Raises:
        HparamsError: A name is not logged.
    """
    for name in names:
        if name not in metrics and name not in _ALWAYS:
            without = name.startswith("validation/") and not any(each.startswith("validation/") for each in metrics)
            hint = "there is no data for a validation" if without else suggestion(name, metrics)
            raise HparamsError(f"{group}: no metric {name!r} is logged; {hint}")
