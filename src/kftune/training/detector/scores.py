"""How good a detector is: precision, recall and the mean average precision (mAP) over classes.

Source: COCO's detection evaluation (pycocotools, cocoeval.py): detections of one class are matched with the best free
box of their canvas, the most confident first; the precision at a recall is the highest at this or any higher recall;
its average is taken at 101 recalls.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from kftune.training.detector.boxes import overlaps
from kftune.training.detector.canvases import CLASSES
from kftune.training.detector.model import Found

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
"""IoU from which a detection is a hit; the first one is that of mAP@0.5."""

# As numpy.linspace makes them there, to the last bit: a recall of 0.7 must reach the same ones.
_RECALLS = torch.arange(101, dtype=torch.float64) * 0.01


@dataclass
class Scores:
    """Collects the detections on canvases."""

    _confidences: list[list[float]] = field(default_factory=lambda: [[] for _ in range(CLASSES)])
    _hits: list[list[list[bool]]] = field(default_factory=lambda: [[] for _ in range(CLASSES)])
    _objects: list[int] = field(default_factory=lambda: [0] * CLASSES)

    def add(self, found: Found, boxes_N4: Tensor, labels_N: Tensor) -> None:
        """Adds a canvas.

        Args:
            found: What was found on it, the most confident first.
            boxes_N4: What is on it.
            labels_N: The classes of these boxes.
        """
        labels = set(labels_N.tolist())
        for label in labels | set(found.labels_N.tolist()):
            of_class = found.labels_N == label
            wanted = boxes_N4[labels_N == label]
            self._objects[label] += len(wanted)
            self._confidences[label] += found.scores_N[of_class].tolist()
            self._hits[label] += _matched(overlaps(found.boxes_N4[of_class], wanted).tolist())

    def result(self) -> dict[str, float]:
        """Returns ``precision`` and ``recall`` at the confidence with the best F1, ``mAP_0.5`` and ``mAP_0.5_0.95``.

        A class that is on no canvas does not count; with no class at all, everything is 0.
        """
        classes = [label for label in range(CLASSES) if self._objects[label]]
        averages = [self._averages(label) for label in classes] or [torch.zeros(len(THRESHOLDS), dtype=torch.float64)]
        mean_T = torch.stack(averages).mean(dim=0)
        precision, recall = self._at_best_f1()
        return {
            "precision": precision,
            "recall": recall,
            "mAP_0.5": mean_T[0].item(),
            "mAP_0.5_0.95": mean_T.mean().item(),
        }

    def _averages(self, label: int) -> Tensor:
        """Returns the average precision of a class at each threshold."""
        precision_TN, recall_TN = _curve(self._confidences[label], self._hits[label], self._objects[label])
        highest_TN = precision_TN.flip(1).cummax(dim=1).values.flip(1) if precision_TN.numel() else precision_TN
        # A recall that is not reached has the precision 0.
        padded = torch.cat([highest_TN, highest_TN.new_zeros(len(THRESHOLDS), 1)], dim=1)
        index = torch.searchsorted(recall_TN.contiguous(), _RECALLS.expand(len(THRESHOLDS), -1).contiguous())
        return padded.gather(1, index).mean(dim=1)

    def _at_best_f1(self) -> tuple[float, float]:
        """Returns precision and recall over all classes together, at the first threshold."""
        confidences, hits = sum(self._confidences, []), sum(self._hits, [])  # noqa: RUF017 - ten short lists
        precision_TN, recall_TN = _curve(confidences, hits, sum(self._objects))
        precision, recall = precision_TN[0], recall_TN[0]
        if not len(precision):
            return 0.0, 0.0
        best = int((2 * precision * recall / (precision + recall).clamp(min=1e-12)).argmax())
        return precision[best].item(), recall[best].item()


def _curve(confidences: list[float], hits: list[list[bool]], objects: int) -> tuple[Tensor, Tensor]:
    """Returns precision and recall after each detection, the most confident first: thresholds x detections."""
    order = torch.argsort(torch.tensor(confidences, dtype=torch.float64), descending=True, stable=True)
    is_hit_TN = torch.tensor(hits, dtype=torch.float64).view(-1, len(THRESHOLDS))[order].T
    hits_TN = is_hit_TN.cumsum(dim=1)
    ranks_N = torch.arange(1, len(confidences) + 1, dtype=torch.float64)
    return hits_TN / ranks_N, hits_TN / max(1, objects)


def _matched(overlaps_NM: list[list[float]]) -> list[list[bool]]:
    """Returns for each detection, the most confident first, whether it is a hit at each threshold."""
    taken: list[set[int]] = [set() for _ in THRESHOLDS]
    hits = []
    for row in overlaps_NM:
        by_overlap = sorted(range(len(row)), key=lambda index, row=row: -row[index])  # type: ignore[misc]
        hit = []
        for threshold, used in zip(THRESHOLDS, taken, strict=True):
            match = next((i for i in by_overlap if i not in used and row[i] >= threshold - 1e-10), None)
            hit.append(match is not None)
            if match is not None:
                used.add(match)
        hits.append(hit)
    return hits
