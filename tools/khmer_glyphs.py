"""Writes the pictures of digits that `kftune.training.digits` puts together: ``python tools/khmer_glyphs.py FONTS``.

FONTS is a folder with the fonts: the file of the PyPI package fontpkg-noto-sans-khmer 2.4, and the folder of Debian's
package fonts-khmeros 5.0. It needs Pillow, which nothing else here does. `docs/ocr.md` has the licences.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont  # type: ignore[import-not-found]

DIGITS = "០១២៣៤៥៦៧៨៩"
SIDE = 48
HEIGHT = 40
TARGET = Path(__file__).parents[1] / "src" / "kftune" / "training" / "digits"

NOTO = [(100, 100), (250, 85), (400, 100), (600, 75), (900, 100), (900, 62)]
KHMER_OS = [
    "",
    "battambang",
    "bokor",
    "content",
    "fasthand",
    "freehand",
    "metalchrieng",
    "muol",
    "muolpali",
    "siemreap",
    "sys",
]


def main(folder: Path) -> None:
    """Writes the sheet and its list."""
    rows: list[dict[str, Any]] = []
    sheet = Image.new("L", (SIDE * len(DIGITS), SIDE * (len(NOTO) + len(KHMER_OS))), 0)
    for name, path, axes in _fonts(folder):
        font = _sized(path, axes)
        for column, digit in enumerate(DIGITS):
            left, top, right, bottom = font.getbbox(digit, anchor="ls")
            if right - left > SIDE or bottom - top > SIDE:
                raise SystemExit(f"{name}: {digit} is {right - left} x {bottom - top} pixels, and the cell {SIDE}")
            # The bottom of every row is a fixed distance under the baseline, for digits that go below it.
            x = SIDE * column + (SIDE - (right - left)) // 2 - left
            ImageDraw.Draw(sheet).text((x, SIDE * len(rows) + SIDE - 6), digit, font=font, fill=255, anchor="ls")
        rows.append({"font": name, "file": path.name})
    raw = f"P5 {sheet.width} {sheet.height} 255\n".encode() + sheet.tobytes()
    (TARGET / "khmer-digits.pgm.gz").write_bytes(gzip.compress(raw, mtime=0))
    (TARGET / "khmer-digits.json").write_text(
        json.dumps({"digits": DIGITS, "side": SIDE, "rows": rows}, indent=1) + "\n", encoding="utf-8"
    )


def _fonts(folder: Path) -> Iterator[tuple[str, Path, tuple[int, int] | None]]:
    noto = next(folder.rglob("NotoSansKhmer*.ttf"))
    for weight, width in NOTO:
        yield f"Noto Sans Khmer {weight}/{width}", noto, (weight, width)
    for name in KHMER_OS:
        yield f"Khmer OS {name}".strip(), next(folder.rglob(f"KhmerOS{name}.ttf")), None


def _sized(path: Path, axes: tuple[int, int] | None) -> ImageFont.FreeTypeFont:
    """Returns the font in the size in which its digits above the baseline are `HEIGHT` pixels high."""
    for size in range(90, 10, -1):
        font = ImageFont.truetype(path, size)
        if axes is not None:
            font.set_variation_by_axes(list(axes))
        boxes = [font.getbbox(digit, anchor="ls") for digit in DIGITS]
        widest = max(right - left for left, _, right, _ in boxes)
        highest, lowest = max(-top for _, top, _, _ in boxes), max(bottom for *_, bottom in boxes)
        if widest <= SIDE - 2 and highest <= HEIGHT and lowest <= 6:
            return font
    raise SystemExit(f"{path} has no size that fits")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
