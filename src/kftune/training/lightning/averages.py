"""Averages of metrics over the examples of an epoch, in all processes together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, distributed

from kftune.errors import MetricError


class Averages:
    """Sums of metrics, weighted by examples. They stay on the device, so that adding does not wait for it."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, metrics: Mapping[str, Any], count: int) -> None:
        """Adds the averages of a batch.

        Args:
            metrics: Name -> average over the batch.
            count: The number of its examples.

        Raises:
            MetricError: A metric is not one number.
        """
        for name, value in metrics.items():
            part = torch.as_tensor(value).detach()
            if part.ndim:
                raise MetricError(f"a metric must be one number, but {name!r} has the shape {tuple(part.shape)}")
            part = part.to(torch.float32 if part.device.type == "mps" else torch.float64) * count
            self.sums[name] = self.sums[name] + part if name in self.sums else part
        self.count += count

    def finish(self) -> dict[str, Tensor]:
        """Returns the averages and begins anew; all processes must call it together."""
        sums, count = self.totals()
        self.sums, self.count = {}, 0
        return {name: value / count for name, value in sums.items()} if count else {}

    def totals(self) -> tuple[dict[str, Tensor], int]:
        """Returns the sums and the count of all processes; all must call it together."""
        if not (distributed.is_available() and distributed.is_initialized()) or not self.sums:
            return dict(self.sums), self.count
        names = sorted(self.sums)
        stacked = torch.stack([*(self.sums[name] for name in names), self.sums[names[0]].new_tensor(self.count)])
        distributed.all_reduce(stacked)
        return dict(zip(names, stacked[:-1], strict=True)), round(stacked[-1].item())


def examples_in(batch: Any) -> int:
    """Returns the number of examples in a batch: the length of the first tensor in it; 1 if there is none."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else 1
    inner = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, (tuple, list)) else ()
    return next((examples_in(part) for part in inner), 1)
