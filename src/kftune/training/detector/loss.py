"""The losses of the detector: which cell answers for which digit, how well it names it, and how well its box fits.

Shape suffixes: B canvases, G cells of the grid, K classes, P cells that answer for a digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from kftune.training.detector.boxes import areas, generalized_overlaps
from kftune.training.detector.canvases import Canvas
from kftune.training.detector.model import STRIDE

_REACH = 1.5 * STRIDE
"""Pixels. A cell answers for a digit if its center is at most this far away, in either direction."""
_FOCUS = 2.0


class Losses(NamedTuple):
    """The losses of a batch, each a mean over its cells that answer for a digit."""

    box: Tensor
    cls: Tensor


def losses(logits_BGK: Tensor, boxes_BG4: Tensor, centers_G2: Tensor, canvases: Sequence[Canvas]) -> Losses:
    """Returns the losses of a batch.

    Args:
        logits_BGK: Logits of the classes.
        boxes_BG4: Boxes.
        centers_G2: The center of each cell.
        canvases: What the batch has.
    """
    wanted = [_wanted(centers_G2, canvas) for canvas in canvases]
    labels_BG, wanted_BG4 = (torch.stack(part) for part in zip(*wanted, strict=True))
    answers_BG = labels_BG >= 0
    count = answers_BG.sum().clamp(min=1)
    iou_P, generalized_P = generalized_overlaps(boxes_BG4[answers_BG], wanted_BG4[answers_BG])
    # A cell should be as confident as its box fits, so that better boxes come first.
    target_BGK = torch.zeros_like(logits_BGK)
    where = answers_BG.nonzero(as_tuple=True)
    target_BGK[(*where, labels_BG[answers_BG])] = iou_P.detach().to(target_BGK.dtype)
    entropy_BGK = nn.functional.binary_cross_entropy_with_logits(logits_BGK, target_BGK, reduction="none")
    off_BGK = (target_BGK - logits_BGK.detach().sigmoid()).abs()
    return Losses((1 - generalized_P).sum() / count, (off_BGK**_FOCUS * entropy_BGK).sum() / count)


def _wanted(centers_G2: Tensor, canvas: Canvas) -> tuple[Tensor, Tensor]:
    """Returns the class (-1 for none) and the box that each cell should find on a canvas."""
    device = centers_G2.device
    boxes_N4, labels_N = canvas.boxes_N4.to(device), canvas.labels_N.to(device)
    middle_N2 = (boxes_N4[:, :2] + boxes_N4[:, 2:]) / 2
    is_near = ((centers_G2[:, None] - middle_N2[None]).abs() <= _REACH).all(dim=-1)
    is_inside = ((centers_G2[:, None] > boxes_N4[None, :, :2]) & (centers_G2[:, None] < boxes_N4[None, :, 2:])).all(
        dim=-1
    )
    # Of two digits, a cell answers for the smaller one.
    size_GN = torch.where(is_near & is_inside, areas(boxes_N4)[None], torch.inf)
    least_G, index_G = size_GN.min(dim=1)
    return torch.where(least_G.isfinite(), labels_N[index_G], -1), boxes_N4[index_G]
