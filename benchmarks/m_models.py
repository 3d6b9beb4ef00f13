"""(m) A typed model against the same script in bare Lightning: CPU time of the start and of an epoch."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import PYTHON, Comparison, Line, Skipped, figures, in_turn
from benchmarks.stacks import MAIN, TORCH

TITLE = "a typed model"
STACKS = (MAIN, TORCH)

EPOCH = ("an epoch of 300 steps with kftune", "the same in bare Lightning")
START = ("process start to first batch with kftune", "bare Lightning plus 0.3 s")
ALLOWED = 0.3


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    if importlib.util.find_spec("pytorch_lightning") is None:
        yield Skipped(*EPOCH, "Lightning is not installed; pip install 'kftune[lightning]'")
        return

    def run(which: str) -> tuple[float, float]:
        found = figures([PYTHON, "-m", "benchmarks.m_script", which, folder / which])
        shutil.rmtree(folder / which)
        return found["epoch"], found["start"]

    mine, theirs = in_turn(rounds, lambda: run("kftune"), lambda: run("bare"))
    yield Comparison(*EPOCH, "s", [each[0] for each in mine], [each[0] for each in theirs], goal=1.03)
    yield Comparison(*START, "s", [each[1] for each in mine], [each[1] + ALLOWED for each in theirs], goal=1.0)
