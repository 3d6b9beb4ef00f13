"""Files of other systems that the tests import: the examples, each copied into a folder under its own name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mistake_texts import printed
from places import ROOT

EXAMPLES = ROOT / "tests" / "importers" / "examples"
NAMES = sorted(path.name.removesuffix(".txt") for path in EXAMPLES.iterdir())


def system_of(name: str) -> str:
    """Returns the system of an example: the start of its name."""
    return name.partition(".")[0].partition("-")[0]


def copied(name: str, folder: Path) -> Path:
    """Copies an example. Python text has the suffix .txt here, because linters would read it."""
    source = EXAMPLES / name
    return Path(shutil.copy(source if source.exists() else EXAMPLES / f"{name}.txt", folder / name))


def imported(name: str, folder: Path, *options: str) -> str:
    """Imports an example into study.yaml in a folder, and returns what was printed."""
    copied(name, folder)
    for module in [each for each in sys.modules if each.endswith("_hparams")]:
        del sys.modules[module]  # two modules of one name cannot be loaded in one process
    return printed(["import", system_of(name), name, "-o", "study.yaml", *options], folder)
