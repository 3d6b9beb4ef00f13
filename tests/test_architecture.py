"""The page on the architecture says what is there: the layers of pyproject.toml, and the modules of src/kftune."""

from __future__ import annotations

import re
import tomllib

import layers_picture
from places import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def _rows() -> list[tuple[int, str]]:
    return [(int(layer), name) for layer, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.M)]


def test_the_page_has_the_layers_of_the_contract_in_their_order():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (contract,) = (each for each in tools["importlinter"]["contracts"] if each["id"] == "layers")
    assert _rows() == [
        (number, name) for number, layer in enumerate(contract["layers"], 1) for name in re.findall(r"\w+", layer)
    ]


def test_the_page_tells_of_every_module_of_the_package():
    there = {
        path.stem
        for path in (ROOT / "src" / "kftune").iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    }
    assert {name for _, name in _rows()} == there - {"__init__"}


def test_every_file_that_the_page_names_is_there():
    named = set(re.findall(r"`((?:\w+/)*\w+\.py|(?:\w+/)+)`", PAGE))
    places = (
        ROOT,
        ROOT / "src" / "kftune",
        ROOT / "src" / "kftune" / "lint",
        ROOT / "src" / "kftune" / "katib",
        ROOT / "tests",
    )
    assert [name for name in sorted(named) if not any((place / name).exists() for place in places)] == []


def test_the_picture_shows_the_layers_of_the_contract():
    assert layers_picture.PICTURE.read_text(encoding="utf-8") == layers_picture.picture()
