"""What happens around each epoch: metric lines, checkpoints to go on with, the end after a signal."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import distributed

from kftune.errors import MetricError
from kftune.hparams.models.training import CheckpointHparams, TrainerHparams
from kftune.metrics import check_metric_name, report
from kftune.training.lightning.averages import Averages
from kftune.training.lightning.fallback import Effort
from kftune.training.lightning.output import LAST, PREEMPTED, Run
from kftune.training.lightning.stopping import Stopped, StopRequest
from kftune.training.lightning.system import Meter

_AGREE_EVERY = 8
"""Batches between two times that several processes ask each other whether to stop."""


def say(text: str) -> None:
    """Prints a line of the log; only the first of several processes does.

    Args:
        text: The line.
    """
    if _is_first():
        print(text, flush=True)


@pl.utilities.rank_zero_only
def _first() -> bool:
    return True


def _is_first() -> bool:
    return _first() is True


class Epochs(Checkpoint):
    """Reports each epoch, keeps ``last.ckpt``, and ends the training when a signal asks for it.

    It is one of Lightning's checkpoints only because these are called after the model's own hooks.

    Args:
        run: The training and its folder.
        hparams: How it is trained.
        checkpoint: What is kept of it.
        effort: What it needs memory for.
        asked: Whether a signal asked for the end.
    """

    def __init__(
        self, run: Run, hparams: TrainerHparams, checkpoint: CheckpointHparams, *, effort: Effort, asked: StopRequest
    ) -> None:
        self._run = run
        self._hparams = hparams
        self._checkpoint = checkpoint
        self._effort = effort
        self._asked = asked
        self._meter: Meter | None = None
        self._trained = self._learning = 0.0
        self._examples = 0
        self._saved = -1
        self._is_between = False

    # -- the course of a training ------------------------------------------------------------------------------

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        # Prepares the output folder, when all processes have looked for a checkpoint in it.
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            self._run.prepare()
        trainer.strategy.barrier()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Takes the signals again, after Lightning took them, and puts loaded sums on the model's device.
        self._asked.listen()
        for logger in trainer.loggers:
            logger.log_hyperparams(self._run.settings)
        averages = _averages(pl_module)
        averages.sums = {name: value.to(pl_module.device) for name, value in averages.sums.items()}
        self._saved = trainer.current_epoch
        self._begin(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Keeps what the epoch before gave, and ends if asked to. The learning rate has made its step by now.
        self._is_between = True
        self._keep(trainer)
        if self._agrees(trainer):
            self._stop(trainer)
        self._is_between = False
        self._begin(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # Ends between two steps of the optimizer, if asked to.
        if trainer.is_last_batch:  # before the model begins anew
            self._trained = time.monotonic() - self._learning
            self._examples = _averages(pl_module).count * trainer.world_size
        if self._meter is not None:
            self._meter.sample()
        accumulate = trainer.accumulate_grad_batches
        if trainer.world_size > 1:
            is_time = (batch_idx + 1) % (_AGREE_EVERY * accumulate) == 0
        else:
            is_time = self._asked.number != 0 and (batch_idx + 1) % accumulate == 0
        # After the last batch, the validation and the end of the epoch come first.
        if is_time and not trainer.is_last_batch and self._agrees(trainer):
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Reports the epoch; the model has logged its averages by now.
        # Or else Lightning leaves out a step of ReduceLROnPlateau in an epoch that was interrupted.
        trainer.fit_loop.restarting = False
        epoch = trainer.current_epoch + 1
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        lost = sorted(name for name, value in metrics.items() if not math.isfinite(value))
        if any(name.endswith("/loss") for name in lost) and not trainer.should_stop:
            raise MetricError(
                f"losses must be finite, but after epoch {epoch} {', '.join(f'{n} is {metrics[n]}' for n in lost)}; "
                f"lower the learning rate, or set trainer.gradient_clip_val"
            )
        if lost:
            say(f"epoch {epoch}: left out, because they are not finite: {', '.join(lost)}")
        kept = {name: value for name, value in metrics.items() if name not in lost and _is_name(name)}
        read = self._meter.read(self._examples, self._trained) if self._meter is not None else {}
        system = {f"system/{name}": value for name, value in read.items()}
        self._run.history.append({"epoch": epoch, **kept, **system})
        if kept:
            report(kept, step=epoch)
        for logger in trainer.loggers:
            logger.log_metrics({**system, "epoch": epoch}, step=trainer.global_step)
        if "console" in self._hparams.loggers and system:
            report({name: float(f"{value:.4g}") for name, value in system.items()}, step=epoch)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Keeps what the last epoch gave.
        self._keep(trainer)

    # -- what goes into checkpoints ----------------------------------------------------------------------------

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # Adds what Lightning does not know: the epochs so far, the sums of this one, and what memory allowed.
        if self._is_between:  # Lightning counts the next epoch already, and would go on at its end
            for counted in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
                counted["ready"] -= 1
        sums, count = _averages(pl_module).totals()
        checkpoint["kftune"] = {
            "history": self._run.history,
            "fallbacks": self._run.fallbacks,
            "effort": asdict(self._effort),
            "sums": sums,
            "count": count,
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # Takes it back.
        kept = checkpoint.get("kftune")
        if kept is None:
            return
        self._run.history[:] = kept["history"]
        averages = _averages(pl_module)
        if trainer.is_global_zero:  # the sums are those of all processes
            averages.sums, averages.count = dict(kept["sums"]), kept["count"]

    # -- its parts ---------------------------------------------------------------------------------------------

    def _begin(self, trainer: pl.Trainer) -> None:
        self._meter = Meter(trainer.strategy.root_device)
        self._learning = time.monotonic()
        self._trained, self._examples = 0.0, 0

    def _keep(self, trainer: pl.Trainer) -> None:
        """Writes last.ckpt, unless nothing is new."""
        epoch = trainer.current_epoch
        if epoch == self._saved or not self._checkpoint.save_last or epoch % self._checkpoint.every_n_epochs:
            return
        self._saved = epoch
        trainer.save_checkpoint(self._run.checkpoints / LAST)
        if trainer.is_global_zero:
            (self._run.checkpoints / PREEMPTED).unlink(missing_ok=True)

    def _agrees(self, trainer: pl.Trainer) -> bool:
        """Returns whether a signal asked one of the processes to stop; all must call it together."""
        asked = float(self._asked.number)
        if trainer.world_size > 1:
            most = torch.tensor(asked, device=trainer.strategy.root_device)
            distributed.all_reduce(most, distributed.ReduceOp.MAX)
            asked = most.item()
            self._asked.number = self._asked.number or int(asked)
        return asked > 0

    def _stop(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self._run.checkpoints / PREEMPTED)
        raise Stopped


def _averages(pl_module: Any) -> Averages:
    found: Averages = pl_module.averages["train"]
    return found


def _is_name(name: str) -> bool:
    try:
        check_metric_name(name)
    except MetricError as error:
        print(f"left out: {error}", file=sys.stderr, flush=True)
        return False
    return True
