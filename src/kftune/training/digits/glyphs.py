"""The digits of real fonts, as pictures that kftune ships: drawing needs neither the fonts nor a library for them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib import resources

import torch
from torch import Tensor

from kftune.training.digits.pgm import parse_pgm

FONTS = {
    "train": (
        "Noto Sans Khmer 100/100",
        "Noto Sans Khmer 250/85",
        "Noto Sans Khmer 400/100",
        "Noto Sans Khmer 600/75",
        "Noto Sans Khmer 900/100",
        "Noto Sans Khmer 900/62",
        "Khmer OS",
        "Khmer OS battambang",
        "Khmer OS bokor",
        "Khmer OS freehand",
        "Khmer OS metalchrieng",
        "Khmer OS muol",
        "Khmer OS muolpali",
    ),
    "val": ("Khmer OS siemreap", "Khmer OS content"),
    "test": ("Khmer OS sys", "Khmer OS fasthand"),
}
"""The fonts of each split. None is in two splits, so validation and test measure how a model reads unknown fonts."""


@cache
def glyphs() -> dict[str, list[Tensor]]:
    """Returns the ten digits of each font: float32 in 0 to 1 (ink), all of one height, cut to the width of the ink."""
    package = resources.files("kftune.training.digits")
    sheet_HW = parse_pgm(gzip.decompress((package / "khmer-digits.pgm.gz").read_bytes()), "khmer-digits.pgm.gz")
    listed = json.loads((package / "khmer-digits.json").read_text(encoding="utf-8"))
    side = listed["side"]
    found = {}
    for row, entry in enumerate(listed["rows"]):
        cells = sheet_HW[row * side : (row + 1) * side].float().div(255)
        found[entry["font"]] = [_cut(cell) for cell in torch.split(cells, side, dim=1)]
    return found


def _cut(cell_HW: Tensor) -> Tensor:
    columns = torch.nonzero(cell_HW.amax(dim=0) > 0).flatten()
    return cell_HW[:, columns[0] : columns[-1] + 1]
