"""The folder of a training: hparams.json, run.json, checkpoints/ and, at its end, summary.json."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from kftune.errors import HparamsError
from kftune.files import write_text
from kftune.hparams.models.training import DataHparams, TrainerHparams
from kftune.training.lightning.model import Model

LAST, PREEMPTED = "last.ckpt", "preempted.ckpt"

# What may differ when a training goes on: how long it runs, where, and where its metrics go.
_FREE = ("max_epochs", "loggers", "experiment", "accelerator", "devices", "fallback", "compile")


@dataclass(frozen=True)
class FitResult:
    """What a training gave.

    Attributes:
        status: ``completed``, or ``stopped early`` by `EarlyStoppingHparams`.
        epochs: The number of finished epochs.
        metrics: The metrics of the last epoch.
        best: The metrics of the best epoch, with its number as ``epoch``.
        history: The metrics of each epoch, with its number and what it cost.
        best_checkpoint: The checkpoint of the best epoch; None if none is kept.
        fallbacks: What was changed when memory ran out, in order.
        parameters: The number of weights.
        folder: The output folder.
    """

    status: str
    epochs: int
    metrics: Mapping[str, float]
    best: Mapping[str, float]
    history: list[dict[str, float]]
    best_checkpoint: Path | None
    fallbacks: list[dict[str, Any]]
    parameters: int
    folder: Path


@dataclass
class Run:
    """One training and its folder.

    Attributes:
        folder: The output folder.
        checkpoints: The folder of checkpoints.
        settings: What it is trained with, as JSON-able values.
        history: The metrics of each finished epoch.
        fallbacks: What was changed when memory ran out.
        anew: Whether what an earlier training left is removed.
    """

    folder: Path
    checkpoints: Path
    settings: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    fallbacks: list[dict[str, Any]] = field(default_factory=list)
    anew: bool = True
    _is_prepared: bool = False

    @classmethod
    def of(cls, folder: Path, model: Model[Any], data: pl.LightningDataModule, trainer: TrainerHparams) -> Run:
        """Returns the run of a training.

        Args:
            folder: The output folder.
            model: The model.
            data: Its data.
            trainer: How it is trained.
        """
        loading = getattr(data, "thparams", None)
        settings = {
            "class": f"{type(model).__module__}:{type(model).__qualname__}",
            "model": model.thparams.to_dict(),
            "data": loading.to_dict() if isinstance(loading, DataHparams) else None,
            "trainer": trainer.to_dict(),
        }
        place = model.thparams.checkpoint.dirpath
        return cls(folder, folder / (place or "checkpoints"), settings)

    def interrupted(self) -> Path | None:
        """Returns the checkpoint with which an interrupted training with the same settings goes on; None without one.

        Raises:
            HparamsError: A file of the folder is not what a training writes.
        """
        last = next((path for name in (PREEMPTED, LAST) if (path := self.checkpoints / name).is_file()), None)
        started = self.folder / "run.json"
        if last is None or not started.is_file() or (self.folder / "summary.json").exists():
            return None
        try:
            earlier = json.loads(started.read_text(encoding="utf-8"))
            same = _comparable(earlier) == _comparable(self.settings)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HparamsError(f"{started} must be what a training writes, but is not: {error}; remove it") from error
        return last if same else None

    def prepare(self) -> None:
        """Prepares the folder, once.

        Raises:
            OSError: The folder cannot be written.
        """
        if self._is_prepared:
            return
        self._is_prepared = True
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "summary.json").unlink(missing_ok=True)
        if self.anew:
            # In a folder that the user chose, other files may be of another training.
            own = self.checkpoints == self.folder / "checkpoints"
            for path in self.checkpoints.glob("*.ckpt") if own else ():
                path.unlink()
            for name in (LAST, PREEMPTED):
                (self.checkpoints / name).unlink(missing_ok=True)
            shutil.rmtree(self.folder / "tensorboard", ignore_errors=True)
        _write(self.folder / "hparams.json", self.settings["model"])
        _write(self.folder / "run.json", self.settings)

    def finish(self, model: Model[Any], trainer: pl.Trainer, *, stopped_early: bool) -> FitResult:
        """Writes the summary and returns the result.

        Args:
            model: The model.
            trainer: Lightning's trainer.
            stopped_early: Whether training ended before its last epoch.

        Raises:
            OSError: The summary cannot be written.
        """
        keeper = trainer.checkpoint_callback
        best_path = getattr(keeper, "best_model_path", "")
        monitor, mode = model.thparams.checkpoint.monitor, model.thparams.checkpoint.mode
        known = [epoch for epoch in self.history if monitor in epoch] or self.history
        best = (min if mode == "min" else max)(known, key=lambda epoch: epoch.get(monitor, 0.0), default={})
        result = FitResult(
            status="stopped early" if stopped_early else "completed",
            epochs=len(self.history),
            metrics=_metrics(self.history[-1]) if self.history else {},
            best={"epoch": best["epoch"], **_metrics(best)} if best else {},
            history=self.history,
            best_checkpoint=Path(best_path) if best_path else None,
            fallbacks=self.fallbacks,
            parameters=model.num_params,
            folder=self.folder,
        )
        if trainer.is_global_zero:
            (self.checkpoints / PREEMPTED).unlink(missing_ok=True)
            _write(self.folder / "summary.json", _summary(result, trainer))
        return result


def _summary(result: FitResult, trainer: pl.Trainer) -> dict[str, Any]:
    best = result.best_checkpoint
    return {
        "status": result.status,
        "epochs": result.epochs,
        "best": result.best,
        "best_checkpoint": None if best is None else str(best),
        "history": result.history,
        "fallbacks": result.fallbacks,
        "parameters": result.parameters,
        "device": trainer.strategy.root_device.type,
        "processes": trainer.world_size,
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "pytorch-lightning": version("pytorch-lightning"),
        },
    }


def _metrics(epoch: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in epoch.items() if name != "epoch" and not name.startswith("system/")}


def _comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    trainer = {key: value for key, value in settings["trainer"].items() if key not in _FREE}
    return {**settings, "trainer": trainer}


def _write(path: Path, value: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
