"""Boxes: how much they overlap, and which of several at one place remains.

A box is left, top, right, bottom. Shape suffixes: N and M boxes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def areas(boxes_N4: Tensor) -> Tensor:
    """Returns the area of each box."""
    return (boxes_N4[..., 2:] - boxes_N4[..., :2]).clamp(min=0).prod(dim=-1)


def overlaps(boxes_N4: Tensor, others_M4: Tensor) -> Tensor:
    """Returns how much each box overlaps each of the others: IoU, N x M.

    Args:
        boxes_N4: Boxes.
        others_M4: Other boxes.
    """
    low = torch.maximum(boxes_N4[:, None, :2], others_M4[None, :, :2])
    high = torch.minimum(boxes_N4[:, None, 2:], others_M4[None, :, 2:])
    shared = areas(torch.cat([low, high], dim=-1))
    return shared / (areas(boxes_N4)[:, None] + areas(others_M4)[None, :] - shared).clamp(min=1e-9)


def generalized_overlaps(boxes_N4: Tensor, others_N4: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the IoU and the generalized IoU of pairs of boxes; the second also says how far boxes are apart.

    Args:
        boxes_N4: Boxes.
        others_N4: The other box of each pair.

    Source: Rezatofighi et al. 2019, "Generalized Intersection over Union".
    """
    low, high = torch.maximum(boxes_N4[:, :2], others_N4[:, :2]), torch.minimum(boxes_N4[:, 2:], others_N4[:, 2:])
    shared = areas(torch.cat([low, high], dim=-1))
    together = (areas(boxes_N4) + areas(others_N4) - shared).clamp(min=1e-9)
    outer = torch.cat(
        [torch.minimum(boxes_N4[:, :2], others_N4[:, :2]), torch.maximum(boxes_N4[:, 2:], others_N4[:, 2:])], dim=-1
    )
    around = areas(outer).clamp(min=1e-9)
    iou_N = shared / together
    return iou_N, iou_N - (around - together) / around


def best_of_each_place(boxes_N4: Tensor, labels_N: Tensor, limit: float) -> Tensor:
    """Returns the indices of the boxes that remain when worse ones at the same place are dropped.

    Args:
        boxes_N4: Boxes, the best first.
        labels_N: Their classes; a box drops only boxes of its class.
        limit: IoU above which a box is dropped.
    """
    drops = (overlaps(boxes_N4, boxes_N4) > limit) & (labels_N[:, None] == labels_N[None, :])
    dropped: set[int] = set()
    remaining = []
    for index, row in enumerate(drops.tolist()):
        if index not in dropped:
            remaining.append(index)
            dropped.update(other for other in range(index + 1, len(row)) if row[other])
    return torch.tensor(remaining, dtype=torch.long)
