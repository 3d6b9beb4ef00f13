"""(e) Opening the results of 5 000 trials and printing the best."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import HERE, KFTUNE, PYTHON, Comparison, Line, Skipped, output, processes_in_turn
from benchmarks.stacks import MAIN, OPTUNA

TITLE = "the best of 5000 trials, whole process"
STACKS = (MAIN, OPTUNA)

TRIALS = "5000"
PEER = (PYTHON, HERE / "e_peer_optuna.py")


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    names = ("kftune best FOLDER", "Optuna SQLite: load_study, best_trial")
    if OPTUNA.missing:
        yield Skipped(*names, OPTUNA.missing)
        return
    results, database = folder / "results", folder / "optuna.db"
    output([PYTHON, "-m", "benchmarks.c_ours", "random", TRIALS, results])
    output([*PEER, "make", TRIALS, database])
    ours, peer = processes_in_turn(rounds, [KFTUNE, "best", results], [*PEER, "best", database])
    yield Comparison(*names, "s", ours.seconds, peer.seconds, goal=0.1)
