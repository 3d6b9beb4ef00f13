"""What a training of the detector keeps: the state to resume from, a picture of what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kftune.hparams.models.detector import DetectorHparams
from kftune.training import checkpoint
from kftune.training.detection import check_continues
from kftune.training.detector.boxes import best_of_each_place
from kftune.training.detector.canvases import Canvas
from kftune.training.detector.model import Found

_MAY_DIFFER = {"resume", "patience"}
"""What may change between a training and its continuation: it changes no epoch."""
_SCALE = 4
_CONFIDENT = 0.3
_SAME_PLACE = 0.5
_GREEN, _RED = (0, 160, 0), (220, 30, 30)
# Digits of 3 x 5 pixels: five rows of three bits each.
_FONT = (0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717)


def state_of(folder: Path, hparams: DetectorHparams) -> dict[str, Any] | None:
    """Returns the state after the last finished epoch in an output folder; None without one.

    Args:
        folder: The output folder.
        hparams: The hyperparameters of the training that continues.

    Raises:
        HparamsError: The state is that of another training, or the file is another one.
    """
    path = folder / "last.pt"
    if not path.is_file():
        return None
    check_continues(folder, hparams, _MAY_DIFFER)
    return checkpoint.load_state(path)


def picture(canvases: Sequence[Canvas], found: Sequence[Found], columns: int = 4) -> Tensor:
    """Returns canvases side by side, with what is there in green and what was found in red: uint8, H x W x 3.

    Args:
        canvases: The canvases.
        found: What the model found on each.
        columns: How many are in a row.
    """
    tiles = [_tile(canvas, each) for canvas, each in zip(canvases, found, strict=True)]
    blank = torch.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [torch.cat(tiles[start : start + columns], dim=1) for start in range(0, len(tiles), columns)]
    return torch.cat(rows)


def _tile(canvas: Canvas, found: Found) -> Tensor:
    large = (255 - canvas.ink_HW).repeat_interleave(_SCALE, dim=0).repeat_interleave(_SCALE, dim=1)
    tile = nn.functional.pad(large, (2, 2, 2, 2), value=255)[..., None].repeat(1, 1, 3)
    for box in canvas.boxes_N4.tolist():
        _frame(tile, box, _GREEN, 0)
    # A second guess for the same digit would hide the first.
    first = best_of_each_place(found.boxes_N4, torch.zeros_like(found.labels_N), _SAME_PLACE)
    shown = first[found.scores_N[first] >= _CONFIDENT]
    for box, label in zip(found.boxes_N4[shown].tolist(), found.labels_N[shown].tolist(), strict=True):
        _frame(tile, box, _RED, 1)
        _write(tile, label, box)
    return tile


def _corners(tile: Tensor, box: Sequence[float]) -> tuple[int, int, int, int]:
    """Returns the edges of a box in pixels of the tile, inside it."""
    height, width, _ = tile.shape
    left, top, right, bottom = (round(edge * _SCALE) + 2 for edge in box)
    return max(0, left), max(0, top), min(width, right) - 1, min(height, bottom) - 1


def _frame(tile: Tensor, box: Sequence[float], colour: tuple[int, int, int], inset: int) -> None:
    left, top, right, bottom = _corners(tile, box)
    ink = tile.new_tensor(colour)
    for row in (top + inset, bottom - inset):
        tile[max(0, row) : row + 1, left : right + 1] = ink
    for column in (left + inset, right - inset):
        tile[top : bottom + 1, max(0, column) : column + 1] = ink


def _write(tile: Tensor, digit: int, box: Sequence[float]) -> None:
    """Writes a digit in the upper left corner of a box."""
    left, top, _, _ = _corners(tile, box)
    tile[top : top + 14, left : left + 10] = 255
    for row in range(10):
        for column in range(6):
            if _FONT[digit] >> (3 * (4 - row // 2) + (2 - column // 2)) & 1:
                tile[top + 2 + row : top + 3 + row, left + 2 + column : left + 3 + column] = tile.new_tensor(_RED)
