"""Trains the detector: epochs, metrics, the best epoch, the state to resume from, and a picture of what it finds."""

from __future__ import annotations

import copy
import math
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kftune.errors import HparamsError, MetricError
from kftune.files import write_bytes
from kftune.hparams.models.detector import DetectorHparams
from kftune.metrics import report
from kftune.training import checkpoint
from kftune.training.detection import log_line
from kftune.training.detector.canvases import Canvas, draw_canvas
from kftune.training.detector.loss import Losses, losses
from kftune.training.detector.model import STRIDE, Detector, Found, cell_centers, find
from kftune.training.detector.output import picture, state_of
from kftune.training.detector.png import to_png
from kftune.training.detector.scores import Scores
from kftune.training.ending import finish, is_out_of_patience
from kftune.training.process import Process, start_process

_VALIDATED_AT_ONCE = 50
_SHOWN = 12
"""Canvases in ``predictions.png``."""


def train(hparams: DetectorHparams, data: Path | None = None, output: Path | None = None) -> int:
    """Trains, reports the metrics of each epoch, and keeps the best epoch's model.

    Args:
        hparams: Hyperparameters.
        data: Must be None: the detector draws its canvases itself.
        output: The folder to write; None uses KFTUNE_OUTPUT_DIR.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that stopped it.

    Raises:
        HparamsError: Data is given, there are several processes, or resume finds another training.
        UsageError: KFTUNE_DEVICE is invalid.
        MetricError: A loss is no longer finite.
        OSError: The output folder cannot be written.
    """
    if data is not None:
        raise HparamsError(f"detector draws its canvases itself, but --data is {data}; leave it out")
    if (count := os.environ.get("WORLD_SIZE", "1")) != "1":
        raise HparamsError(f"detector trains in one process, but WORLD_SIZE is {count}; start it without torchrun")
    with start_process(hparams.seed) as process:
        folder = output or process.output_dir
        training = Training(hparams, process)
        training.start(folder)
        return training.run(folder)


@dataclass
class Training:
    """One training.

    Attributes:
        hparams: Its hyperparameters.
        process: The process.
        summary: What ``summary.json`` says at the end.
    """

    hparams: DetectorHparams
    process: Process
    summary: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        hparams, device = self.hparams, self.process.device
        self.val = [self._canvas("val", number) for number in range(hparams.val_images)]
        self.model = Detector(hparams).to(device)
        self.optimizer = _optimizer(self.model, hparams)
        cells = hparams.imgsz // STRIDE
        self.centers_G2 = cell_centers(cells, cells, device)
        self.summary = {
            "status": "completed",
            "experiment_name": "detector",
            "epochs": 0,
            "best": None,
            "history": [],
            "parameters": sum(weights.numel() for weights in self.model.parameters()),
            "device": device.type,
            "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
        }

    def start(self, folder: Path) -> None:
        """Prepares the output folder, and continues after the last finished epoch if asked to.

        Args:
            folder: The output folder.

        Raises:
            HparamsError: The state in the folder is that of another training.
        """
        state = state_of(folder, self.hparams) if self.hparams.resume else None
        if state is None:
            for name in ("last.pt", "predictions.png"):
                (folder / name).unlink(missing_ok=True)
            checkpoint.start_output(folder, self.hparams)
        else:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.summary |= state["summary"]
            checkpoint.write_json(folder / "hparams.json", self.hparams.to_dict())
            print(f"continues after epoch {self.summary['epochs']}")
        print(
            f"detector with {self.summary['parameters']} parameters on {self.process.device}: "
            f"{self.hparams.train_images} canvases to train on, {len(self.val)} to validate with",
            flush=True,
        )

    def run(self, folder: Path) -> int:
        """Trains the epochs that remain and returns the exit status.

        Args:
            folder: The output folder.
        """
        started, hparams, summary = time.monotonic(), self.hparams, self.summary
        while summary["epochs"] < hparams.epochs and not is_out_of_patience(summary, hparams.patience):
            epoch = summary["epochs"] + 1
            metrics = self._epoch(epoch)
            if metrics is None:
                summary["status"] = "stopped"
                break
            summary["epochs"] = epoch
            summary["history"].append({"epoch": epoch, **metrics})
            best = summary["best"]
            if best is None or metrics["mAP_0.5_0.95"] > best["mAP_0.5_0.95"]:
                summary["best"] = {"epoch": epoch, **metrics}
                checkpoint.save_model(folder, {"state_dict": self.model.state_dict()})
            checkpoint.save_state(folder / "last.pt", self._state())
            print(log_line(epoch, hparams.epochs, metrics), flush=True)
            report(step=epoch, **metrics)
        if summary["status"] != "stopped":
            if is_out_of_patience(summary, hparams.patience) and summary["epochs"] < hparams.epochs:
                summary["status"] = "out of patience"
            shown = self.val[:_SHOWN]
            self.model.load_state_dict(checkpoint.load_state(folder / "model.pt")["state_dict"])
            write_bytes(folder / "predictions.png", to_png(picture(shown, self.find(shown))))
        return finish(folder, summary, self.process, started)

    def find(self, canvases: Sequence[Canvas]) -> list[Found]:
        """Returns what the model finds on canvases.

        Args:
            canvases: The canvases.
        """
        self.model.eval()
        with torch.inference_mode():
            logits_BGK, boxes_BG4 = self.model(self._ink(canvases))
            return find(logits_BGK, boxes_BG4, self.hparams)

    def _epoch(self, epoch: int) -> dict[str, float] | None:
        """Trains one epoch and returns its metrics; None when it was asked to stop."""
        # A resumed training draws the same numbers as one that was not interrupted.
        generator = torch.Generator().manual_seed(self.hparams.seed * 100_003 + epoch)
        train = self._train_epoch(epoch, generator)
        if self.process.stops_now:
            return None
        val, scores = self._validate()
        found = {"train_loss": train.box, "train_cls_loss": train.cls, "val_loss": val.box, "val_cls_loss": val.cls}
        metrics = {name: loss.item() for name, loss in found.items()}
        if not all(math.isfinite(loss) for loss in metrics.values()):
            told = ", ".join(f"{name} is {loss}" for name, loss in metrics.items())
            raise MetricError(f"losses must be finite, but after epoch {epoch} {told}; lower lr0 or clip_norm")
        return {**metrics, **scores.result()}

    def _train_epoch(self, epoch: int, generator: torch.Generator) -> Losses:
        """Trains on all canvases in some order, and returns the mean losses."""
        hparams = self.hparams
        self.model.train()
        order = torch.randperm(hparams.train_images, generator=generator)
        # Without augmentation each epoch has the canvases of the first one.
        first = (epoch - 1) * hparams.train_images if hparams.augment else 0
        batches = torch.split(order, hparams.batch)
        sums = torch.zeros(2, dtype=torch.float64)
        for step, batch in enumerate(batches):
            if self.process.stops_now:
                break
            canvases = [self._canvas("train", first + number) for number in batch.tolist()]
            rate = hparams.learning_rate_after(epoch - 1 + (step + 1) / len(batches))
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            logits_BGK, boxes_BG4 = self.model(self._ink(canvases))
            found = losses(logits_BGK, boxes_BG4, self.centers_G2, canvases)
            self.optimizer.zero_grad()
            torch.autograd.backward(hparams.box * found.box + hparams.cls * found.cls)
            nn.utils.clip_grad_norm_(self.model.parameters(), hparams.clip_norm)
            self.optimizer.step()
            sums += torch.stack(found).detach().cpu() * len(batch)
        return Losses(*(sums / len(order)))

    def _validate(self) -> tuple[Losses, Scores]:
        self.model.eval()
        sums, scores = torch.zeros(2, dtype=torch.float64), Scores()
        with torch.inference_mode():
            for start in range(0, len(self.val), _VALIDATED_AT_ONCE):
                canvases = self.val[start : start + _VALIDATED_AT_ONCE]
                logits_BGK, boxes_BG4 = self.model(self._ink(canvases))
                found_losses = losses(logits_BGK, boxes_BG4, self.centers_G2, canvases)
                sums += torch.stack(found_losses).cpu() * len(canvases)
                for canvas, found in zip(canvases, find(logits_BGK, boxes_BG4, self.hparams), strict=True):
                    scores.add(found, canvas.boxes_N4, canvas.labels_N)
        return Losses(*(sums / len(self.val))), scores

    def _ink(self, canvases: Sequence[Canvas]) -> Tensor:
        return torch.stack([canvas.ink_HW for canvas in canvases]).to(self.process.device)

    def _canvas(self, split: str, number: int) -> Canvas:
        hparams = self.hparams
        return draw_canvas(split, number, side=hparams.imgsz, max_digits=hparams.max_digits, seed=hparams.data_seed)

    def _state(self) -> dict[str, Any]:
        """Returns all that the next epoch depends on."""
        kept = {name: self.summary[name] for name in ("epochs", "best", "history")}
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "summary": copy.deepcopy(kept),
        }


def _optimizer(model: Detector, hparams: DetectorHparams) -> torch.optim.Optimizer:
    weights = list(model.parameters())
    groups = [
        {"params": [each for each in weights if each.ndim > 1], "weight_decay": hparams.weight_decay},
        {"params": [each for each in weights if each.ndim <= 1], "weight_decay": 0.0},
    ]
    if hparams.optimizer == "SGD":
        return torch.optim.SGD(groups, lr=hparams.lr0, momentum=hparams.momentum, nesterov=hparams.momentum > 0)
    kind = torch.optim.Adam if hparams.optimizer == "Adam" else torch.optim.AdamW
    return kind(groups, lr=hparams.lr0, betas=(hparams.momentum, 0.999))
