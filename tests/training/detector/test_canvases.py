"""The canvases of the detector: what is drawn on them, and the data set that is made of them."""

from __future__ import annotations

import hashlib
import struct
import zlib
from importlib import resources
from pathlib import Path

import pytest
import torch

from kftune import yaml_text
from kftune.errors import UsageError
from kftune.training.__main__ import main
from kftune.training.detector.canvases import SPLITS, draw_canvas, handwritten
from kftune.training.detector.png import to_png
from kftune.training.detector.step import run

SIZE = {"side": 64, "max_digits": 4}


def pixels(png: bytes) -> list[list[int]]:
    """The rows of a grey PNG without filters."""
    width, height = struct.unpack(">II", png[16:24])
    start = png.index(b"IDAT")
    length = struct.unpack(">I", png[start - 4 : start])[0]
    raw = zlib.decompress(png[start + 4 : start + 4 + length])
    rows = [raw[row * (width + 1) : (row + 1) * (width + 1)] for row in range(height)]
    assert {row[0] for row in rows} == {0}
    return [list(row[1:]) for row in rows]


def test_the_digits_are_those_of_scikit_learn():
    packed = (resources.files("kftune.training.detector") / "digits.csv.gz").read_bytes()
    digest = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
    assert (len(packed), hashlib.sha256(packed).hexdigest()) == (57523, digest)
    document = (Path(__file__).parents[3] / "docs" / "yolo.md").read_text(encoding="utf-8")
    assert digest in document


def test_the_licence_of_the_digits_is_beside_them():
    text = (resources.files("kftune.training.detector") / "digits.LICENSE.txt").read_text(encoding="utf-8")
    assert "CC BY 4.0" in text
    assert "Copyright (c) 2007-2026 The scikit-learn developers." in text


def test_the_digits_are_pictures_of_8_x_8_with_all_ten_classes():
    pictures, labels = handwritten()
    assert tuple(pictures.shape) == (1797, 8, 8)
    assert (pictures.min().item(), pictures.max().item()) == (0, 1)
    assert sorted(set(labels.tolist())) == list(range(10))


def test_the_splits_share_no_digit_and_use_all():
    assert [*range(*SPLITS["train"]), *range(*SPLITS["val"])] == list(range(1797))


@pytest.mark.parametrize("split", list(SPLITS))
def test_a_canvas_has_digits_apart_from_each_other_and_inside(split: str):
    for number in range(50):
        canvas = draw_canvas(split, number, seed=3, **SIZE)
        assert 1 <= len(canvas.boxes_N4) == len(canvas.labels_N) <= 4
        assert canvas.boxes_N4.min() >= 0
        assert canvas.boxes_N4.max() <= 64
        sizes = canvas.boxes_N4[:, 2:] - canvas.boxes_N4[:, :2]
        assert sizes.min() >= 3
        covered = torch.zeros(64, 64)
        for left, top, right, bottom in canvas.boxes_N4.int().tolist():
            covered[top:bottom, left:right] += 1
        assert covered.max() == 1


def test_ink_is_in_the_boxes():
    canvases = [draw_canvas("train", number, seed=0, **SIZE) for number in range(50)]
    inside = [
        canvas.ink_HW[int(top) : int(bottom), int(left) : int(right)].float().mean()
        for canvas in canvases
        for left, top, right, bottom in canvas.boxes_N4.tolist()
    ]
    everywhere = torch.stack([canvas.ink_HW.float().mean() for canvas in canvases]).mean()
    assert torch.stack(inside).mean() > 1.5 * everywhere


def test_a_canvas_depends_on_its_number_its_seed_and_its_split_only():
    first = draw_canvas("train", 7, seed=1, **SIZE)
    for split, number, seed, is_same in (
        ("train", 7, 1, True),
        ("train", 8, 1, False),
        ("train", 7, 2, False),
        ("val", 7, 1, False),
    ):
        again = draw_canvas(split, number, seed=seed, **SIZE)
        assert torch.equal(first.ink_HW, again.ink_HW) == is_same


def test_a_grey_picture_becomes_a_png():
    picture = torch.tensor([[0, 128, 255], [1, 2, 3]], dtype=torch.uint8)
    png = to_png(picture)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert pixels(png) == picture.tolist()


def test_the_data_set_has_what_yolo_reads(tmp_path: Path):
    path = tmp_path / "digits" / "data.yaml"
    assert main(["detector-data", f"--dataset={path}", "--train=3", "--val=2", "--seed=5"]) == 0
    described = yaml_text.load_file(path)
    assert described == {"train": "images/train", "val": "images/val", "names": [str(label) for label in range(10)]}
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            canvas = draw_canvas(split, number, seed=5, **SIZE)
            name = f"{split}/{number:05}"
            assert pixels((path.parent / "images" / f"{name}.png").read_bytes()) == (255 - canvas.ink_HW).tolist()
            lines = (path.parent / "labels" / f"{name}.txt").read_text().splitlines()
            values = torch.tensor([[float(text) for text in line.split()] for line in lines])
            assert values[:, 0].long().tolist() == canvas.labels_N.tolist()
            center, size = values[:, 1:3] * 64, values[:, 3:] * 64
            corners = torch.cat([center - size / 2, center + size / 2], dim=1)
            assert torch.allclose(corners, canvas.boxes_N4, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "detector-data needs --dataset"),
        (["--dataset=digits"], "writes a file such as digits/data.yaml"),
        (["--dataset=d.yaml", "--train=0"], "--train must be a whole number from 1 to 100000, but is '0'"),
        (["--dataset=d.yaml", "--side=9x"], "--side must be a whole number from 32 to 640"),
        (["--dataset=d.yaml", "--sise=64"], "did you mean 'side'"),
    ],
)
def test_a_wrong_argument_of_the_data_set_is_told(arguments: list[str], words: str):
    with pytest.raises(UsageError, match=words):
        run(arguments)
