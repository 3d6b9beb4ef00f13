"""(d) Reading metrics from a million-line log: min, max, latest and count of two metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import PYTHON, Comparison, Line, output, processes_in_turn, same_output
from benchmarks.stacks import MAIN

TITLE = "a million-line log, whole process"
STACKS = (MAIN,)
GOALS = {"sparse": 0.05, "dense": 0.35}

OURS = (PYTHON, "-m", "benchmarks.d_ours")
PEER = (PYTHON, "-m", "benchmarks.d_peer_re")


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    for kind, goal in GOALS.items():
        log = folder / f"{kind}.log"
        output([PYTHON, "-m", "benchmarks.d_logs", kind, log])
        same_output([*OURS, log], [*PEER, log])
        ours, peer = processes_in_turn(rounds, [*OURS, log], [*PEER, log], warm_up=False)
        yield Comparison(f"{kind} log", "Katib's default regex, line by line", "s", ours.seconds, peer.seconds, goal)
        ours, peer = processes_in_turn(rounds, [*OURS, "-"], [*PEER, "-"], piped=log, warm_up=False)
        yield Comparison(f"{kind} log, live from a pipe", "the same", "s", ours.seconds, peer.seconds, goal)
        log.unlink()
