"""Metrics in the files that TensorBoard reads, where its package is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class EventFiles:
    """Writes metrics for TensorBoard, and says once when it cannot.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: Path) -> None:
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - few installations have it
        except ImportError:
            print("use_tensorboard has no effect: the package tensorboard is not installed", flush=True)
        else:
            self._writer = SummaryWriter(str(folder))

    def add(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Writes the metrics of one epoch.

        Args:
            epoch: Its number.
            metrics: Name -> value.
        """
        if self._writer is None:
            return
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()
