"""Draws the pictures of docs/ocr.md: ``python tools/ocr_pictures.py MODEL DATA``.

MODEL is the folder of a training, DATA that of the data set. Writes docs/ocr-samples.png (pictures of each split),
docs/ocr-predictions.png (what the model reads, and where its attention looks) and docs/ocr-curve.svg.

Shape suffixes: B pictures, H rows, W columns, L tokens.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from kftune.training.detector.png import to_png
from kftune.training.digits.alphabet import DIGITS
from kftune.training.digits.dataset import Pictures, read_split
from kftune.training.digits.drawing import Damage, spoil
from kftune.training.digits.glyphs import glyphs
from kftune.training.folder import read_summary
from kftune.training.ocr import load_trained
from kftune.training.ocr.model import AttentionReader
from kftune.training.page import curves

DOCS = Path(__file__).parents[1] / "docs"
ACROSS = 5
FIRST, WRONG = 15, 10
"""How many pictures of the split test are shown: the first ones, and after them those that are read wrongly."""
GREEN, RED, GREY = (26, 127, 55), (207, 34, 46), (110, 119, 129)
COLOURS = ((9, 105, 218), (188, 76, 0), (130, 80, 223))
SPACE = 6
_FONT = "Noto Sans Khmer 400/100"


def main(model: Path, data: Path) -> None:
    """Writes the pictures."""
    splits = {name: _split(data, name) for name in ("train", "val", "test")}
    (DOCS / "ocr-samples.png").write_bytes(_png(samples(splits)))
    (DOCS / "ocr-predictions.png").write_bytes(_png(predictions(model, splits["test"])))
    summary = read_summary(model)
    names = ("train_seq_accuracy", "val_seq_accuracy")
    drawn = curves("Numbers without a mistake by epoch", summary["history"], names, summary["best"]["epoch"])
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12" fill="#1f2328" '
        'style="background: white" '
    )
    (DOCS / "ocr-curve.svg").write_text(drawn.replace("<svg ", head, 1) + "\n", encoding="utf-8")


def _split(data: Path, name: str) -> Pictures:
    return read_split(data / "metadata.yaml", name, vocab_size=13, max_length=9)


def samples(splits: dict[str, Pictures]) -> Tensor:
    """Returns a row of pictures of each split; those to train on also as they are spoiled.

    Args:
        splits: Name -> pictures.
    """
    clean_BHW = splits["train"].ink_BHW[:ACROSS].float() / 255
    rows = [
        clean_BHW,
        spoil(clean_BHW, Damage(), torch.Generator().manual_seed(1)),
        *(splits[name].ink_BHW[:ACROSS].float() / 255 for name in ("val", "test")),
    ]
    return grid([on_paper(ink_HW) for row in rows for ink_HW in row])


def predictions(model: Path, pictures: Pictures) -> Tensor:
    """Returns pictures with what a model reads.

    Args:
        model: The folder of its training.
        pictures: The split.
    """
    _, reader = load_trained(model)
    if not isinstance(reader, AttentionReader):
        raise SystemExit(f"{model} must have a model with attention")
    with torch.inference_mode():
        texts, looked_BLW = reader.read_looking(pictures.ink_BHW.float() / 255)
    wrong = [number for number, text in enumerate(texts) if text != pictures.texts[number]]
    shown = [*range(FIRST), *[number for number in wrong if number >= FIRST][:WRONG]]
    return grid(
        [_reading(pictures.ink_BHW[n].float() / 255, texts[n], pictures.texts[n], looked_BLW[n]) for n in shown]
    )


def _reading(ink_HW: Tensor, text: str, right: str, looked_LW: Tensor) -> Tensor:
    """Returns a picture, below it one line of attention for each token, and below these what is read."""
    picture = on_paper(ink_HW)
    lines = torch.full((9 * 3, picture.shape[1], 3), 255.0)
    for token, looked_W in enumerate(looked_LW[: len(text) + 1]):
        colour = torch.tensor(COLOURS[token % len(COLOURS)] if token < len(text) else GREY, dtype=torch.float32)
        share_W3 = looked_W.repeat_interleave(picture.shape[1] // len(looked_W))[:, None]
        lines[token * 3 : token * 3 + 2] = 255 + (colour - 255) * share_W3
    below = [written(text, GREEN if text == right else RED), written("" if text == right else right, GREY)]
    return torch.cat([picture, lines, *below])


def on_paper(ink_HW: Tensor) -> Tensor:
    """Returns ink as grey levels, rows x columns x 3."""
    return (255 - 255 * ink_HW)[..., None].repeat(1, 1, 3)


def written(text: str, colour: Sequence[int], height: int = 16) -> Tensor:
    """Returns a number in clean digits, as wide as a picture.

    Args:
        text: Khmer digits.
        colour: Red, green and blue.
        height: Rows.
    """
    line_HW = torch.zeros(height, 128)
    if text:
        parts = [part for digit in text for part in (glyphs()[_FONT][DIGITS.index(digit)], torch.zeros(48, 3))]
        strip_HW = torch.cat(parts, dim=1)
        width = strip_HW.shape[1] * height // len(strip_HW)
        line_HW[:, :width] = functional.interpolate(
            strip_HW[None, None], size=(height, width), mode="bilinear", antialias=True
        )[0, 0].clamp(0, 1)
    return 255 + (torch.tensor(colour) - 255) * line_HW[..., None]


def grid(cells: Sequence[Tensor]) -> Tensor:
    """Returns pictures of one size beside and below each other."""
    framed = [functional.pad(cell, (0, 0, SPACE, SPACE, SPACE, SPACE), value=255) for cell in cells]
    return torch.cat([torch.cat(framed[n : n + ACROSS], dim=1) for n in range(0, len(framed), ACROSS)])


def _png(picture_HW3: Tensor) -> bytes:
    return to_png(picture_HW3.round().to(torch.uint8))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
