"""(g) A pipeline for KFP: what kftune adds to kfp's own compiler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import HERE, KFTUNE, PYTHON, BenchmarkError, Comparison, Line, processes_in_turn
from benchmarks.stacks import MAIN

TITLE = "a pipeline of five steps for KFP, whole process"
STACKS = (MAIN,)


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    ours, theirs = folder / "ours.yaml", folder / "theirs.yaml"
    render = [KFTUNE, "render", HERE / "g_pipeline.yaml", "--target", "kfp", "--out", ours]
    compiled, bare = processes_in_turn(rounds, render, [PYTHON, HERE / "g_peer_kfp.py", theirs])
    for step in ("data", "train", "evaluate", "register", "tell"):
        for path in (ours, theirs):
            if f"exec-{step}:" not in path.read_text(encoding="utf-8"):
                raise BenchmarkError(f"{path.name} has no step {step}")
    yield Comparison("kftune render --target kfp", "kfp's compiler", "s", compiled.seconds, bare.seconds, goal=1.3)
