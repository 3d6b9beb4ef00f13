"""Draws numbers and spoils the pictures as cameras and printers do. Equal random numbers give equal pictures.

Shape suffixes: B pictures, H rows, W columns. Values are ink: 0 paper, 1 black.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from kftune.training.digits.alphabet import DIGITS

HEIGHT, WIDTH = 32, 128
_MARGIN = 6

_Between = Callable[..., Tensor]
"""Random numbers from minus to plus a size, of a shape, for each picture."""


@dataclass(frozen=True)
class Damage:
    """How much pictures may be spoiled: each one gets a random share of it.

    Attributes:
        turn: Degrees to either side.
        slant: Columns that the top moves to either side, for each row of height.
        zoom: Share by which width and height shrink at most, each for itself; they grow by a quarter of it at most.
        shift: Share of the half width and half height that it moves.
        blur: Share of a pixel that goes to its neighbours.
        fade: Share of the ink that is lost.
        shade: Darkness of the paper's darker side.
        noise: Standard deviation added to each pixel.
        lines: Share of the pictures with a line through them.
    """

    turn: float = 5.0
    slant: float = 0.35
    zoom: float = 0.2
    shift: float = 0.1
    blur: float = 0.9
    fade: float = 0.45
    shade: float = 0.35
    noise: float = 0.1
    lines: float = 0.3


def draw(text: str, font: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """Returns the picture of a number: `HEIGHT` x `WIDTH`, at a random place, of random size and spacing.

    Args:
        text: Khmer digits.
        font: The font's ten digits.
        generator: The random numbers.
    """
    size, stretch, space, left, top = torch.rand(5, generator=generator).tolist()
    parts: list[Tensor] = []
    for character in text:
        glyph = font[DIGITS.index(character)]
        # Between digits that almost touch and digits that are half a digit apart.
        parts += [glyph, glyph.new_zeros(len(glyph), 2 + round(14 * space))]
    strip_HW = torch.cat(parts[:-1], dim=1)
    height = round(17 + 11 * size)
    width = round(min(strip_HW.shape[1] * height / len(strip_HW) * (0.85 + 0.3 * stretch), WIDTH - 2 * _MARGIN))
    number = functional.interpolate(
        strip_HW[None, None], size=(height, max(2, width)), mode="bilinear", antialias=True, align_corners=False
    )[0, 0]
    picture = torch.zeros(HEIGHT, WIDTH)
    y, x = round((HEIGHT - height) * top), _MARGIN + round((WIDTH - 2 * _MARGIN - number.shape[1]) * left)
    picture[y : y + height, x : x + number.shape[1]] = number.clamp(0, 1)
    return picture


def spoil(pictures_BHW: Tensor, damage: Damage, generator: torch.Generator) -> Tensor:
    """Returns the pictures turned, moved, blurred, faded, shaded, crossed by lines and noisy.

    Args:
        pictures_BHW: Clean pictures.
        damage: How much.
        generator: The random numbers.
    """
    count = len(pictures_BHW)

    def between(size: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=generator) * 2 - 1) * size

    spoiled_BHW = _move(pictures_BHW, between(damage.turn * math.pi / 180), between(damage.slant), damage, between)
    spoiled_BHW = _blur(spoiled_BHW, between(0.5, 1, 1).add(0.5) * damage.blur)
    lines = torch.rand(count, generator=generator) < damage.lines
    spoiled_BHW = torch.maximum(spoiled_BHW, _lines(between) * lines[:, None, None])
    ink = 1 - damage.fade * torch.rand(count, 1, 1, generator=generator)
    slope = torch.linspace(-1, 1, WIDTH) * between(1, 1, 1) + torch.linspace(-1, 1, HEIGHT)[:, None] * between(1, 1, 1)
    paper_BHW = damage.shade * torch.rand(count, 1, 1, generator=generator) * (slope / 4 + 0.5)
    noise_BHW = torch.randn(count, HEIGHT, WIDTH, generator=generator)
    noise_BHW *= damage.noise * torch.rand(count, 1, 1, generator=generator)
    return (paper_BHW + spoiled_BHW * ink * (1 - paper_BHW) + noise_BHW).clamp(0, 1)


def _move(pictures_BHW: Tensor, turn_B: Tensor, slant_B: Tensor, damage: Damage, between: _Between) -> Tensor:
    def zoom(size: float) -> Tensor:
        return 1 + size * 0.375 + between(size * 0.625)

    ratio = WIDTH / HEIGHT
    theta = torch.zeros(len(pictures_BHW), 2, 3)
    theta[:, 0, 0] = turn_B.cos() * zoom(damage.zoom)
    theta[:, 0, 1] = (slant_B - turn_B.sin()) / ratio
    theta[:, 1, 0] = turn_B.sin() * ratio
    theta[:, 1, 1] = turn_B.cos() * zoom(damage.zoom)
    theta[:, :, 2] = between(damage.shift, 2) * torch.tensor([0.4, 1.0])
    grid = functional.affine_grid(theta, [len(pictures_BHW), 1, HEIGHT, WIDTH], align_corners=False)
    moved = functional.grid_sample(pictures_BHW[:, None], grid, align_corners=False)
    return moved[:, 0]


def _blur(pictures_BHW: Tensor, share_B11: Tensor) -> Tensor:
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16)[None, None]
    blurred = pictures_BHW[:, None]
    for _ in range(2):
        blurred = functional.conv2d(blurred, kernel, padding=1)
    return torch.lerp(pictures_BHW, blurred[:, 0], share_B11)


def _lines(between: _Between) -> Tensor:
    """Returns one thin, nearly level line for each picture."""
    middle_B11 = HEIGHT / 2 + between(HEIGHT / 2, 1, 1)
    slope_B11 = between(0.08, 1, 1)
    rows, columns = torch.arange(HEIGHT)[:, None], torch.arange(WIDTH) - WIDTH / 2
    distance_BHW = (rows - middle_B11 - slope_B11 * columns).abs()
    return (1.2 - distance_BHW).clamp(0, 1)
