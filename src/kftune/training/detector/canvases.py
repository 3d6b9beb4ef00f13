"""Canvases: handwritten digits of several sizes, pasted on noisy paper with stray strokes, and where they are.

Boxes are left, top, right, bottom in pixels. Shape suffixes: N objects, H height, W width.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

import torch
from torch import Tensor, nn

CLASSES = 10
SPLITS = {"train": (0, 1297), "val": (1297, 1797)}
"""The digits of each split. The file is in order of the people who wrote them."""

_SIDE = 8
_SMALLEST, _LARGEST = 0.18, 0.42
_INK = 0.25
"""Ink that counts as part of the digit."""
_TRIES = 20


@dataclass(frozen=True)
class Canvas:
    """One picture.

    Attributes:
        ink_HW: uint8: 0 paper, 255 ink.
        boxes_N4: float32.
        labels_N: int64; which digit each box has.
    """

    ink_HW: Tensor
    boxes_N4: Tensor
    labels_N: Tensor


@cache
def handwritten() -> tuple[Tensor, Tensor]:
    """Returns the digits of the file: float32 in 0 to 1 (ink), N x 8 x 8, and which digit each one is."""
    packed = (resources.files("kftune.training.detector") / "digits.csv.gz").read_bytes()
    rows = csv.reader(io.StringIO(gzip.decompress(packed).decode("ascii")))
    values = torch.tensor([[float(text) for text in row] for row in rows])
    return values[:, :-1].view(-1, _SIDE, _SIDE).div(16), values[:, -1].long()


def draw_canvas(split: str, number: int, *, side: int, max_digits: int, seed: int) -> Canvas:
    """Draws one canvas of an endless sequence.

    Args:
        split: ``train`` or ``val``; they share no digit.
        number: Its number in the sequence, from 0.
        side: Pixels of its height and width.
        max_digits: Digits on it at most; at least one.
        seed: Another seed gives another sequence.
    """
    # Each canvas has a separate generator, so that it depends on no other canvas.
    generator = torch.Generator().manual_seed((seed * 2 + (split == "val")) * 10_000_019 + number)
    ink_HW = torch.zeros(side, side)
    boxes: list[list[float]] = []
    labels: list[int] = []
    for _ in range(1 + _below(max_digits, generator)):
        digit, label = _scaled_digit(split, side, generator)
        place = _free_place(digit, side, boxes, generator)
        if place is None:
            continue
        left, top = place
        height, width = digit.shape
        part = ink_HW[top : top + height, left : left + width]
        part.copy_(torch.maximum(part, digit))
        boxes.append([float(edge) for edge in (left, top, left + width, top + height)])
        labels.append(label)
    for _ in range(_below(3, generator)):
        ink_HW = torch.maximum(ink_HW, _stroke(side, generator))
    shade, noise = 0.25 * _unit(generator), 0.02 + 0.08 * _unit(generator)
    spoiled = shade + (1 - shade) * ink_HW + noise * torch.randn(side, side, generator=generator)
    return Canvas(
        ink_HW=spoiled.clamp(0, 1).mul(255).round().to(torch.uint8),
        boxes_N4=torch.tensor(boxes),
        labels_N=torch.tensor(labels),
    )


def _scaled_digit(split: str, side: int, generator: torch.Generator) -> tuple[Tensor, int]:
    """Returns a digit in some size and strength, cut to its ink, and which one it is."""
    pictures, labels = handwritten()
    first, end = SPLITS[split]
    index = first + _below(end - first, generator)
    size = _SMALLEST + (_LARGEST - _SMALLEST) * _unit(generator)
    height = round(side * size)
    width = round(height * (0.8 + 0.5 * _unit(generator)))
    large = nn.functional.interpolate(pictures[index][None, None], (height, width), mode="bilinear")[0, 0]
    rows, columns = (torch.nonzero(large.amax(dim=axis) > _INK).flatten() for axis in (1, 0))
    cut = large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut * (0.5 + 0.5 * _unit(generator)), int(labels[index])


def _free_place(
    digit: Tensor, side: int, boxes: list[list[float]], generator: torch.Generator
) -> tuple[int, int] | None:
    """Returns left and top of a place where the digit hides no other one; None when none was found."""
    height, width = digit.shape
    for _ in range(_TRIES):
        left, top = _below(side - width + 1, generator), _below(side - height + 1, generator)
        if all(
            left >= right or left + width <= other_left or top >= bottom or top + height <= other_top
            for other_left, other_top, right, bottom in boxes
        ):
            return left, top
    return None


def _stroke(side: int, generator: torch.Generator) -> Tensor:
    """Returns a canvas with a line of some direction, strength and length."""
    x, y, angle, length = (side * _unit(generator) for _ in range(4))
    dx, dy = math.cos(angle), math.sin(angle)
    across = torch.arange(side, dtype=torch.float32)
    along = (across[None, :] - x) * dx + (across[:, None] - y) * dy
    away = (across[:, None] - y) * dx - (across[None, :] - x) * dy
    ink = (1.2 - away.abs()).clamp(0, 1) * ((along > 0) & (along < length / 2))
    return ink * (0.3 + 0.5 * _unit(generator))


def _unit(generator: torch.Generator) -> float:
    return torch.rand((), generator=generator).item()


def _below(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator).item())
