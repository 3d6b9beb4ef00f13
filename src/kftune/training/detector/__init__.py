"""Trains the model of `kftune.hparams.models.detector`, which finds digits on canvases. `docs/yolo.md` describes it."""

from kftune.training.detector.loop import train

__all__ = ["train"]
