"""(f) 20 arguments to one typed value, in process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import PYTHON, Comparison, Line, chunks_in_turn, same_output
from benchmarks.stacks import MAIN

TITLE = "argv to a typed class of 20 fields in 3 groups, in process"
STACKS = (MAIN,)

OURS = (PYTHON, "-m", "benchmarks.f_ours")
PEER = (PYTHON, "-m", "benchmarks.f_peer_argparse")


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    same_output([*OURS, "show"], [*PEER, "show"])
    ours, peer = chunks_in_turn(rounds, OURS, PEER)
    yield Comparison("Hparams.from_args", "argparse: build the parser, parse", "µs", ours, peer, goal=0.1)
