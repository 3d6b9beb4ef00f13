"""Converts a circuit's readings to tensors: pairs of hours seen and hours to predict.

Shape suffixes: B windows, W hours seen, F features (reading, sine and cosine of the hour), H hours to predict.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from kftune.errors import HparamsError
from kftune.training.data import HOUR, Circuit, Scale

FEATURES = 3
DAY_HOURS = 24


@dataclass(frozen=True)
class Windows:
    """Pairs of hours seen and hours to predict; readings are in spreads from the center.

    Attributes:
        seen_BWF: Features of the hours seen.
        next_BH: Readings of the hours after them.
    """

    seen_BWF: Tensor
    next_BH: Tensor

    def __len__(self) -> int:
        return len(self.seen_BWF)

    def to(self, device: torch.device) -> Windows:
        """Returns the same windows on a device."""
        return Windows(self.seen_BWF.to(device), self.next_BH.to(device))


@dataclass(frozen=True)
class Split:
    """A circuit's windows: the older ones to train on, the newest to validate with."""

    train: Windows
    val: Windows
    scale: Scale

    def to(self, device: torch.device) -> Split:
        """Returns the same windows on a device."""
        return Split(self.train.to(device), self.val.to(device), self.scale)


@dataclass(frozen=True)
class Errors:
    """The errors of predictions.

    Attributes:
        loss: Mean squared error in squared spreads.
        mae: Mean absolute error in litres per second.
    """

    loss: float
    mae: float

    @classmethod
    def of(cls, predicted_BH: Tensor, next_BH: Tensor, scale: Scale) -> Errors:
        """Returns the errors over all windows and hours.

        Args:
            predicted_BH: Predictions, in spreads from the center.
            next_BH: The readings, in the same unit.
            scale: Converts spreads to litres per second.
        """
        off_BH = (predicted_BH - next_BH).double()
        return cls(off_BH.square().mean().item(), off_BH.abs().mean().item() * scale.spread)


def split_windows(
    circuit: Circuit, *, window_hours: int, horizon_hours: int, val_fraction: float, scale: Scale | None = None
) -> Split:
    """Returns every sequence of hours without a gap or a fault, split by time; no window is on both sides.

    Args:
        circuit: The readings.
        window_hours: Hours seen.
        horizon_hours: Hours to predict.
        val_fraction: Share of the readings, the newest ones, that are predicted only in validation.
        scale: The scale of a trained model; None computes it from the readings to train on.

    Raises:
        HparamsError: One side has no window.
    """
    length = window_hours + horizon_hours
    first_val = round(len(circuit.flow) * (1 - val_fraction))
    if scale is None:
        # Only from the readings to train on: the model must not see the others.
        scale = Scale.of(circuit.flow[:first_val]) if first_val > 1 else Scale(0.0, 1.0)
    starts = list(_unbroken_starts(circuit, scale, length))
    train = [start for start in starts if start + length <= first_val]
    val = [start for start in starts if start + window_hours >= first_val]
    if not train or not val:
        raise HparamsError(
            f"training and validation each need window_hours + horizon_hours = {length} readings without a gap, but "
            f"the {len(circuit.flow)} readings of {circuit.name}, split at val_fraction={val_fraction}, have "
            f"{len(train)} and {len(val)} such sequences; shorten window_hours or change val_fraction"
        )
    series_TF = _features(circuit, scale)
    return Split(
        train=_cut(series_TF, train, window_hours, horizon_hours),
        val=_cut(series_TF, val, window_hours, horizon_hours),
        scale=scale,
    )


def baselines(windows: Windows, scale: Scale) -> dict[str, Errors]:
    """Returns the errors of predictions without a model: the last reading, and the readings of the day before.

    Args:
        windows: What to predict.
        scale: The scale of the windows.
    """
    hours_seen, horizon = windows.seen_BWF.shape[1], windows.next_BH.shape[1]
    last_BH = windows.seen_BWF[:, -1:, 0].expand(-1, horizon)
    found = {"last_reading": Errors.of(last_BH, windows.next_BH, scale)}
    if hours_seen >= DAY_HOURS >= horizon:
        first = hours_seen - DAY_HOURS
        day_before_BH = windows.seen_BWF[:, first : first + horizon, 0]
        found["day_before"] = Errors.of(day_before_BH, windows.next_BH, scale)
    return found


def _unbroken_starts(circuit: Circuit, scale: Scale, length: int) -> Iterator[int]:
    """Yields the start of each sequence of `length` hourly readings without a fault."""
    gap_after = [later - earlier != HOUR for earlier, later in pairwise(circuit.times)]
    unbroken = 0
    for end, flow in enumerate(circuit.flow):
        if scale.is_fault(flow):
            unbroken = 0
            continue
        unbroken = 1 if end and gap_after[end - 1] else unbroken + 1
        if unbroken >= length:
            yield end - length + 1


def _features(circuit: Circuit, scale: Scale) -> Tensor:
    reading_T = (torch.tensor(circuit.flow, dtype=torch.float64) - scale.center) / scale.spread
    angle_T = torch.tensor([2 * math.pi * time.hour / DAY_HOURS for time in circuit.times])
    return torch.stack([reading_T.float(), angle_T.sin(), angle_T.cos()], dim=1)


def _cut(series_TF: Tensor, starts: list[int], window_hours: int, horizon_hours: int) -> Windows:
    index_BL = torch.tensor(starts)[:, None] + torch.arange(window_hours + horizon_hours)
    seen_BW, next_BH = index_BL[:, :window_hours], index_BL[:, window_hours:]
    return Windows(series_TF[seen_BW], series_TF[next_BH][..., 0])
