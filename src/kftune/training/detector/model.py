"""The detector: each cell of a grid says which digit is there, and how far the edges of its box are away.

Shape suffixes: B canvases, H height, W width, C channels, K classes, G cells of the grid, N boxes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kftune.hparams.models.detector import DetectorHparams
from kftune.training.detector.boxes import best_of_each_place
from kftune.training.detector.canvases import CLASSES

STRIDE = 4
"""Pixels between two cells."""
_RARE = 0.01
"""The first guess of each class; most cells have no digit."""


@dataclass(frozen=True)
class Found:
    """What the detector finds on one canvas, the most confident first.

    Attributes:
        boxes_N4: float32: left, top, right, bottom in pixels.
        scores_N: Confidence in 0 to 1.
        labels_N: int64; which digit.
    """

    boxes_N4: Tensor
    scores_N: Tensor
    labels_N: Tensor


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.SiLU(inplace=True),
    )


class Detector(nn.Module):
    """Convolutions to cells of 4 and of 8 pixels; the coarse ones see more, and are added to the fine ones."""

    def __init__(self, hparams: DetectorHparams) -> None:
        super().__init__()
        width = hparams.width
        self.fine = nn.Sequential(
            _convolution(1, width, 2), _convolution(width, 2 * width, 2), _convolution(2 * width, 2 * width)
        )
        self.coarse = nn.Sequential(
            _convolution(2 * width, 4 * width, 2),
            _convolution(4 * width, 4 * width),
            _convolution(4 * width, 4 * width),
        )
        self.neck = _convolution(6 * width, 2 * width)
        self.classes = nn.Sequential(_convolution(2 * width, 2 * width), nn.Conv2d(2 * width, CLASSES, 1))
        self.edges = nn.Sequential(_convolution(2 * width, 2 * width), nn.Conv2d(2 * width, 4, 1))
        final = self.classes[-1]
        assert isinstance(final, nn.Conv2d) and final.bias is not None  # noqa: S101, PT018 - it is made above
        nn.init.constant_(final.bias, math.log(_RARE / (1 - _RARE)))

    def forward(self, ink_BHW: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the logits of each class in each cell, B x G x K, and the box of each cell, B x G x 4.

        Args:
            ink_BHW: uint8.
        """
        fine_BCHW = self.fine(ink_BHW[:, None].float().div(255))
        coarse_BCHW = self.coarse(fine_BCHW)
        shared_BCHW = self.neck(torch.cat([fine_BCHW, _doubled(coarse_BCHW)], dim=1))
        logits_BGK = self.classes(shared_BCHW).flatten(2).transpose(1, 2)
        edges_BG4 = nn.functional.softplus(self.edges(shared_BCHW).flatten(2).transpose(1, 2)) * 2 * STRIDE
        rows, columns = fine_BCHW.shape[2:]
        centers_G2 = cell_centers(rows, columns, ink_BHW.device)
        boxes_BG4 = torch.cat([centers_G2 - edges_BG4[..., :2], centers_G2 + edges_BG4[..., 2:]], dim=-1)
        return logits_BGK, boxes_BG4


def _doubled(features_BCHW: Tensor) -> Tensor:
    """Returns each cell as four: what nn.Upsample does, which has no deterministic gradient on a GPU."""
    rows_BCHW = torch.stack([features_BCHW, features_BCHW], dim=3).flatten(2, 3)
    return torch.stack([rows_BCHW, rows_BCHW], dim=4).flatten(3, 4)


def cell_centers(rows: int, columns: int, device: torch.device) -> Tensor:
    """Returns the center of each cell in pixels, row by row: x and y.

    Args:
        rows: Rows of the grid.
        columns: Its columns.
        device: The device of the result.
    """
    y, x = (torch.arange(count, device=device) * STRIDE + STRIDE / 2 for count in (rows, columns))
    return torch.stack([x.repeat(rows), y.repeat_interleave(columns)], dim=-1)


def find(logits_BGK: Tensor, boxes_BG4: Tensor, hparams: DetectorHparams) -> list[Found]:
    """Returns what the outputs of the model say about each canvas.

    Args:
        logits_BGK: Logits of the classes.
        boxes_BG4: Boxes.
        hparams: When a box is dropped.
    """
    found = []
    for logits_GK, boxes_G4 in zip(logits_BGK.float().cpu(), boxes_BG4.float().cpu(), strict=True):
        scores = logits_GK.sigmoid().flatten()
        # Before boxes of one place are dropped, there are several for each digit.
        top = scores.topk(min(4 * hparams.max_det, len(scores)))
        chosen = top.indices[top.values >= hparams.conf]
        boxes_N4, labels_N = boxes_G4[chosen // CLASSES], chosen % CLASSES
        remaining = best_of_each_place(boxes_N4, labels_N, hparams.iou)[: hparams.max_det]
        found.append(Found(boxes_N4[remaining], scores[chosen][remaining], labels_N[remaining]))
    return found
