"""Draws docs/layers.svg: the packages of kftune, one row a layer, as the import contract in pyproject.toml has them.

python tools/layers_picture.py
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "layers.svg"

_WIDTH, _ROW, _BOX, _MARGIN, _GAP = 980, 66, 46, 24, 12
_STYLE = """
    text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
    .name { font-size: 15px; font-weight: 600; text-anchor: middle; }
    .parts { font-size: 11px; fill: #59636e; text-anchor: middle; }
    .note { font-size: 13px; fill: #59636e; }
    .box { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.2; }
"""


def main() -> int:
    """Writes the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


def layers() -> list[list[str]]:
    """Returns the modules of each layer, the top layer first."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (contract,) = (each for each in tools["importlinter"]["contracts"] if each["id"] == "layers")
    return [re.findall(r"\w+", layer) for layer in contract["layers"]]


def picture() -> str:
    """Returns the SVG: a box for each module, with its subpackages, and the layers from top to bottom."""
    rows = [row for row in layers() if row != ["__main__"]]
    height = _MARGIN + 30 + _ROW * len(rows)
    boxes = "\n".join(line for number, row in enumerate(rows) for line in _row(row, _MARGIN + 24 + number * _ROW))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="The packages of kftune in layers; an import points down only">\n'
        f"  <style>{_STYLE}  </style>\n"
        f'  <rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'  <text class="note" x="{_MARGIN}" y="{_MARGIN}">An import points down only. '
        f"Packages of one row do not import each other.</text>\n"
        f"{boxes}\n</svg>\n"
    )


def _row(names: list[str], top: int) -> Iterator[str]:
    """Yields the boxes of a layer; each is as wide as its share of the row's text."""
    texts = {name: " · ".join(_parts(name)) for name in names}
    shares = {name: 8 + max(len(name), len(parts)) for name, parts in texts.items()}
    scale = (_WIDTH - 2 * _MARGIN - _GAP * (len(names) - 1)) / sum(shares.values())
    left: float = _MARGIN
    for name, parts in texts.items():
        width = shares[name] * scale
        middle = left + width / 2
        yield f'  <rect class="box" x="{left:.0f}" y="{top}" width="{width:.0f}" height="{_BOX}" rx="6"/>'
        yield f'  <text class="name" x="{middle:.0f}" y="{top + (20 if parts else 29)}">{escape(name)}</text>'
        if parts:
            yield f'  <text class="parts" x="{middle:.0f}" y="{top + 37}">{escape(parts)}</text>'
        left += width + _GAP


def _parts(name: str) -> list[str]:
    """Returns the subpackages of a package."""
    return sorted(path.parent.name for path in (ROOT / "src" / "kftune" / name).glob("*/__init__.py"))


if __name__ == "__main__":
    raise SystemExit(main())
