"""(a) Start-up: how long a user waits before a command does anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import HERE, KFTUNE, PYTHON, Comparison, Line, Skipped, processes_in_turn
from benchmarks.stacks import MAIN, TYPER

TITLE = "start-up, whole process"
STACKS = (MAIN, TYPER)


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    version, empty = processes_in_turn(rounds, [KFTUNE, "--version"], [PYTHON, "-c", "pass"])
    yield Comparison("kftune --version", "python -c pass", "s", version.seconds, empty.seconds, goal=3)

    names = ("kftune --help", "typer hello-world --help")
    if TYPER.missing:
        yield Skipped(*names, TYPER.missing)
        return
    hello = HERE / "a_peer_typer.py"
    ours, typer = processes_in_turn(rounds, [KFTUNE, "--help"], [TYPER.python, hello, "--help"])
    yield Comparison(*names, "s", ours.seconds, typer.seconds, goal=0.5)
