"""Writes canvases as a data set in the format of YOLO, for trainings other than the detector's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kftune import yaml_text
from kftune.files import write_bytes, write_text
from kftune.training.detector.canvases import CLASSES, Canvas, draw_canvas
from kftune.training.detector.png import to_png


def write_dataset(path: Path, counts: Mapping[str, int], *, side: int, max_digits: int, seed: int) -> None:
    """Writes a data set, ``data.yaml`` last.

    Args:
        path: The file ``data.yaml``; pictures and labels go into the same folder.
        counts: How many canvases each split has.
        side: Pixels of height and width.
        max_digits: Digits on a canvas at most.
        seed: Another seed gives other canvases.

    Raises:
        OSError: A file cannot be written.
    """
    folder = path.parent
    for split, count in counts.items():
        for number in range(count):
            canvas = draw_canvas(split, number, side=side, max_digits=max_digits, seed=seed)
            name = f"{split}/{number:05}"
            write_bytes(folder / "images" / f"{name}.png", to_png(255 - canvas.ink_HW))
            write_text(folder / "labels" / f"{name}.txt", _labels(canvas))
    # Without a key path, folders are relative to this file.
    splits = {split: f"images/{split}" for split in counts}
    write_text(path, yaml_text.dump({**splits, "names": [str(label) for label in range(CLASSES)]}))


def _labels(canvas: Canvas) -> str:
    side = canvas.ink_HW.shape[0]
    corners_N4 = canvas.boxes_N4 / side
    low, high = corners_N4[:, :2], corners_N4[:, 2:]
    lines = zip(canvas.labels_N.tolist(), ((low + high) / 2).tolist(), (high - low).tolist(), strict=True)
    return "".join(f"{label} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n" for label, (x, y), (width, height) in lines)
