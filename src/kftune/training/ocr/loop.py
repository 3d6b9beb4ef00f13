"""Trains a model that reads Khmer numbers: epochs, metrics, the best epoch, checkpoints and the early end."""

from __future__ import annotations

import copy
import math
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from kftune.errors import HparamsError, MetricError
from kftune.hparams.models.ocr import OcrHparams
from kftune.metrics import report
from kftune.training import checkpoint
from kftune.training.ending import finish, is_out_of_patience
from kftune.training.event_file import EventFile
from kftune.training.ocr.batches import Batch, Order, create_data_loaders
from kftune.training.ocr.checkpoints import Checkpoints
from kftune.training.ocr.measuring import measure, outputs_of, texts_of
from kftune.training.ocr.model import Reader, create_model_from_config
from kftune.training.ocr.parts import (
    create_loss_function,
    create_optimizer,
    create_scheduler,
    not_used,
    setup_training_environment,
)
from kftune.training.ocr.pieces import Pieces
from kftune.training.ocr.scores import Scores
from kftune.training.ocr.sizes import size_of
from kftune.training.process import Process, start_process


def train(hparams: OcrHparams, data: Path | None = None, output: Path | None = None) -> int:
    """Trains, reports the metrics of each epoch, and keeps the best epoch's model.

    Args:
        hparams: Hyperparameters.
        data: ``metadata.yaml`` of a data set, or its folder; None uses metadata_path.
        output: The folder to write; None uses output_dir and experiment_name, in KFTUNE_OUTPUT_DIR if that is set.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that stopped it.

    Raises:
        HparamsError: The data set or a file of sizes cannot be used, or there are several processes.
        UsageError: The device does not exist.
        MetricError: A loss is no longer finite.
        OSError: The output folder cannot be written.
    """
    if (count := os.environ.get("WORLD_SIZE", "1")) != "1":
        raise HparamsError(f"ocr trains in one process, but WORLD_SIZE is {count}; start it without torchrun")
    device, use_amp = setup_training_environment(hparams)
    with start_process(hparams.seed, device) as process:
        folder = output or Path(os.environ.get("KFTUNE_OUTPUT_DIR", "")) / hparams.output_dir / hparams.experiment_name
        training = Training(hparams, process, use_amp, data)
        training.start(folder)
        return training.run(folder)


@dataclass
class Training:
    """One training.

    Attributes:
        hparams: Its hyperparameters.
        process: The process.
        use_amp: Whether it computes in 16 bits where this loses little.
        data: The data set; None for that of the hyperparameters.
        summary: What ``summary.json`` says at the end.
    """

    hparams: OcrHparams
    process: Process
    use_amp: bool
    data: Path | None
    summary: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        hparams, device = self.hparams, self.process.device
        self.train_loader, self.val_loader = create_data_loaders(hparams, self.data)
        self.size = size_of(hparams)
        self.model: Reader = create_model_from_config(hparams, self.size).to(device)
        self.loss: nn.Module = create_loss_function(hparams)
        self.optimizer = create_optimizer(self.model, hparams)
        self.scheduler = create_scheduler(self.optimizer, hparams)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.use_amp and device.type == "cuda")
        self.summary = {
            "status": "completed",
            "model_type": "ocr",
            "experiment_name": hparams.experiment_name,
            "epochs": 0,
            "best": None,
            "history": [],
            "fallbacks": [],
            "parameters": sum(weights.numel() for weights in self.model.parameters()),
            "pictures": {"train": _count(self.train_loader), "val": _count(self.val_loader)},
            "device": device.type,
            "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
        }

    def start(self, folder: Path) -> None:
        """Prepares the output folder, and goes on from a checkpoint if asked to.

        Args:
            folder: The output folder.

        Raises:
            HparamsError: The checkpoint is that of another training.
        """
        checkpoints = Checkpoints(folder, self.hparams.keep_n_checkpoints)
        state = checkpoints.newest(self.hparams) if self.hparams.resume else None
        if state is None:
            checkpoints.remove()
            shutil.rmtree(folder / "tensorboard", ignore_errors=True)
            checkpoint.start_output(folder, self.hparams)
        else:
            self._take_over(state, folder)
            self.summary |= state["summary"]
            checkpoint.write_json(folder / "hparams.json", self.hparams.to_dict())
            print(f"goes on after epoch {self.summary['epochs']}")
        for sentence in not_used(self.hparams):
            print(sentence)
        pictures = self.summary["pictures"]
        self.pieces = Pieces(allowed=self.hparams.fallback, found=self.summary["fallbacks"])
        print(
            f"{self.hparams.model_name} with {self.summary['parameters']} parameters on {self.process.device}: "
            f"{pictures['train']} pictures to train on, {pictures['val']} to validate with",
            flush=True,
        )

    def run(self, folder: Path) -> int:
        """Trains the epochs that remain and returns the exit status.

        Args:
            folder: The output folder.
        """
        started, hparams, summary = time.monotonic(), self.hparams, self.summary
        checkpoints = Checkpoints(folder, hparams.keep_n_checkpoints)
        events = EventFile(folder / "tensorboard") if hparams.use_tensorboard else None
        done = self._state()
        saved = summary["epochs"]
        while summary["epochs"] < hparams.num_epochs and not is_out_of_patience(
            summary, hparams.early_stopping_patience
        ):
            epoch = summary["epochs"] + 1
            metrics = self._epoch(epoch)
            if metrics is None:
                summary["status"] = "stopped"
                break
            summary["epochs"] = epoch
            summary["history"].append({"epoch": epoch, **metrics})
            if self._is_better(metrics):
                summary["best"] = {"epoch": epoch, **metrics}
                checkpoint.save_model(folder, {"state_dict": self.model.state_dict(), "size": asdict(self.size)})
            done = self._state()
            if epoch % hparams.save_every_n_epochs == 0:
                checkpoints.save(epoch, done)
                saved = epoch
            report(step=epoch, **metrics)
            if events is not None:
                events.add(epoch, metrics)
        if saved < summary["epochs"]:
            checkpoints.save(summary["epochs"], done)
        if summary["status"] != "stopped" and is_out_of_patience(summary, hparams.early_stopping_patience):
            summary["status"] = "out of patience"
        return finish(folder, summary, self.process, started)

    def _epoch(self, epoch: int) -> dict[str, float] | None:
        """Trains one epoch and returns its metrics; None when it was asked to stop."""
        started = time.monotonic()
        # A training that goes on draws the same numbers as one that was not interrupted.
        torch.manual_seed(self.hparams.seed * 100_003 + epoch)
        learning_rate = self.optimizer.param_groups[0]["lr"]
        train_loss, train = self._train_epoch(epoch)
        if self.process.stops_now:
            return None
        val_loss, val = measure(self.model, self.loss, self.val_loader, self.process.device, self.use_amp)
        if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
            raise MetricError(
                f"losses must be finite, but after epoch {epoch} train_loss is {train_loss} and val_loss is "
                f"{val_loss}; lower learning_rate or gradient_clip_norm"
            )
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(val_loss)
        else:
            self.scheduler.step()
        return {
            "train_loss": train_loss,
            "val_loss": val_loss,
            "train_char_accuracy": train.char_accuracy,
            "val_char_accuracy": val.char_accuracy,
            "train_seq_accuracy": train.seq_accuracy,
            "val_seq_accuracy": val.seq_accuracy,
            "lr": learning_rate,
            "epoch_seconds": time.monotonic() - started,
        }

    def _train_epoch(self, epoch: int) -> tuple[float, Scores]:
        self.model.train()
        self.loss.train()
        order = self.train_loader.sampler
        assert isinstance(order, Order)  # noqa: S101 - create_data_loaders made it
        order.epoch = epoch
        total, count, scores = torch.zeros((), dtype=torch.float64), 0, Scores()
        for step, (ink_BHW, tokens_BL) in enumerate(self.train_loader, start=1):
            if self.process.stops_now:
                break
            loss, texts = self.pieces.step((ink_BHW, tokens_BL), epoch, self.optimizer.zero_grad, self._gradients)
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.hparams.gradient_clip_norm)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            total += loss * len(ink_BHW)
            count += len(ink_BHW)
            scores.add(texts, texts_of(tokens_BL))
            if step % self.hparams.log_every_n_steps == 0:
                print(f"epoch {epoch}, step {step} of {len(order)}: loss {loss.item():.4f}", flush=True)
        return total.item() / max(1, count), scores

    def _gradients(self, piece: Batch, share: float) -> tuple[Tensor, list[str]]:
        """Adds the gradients of a piece of a batch; returns its loss and what was read.

        Args:
            piece: The pictures and their tokens.
            share: How much the loss counts.
        """
        outputs = outputs_of(self.model, piece, self.process.device, self.use_amp)
        loss: Tensor = self.loss(outputs, piece[1].to(self.process.device))
        torch.autograd.backward(self.scaler.scale(loss * share))
        return loss, self.model.texts(outputs.detach())

    def _is_better(self, metrics: dict[str, float]) -> bool:
        hparams, best = self.hparams, self.summary["best"]
        if best is None:
            return True
        gain = metrics[hparams.early_stopping_monitor] - best[hparams.early_stopping_monitor]
        return bool((gain if hparams.early_stopping_mode == "max" else -gain) > hparams.early_stopping_min_delta)

    def _take_over(self, state: dict[str, Any], folder: Path) -> None:
        try:
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
        except (RuntimeError, ValueError, KeyError) as error:
            raise HparamsError(
                f"resume continues only with a model of the same size, but the checkpoint in {folder} does not fit: "
                f"{' '.join(str(error).split())[:200]}; is the file at model_config_path another one now? "
                f"resume=false begins anew"
            ) from error

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "scaler": self.scaler,
        }

    def _state(self) -> dict[str, Any]:
        """Returns a copy of all that the next epoch depends on."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        kept = {name: self.summary[name] for name in ("epochs", "best", "history", "fallbacks")}
        return copy.deepcopy({**state, "summary": kept})


def _count(loader: DataLoader[Batch]) -> int:
    order = loader.sampler
    assert isinstance(order, Order)  # noqa: S101 - create_data_loaders made it
    return order.count
