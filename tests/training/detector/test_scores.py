"""How good a detector is: overlaps of boxes, which detection is a hit, and the mean average precision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kftune.training.detector.boxes import best_of_each_place, generalized_overlaps, overlaps
from kftune.training.detector.model import Found
from kftune.training.detector.scores import Scores


def boxes(*edges: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor(edges, dtype=torch.float64).view(-1, 4)


def found(*detections: tuple[float, tuple[float, float, float, float], int]) -> Found:
    """Detections as confidence, box and class, the most confident first."""
    return Found(
        boxes(*(box for _, box, _ in detections)),
        torch.tensor([score for score, _, _ in detections], dtype=torch.float64),
        torch.tensor([label for _, _, label in detections], dtype=torch.long),
    )


def labels(*given: int) -> Tensor:
    return torch.tensor(given, dtype=torch.long)


def wide(width: float) -> tuple[float, float, float, float]:
    """A box in (0, 0, 100, 10), which it overlaps by its share of the width."""
    return (0, 0, width, 10)


A, B = (0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0)
FAR = (50.0, 50.0, 60.0, 60.0)


@pytest.mark.parametrize(
    ("other", "overlap"), [(A, 1.0), ((5, 0, 15, 10), 1 / 3), ((2, 2, 8, 8), 0.36), ((10, 0, 20, 10), 0), (B, 0)]
)
def test_the_overlap_of_boxes_is_shared_area_over_both_together(other, overlap):
    assert overlaps(boxes(A), boxes(other)).item() == pytest.approx(overlap)
    assert generalized_overlaps(boxes(A), boxes(other))[0].item() == pytest.approx(overlap)


def test_the_generalized_overlap_says_how_far_boxes_are_apart():
    near, far = (generalized_overlaps(boxes(A), boxes(other))[1].item() for other in (B, FAR))
    assert near == pytest.approx(0 - (900 - 200) / 900)
    assert far < near


def test_of_boxes_at_one_place_the_best_of_each_class_remains():
    shifted = (0.0, 0.0, 10.0, 11.0)
    at = boxes(A, shifted, shifted, B)
    assert best_of_each_place(at, labels(1, 1, 2, 1), 0.5).tolist() == [0, 2, 3]
    assert best_of_each_place(at, labels(1, 1, 2, 1), 0.95).tolist() == [0, 1, 2, 3]
    assert best_of_each_place(boxes(), labels(), 0.5).tolist() == []


def test_a_box_that_was_dropped_drops_no_other_one():
    chain = boxes((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))
    assert best_of_each_place(chain, labels(1, 1, 1), 0.4).tolist() == [0, 2]


def test_everything_found_exactly_has_the_score_1():
    scores = Scores()
    scores.add(found((0.9, A, 1), (0.8, B, 2)), boxes(A, B), labels(1, 2))
    assert scores.result() == pytest.approx({"precision": 1, "recall": 1, "mAP_0.5": 1, "mAP_0.5_0.95": 1})


@pytest.mark.parametrize(
    "detections",
    [(), ((0.9, FAR, 1),), ((0.9, A, 2),)],
    ids=["nothing", "at another place", "as another class"],
)
def test_what_is_not_found_has_the_score_0(detections):
    scores = Scores()
    scores.add(found(*detections), boxes(A), labels(1))
    assert scores.result() == {"precision": 0, "recall": 0, "mAP_0.5": 0, "mAP_0.5_0.95": 0}


def test_the_average_is_that_of_the_highest_precision_at_101_recalls():
    # By hand: hit, miss, hit, miss of 4 objects. Precision 1 up to recall 1/4 (26 of 101 recalls: 0 to 0.25), then 2/3
    # up to recall 1/2 (25 recalls), then none.
    scores = Scores()
    scores.add(found((0.9, A, 1), (0.8, FAR, 1)), boxes(A, B), labels(1, 1))
    scores.add(found((0.7, A, 1), (0.6, FAR, 1)), boxes(A, B), labels(1, 1))
    assert scores.result()["mAP_0.5"] == pytest.approx((26 * 1 + 25 * 2 / 3) / 101)


def test_a_box_that_fits_worse_counts_at_fewer_thresholds():
    # An overlap of 0.72 is a hit from 0.5 to 0.7: five of the ten thresholds.
    scores = Scores()
    scores.add(found((0.9, wide(72), 1)), boxes(wide(100)), labels(1))
    assert scores.result() == pytest.approx({"precision": 1, "recall": 1, "mAP_0.5": 1, "mAP_0.5_0.95": 0.5})


def test_an_overlap_of_exactly_the_threshold_is_a_hit():
    scores = Scores()
    scores.add(found((0.9, wide(50), 1)), boxes(wide(100)), labels(1))
    assert scores.result() == pytest.approx({"precision": 1, "recall": 1, "mAP_0.5": 1, "mAP_0.5_0.95": 0.1})


def test_an_object_is_found_once():
    scores = Scores()
    scores.add(found((0.9, A, 1), (0.8, A, 1)), boxes(A), labels(1))
    assert scores.result()["mAP_0.5"] == pytest.approx(1)
    scores.add(found((0.7, A, 1)), boxes(A), labels(1))
    # Hit, miss, hit of 2: precision 1 up to recall 1/2 (51 recalls), then 2/3 (50).
    assert scores.result()["mAP_0.5"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_the_most_confident_detection_takes_its_best_object_first():
    # Both overlap the first object; the second one also fits the other object, and gets it.
    left, right = (0.0, 0.0, 10.0, 10.0), (2.0, 0.0, 12.0, 10.0)
    scores = Scores()
    scores.add(found((0.9, left, 1), (0.8, (1.0, 0.0, 11.0, 10.0), 1)), boxes(left, right), labels(1, 1))
    assert scores.result()["recall"] == 1


def test_a_class_without_objects_does_not_count_in_the_mean():
    scores = Scores()
    scores.add(found((0.9, A, 1), (0.8, B, 7)), boxes(A), labels(1))
    assert scores.result()["mAP_0.5"] == pytest.approx(1)


def test_each_class_counts_alike_in_the_mean():
    scores = Scores()
    scores.add(found((0.9, A, 1)), boxes(A, B), labels(1, 2))
    assert scores.result()["mAP_0.5"] == pytest.approx(0.5)


def test_precision_and_recall_are_those_at_the_best_f1():
    # One hit, then three misses before the second hit: two of five is worse than one of one.
    scores = Scores()
    detections = [(0.9, A, 1), *((0.8 - step / 10, FAR, 1) for step in range(3)), (0.1, B, 1)]
    scores.add(found(*detections), boxes(A, B), labels(1, 1))
    assert (scores.result()["precision"], scores.result()["recall"]) == (1, 0.5)


def test_a_detector_without_any_canvas_scores_0():
    assert Scores().result() == {"precision": 0, "recall": 0, "mAP_0.5": 0, "mAP_0.5_0.95": 0}


def test_the_scores_are_those_of_coco():
    """What pycocotools says about the same canvases; it takes boxes as left, top, width and height."""
    recorded = json.loads(Path(__file__).with_name("coco.json").read_text())
    scores = Scores()
    for canvas in recorded["canvases"]:
        scores.add(found(*canvas["found"]), boxes(*canvas["boxes"]), labels(*canvas["labels"]))
    result = scores.result()
    assert (result["mAP_0.5"], result["mAP_0.5_0.95"]) == pytest.approx((recorded["mAP_0.5"], recorded["mAP_0.5_0.95"]))
