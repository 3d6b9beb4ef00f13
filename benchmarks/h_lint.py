"""(h) Lint: how long it takes to check one Experiment, and many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.h_experiments import COUNT, EXPERIMENT
from benchmarks.measure import KFTUNE, PYTHON, Comparison, Line, chunks_in_turn, processes_in_turn, same_output
from benchmarks.stacks import MAIN

TITLE = "lint"
STACKS = (MAIN,)


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    lint, bare = processes_in_turn(rounds, [KFTUNE, "lint", EXPERIMENT], [PYTHON, "-c", "pass"])
    yield Comparison("kftune lint FILE, whole process", "python -c pass", "s", lint.seconds, bare.seconds, goal=8)

    ours, theirs = [PYTHON, "-m", "benchmarks.h_ours"], [PYTHON, "-m", "benchmarks.h_peer_libyaml"]
    same_output([*ours, "show"], [*theirs, "show"])
    checked, read = chunks_in_turn(rounds, ours, theirs)
    # libyaml reads about 3 000 of these per second; lint should check 1 500.
    yield Comparison(
        f"{COUNT} Experiments read and checked, in process", "libyaml: only read them", "µs", checked, read, goal=2
    )
