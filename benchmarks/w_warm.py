"""(w) A trial that imports torch, from a warm worker: from its start to its end."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import PYTHON, Comparison, Line, Skipped, figures, in_turn, process
from benchmarks.stacks import MAIN, TORCH

TITLE = "a trial that imports torch, from a warm worker"
STACKS = (MAIN, TORCH)

TRIALS = "10"
NAMES = ("a trial of a linear layer, start to end", "python -c 'import torch', whole process")


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    if importlib.util.find_spec("torch") is None:
        yield Skipped(*NAMES, "torch is not installed; pip install 'kftune[train]'")
        return
    results = folder / "results"

    def ours() -> float:
        found = figures([PYTHON, "-m", "benchmarks.w_ours", TRIALS, results])
        shutil.rmtree(results)
        return found["trial"]

    mine, fresh = in_turn(rounds, ours, lambda: process([PYTHON, "-c", "import torch"]).seconds)
    yield Comparison(*NAMES, "s", mine, fresh, goal=0.03)
