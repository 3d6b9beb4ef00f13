"""Hyperparameters of the model that finds digits on canvases, which `kftune.training.detector` trains."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import model_validator

from kftune.domains import Choice, LogUniform
from kftune.hparams import Hparam, Hparams


class DetectorHparams(Hparams):
    """Finds handwritten digits on canvases: a small convolutional network with one stage and no anchors."""

    epochs: int = Hparam(20, ge=1)
    """Epochs. Passes over the canvases to train on."""
    batch: int = Hparam(4, ge=1, search=Choice(2, 4, 8, 16))
    """Canvases per optimizer step."""
    optimizer: Literal["SGD", "Adam", "AdamW"] = Hparam("SGD", search=Choice("SGD", "Adam", "AdamW"))
    """Optimizer; SGD has Nesterov momentum."""
    lr0: float = Hparam(0.02, gt=0, search=LogUniform(1e-4, 0.2))
    """Learning rate after the warm-up."""
    lrf: float = Hparam(0.01, gt=0, le=1)
    """Learning rate at the end, as a share of lr0; it falls along a cosine."""
    momentum: float = Hparam(0.9, ge=0, lt=1)
    """Momentum of SGD; memory of the average gradient (beta1) of Adam and AdamW."""
    weight_decay: float = Hparam(5e-4, ge=0)
    """L2 penalty of SGD and Adam, decay of the weights themselves with AdamW. Biases and norms have none."""
    warmup_epochs: float = Hparam(1.0, ge=0)
    """Epochs. In these the learning rate rises from 0 to lr0."""
    clip_norm: float = Hparam(10.0, gt=0)
    """Norm to which a larger gradient is shortened."""
    box: float = Hparam(2.0, gt=0)
    """Weight of the loss of boxes."""
    cls: float = Hparam(1.0, gt=0)
    """Weight of the loss of classes."""
    width: int = Hparam(16, ge=1)
    """Channels of the first layer; later ones have two and four times as many."""

    imgsz: int = Hparam(64, ge=32, le=640)
    """Pixels. Height and width of a canvas, a multiple of 8."""
    train_images: int = Hparam(400, ge=1)
    """Canvases to train on, per epoch."""
    val_images: int = Hparam(200, ge=1)
    """Canvases to validate with, with digits of other people."""
    max_digits: int = Hparam(4, ge=1, le=20)
    """Digits on a canvas at most."""
    augment: bool = Hparam(True)
    """Whether each epoch has new canvases, from the same digits."""
    data_seed: int = Hparam(0, ge=0)
    """Seed of the canvases. Trainings that are compared have the same one."""

    conf: float = Hparam(0.01, ge=0, lt=1)
    """Confidence below which a box is dropped."""
    iou: float = Hparam(0.6, gt=0, lt=1)
    """Overlap (IoU) with a better box of the same class above which a box is dropped."""
    max_det: int = Hparam(50, ge=1)
    """Boxes per canvas at most."""

    patience: int | None = Hparam(None, ge=1)
    """Epochs without a better mAP_0.5_0.95 after which training ends; null trains all epochs."""
    resume: bool = Hparam(False)
    """Whether to continue after the last finished epoch in the output folder, if there is one."""
    seed: int = Hparam(0, ge=0)
    """Seed of the first weights and of the order of the canvases."""

    @model_validator(mode="after")
    def _whole_cells(self) -> Self:
        if self.imgsz % 8:
            raise ValueError(f"imgsz must be a multiple of 8, but is {self.imgsz}; take {self.imgsz // 8 * 8}")
        return self

    def learning_rate_after(self, epochs: float) -> float:
        """Returns the learning rate after some epochs, also parts of one: it rises in a line, and falls along a cosine.

        Args:
            epochs: Epochs that are done.
        """
        fallen = (1 - math.cos(math.pi * epochs / self.epochs)) / 2
        warm = min(1.0, epochs / self.warmup_epochs) if self.warmup_epochs else 1.0
        return self.lr0 * warm * (1 - (1 - self.lrf) * fallen)
