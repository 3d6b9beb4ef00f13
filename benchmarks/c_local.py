"""(c) The overhead of a local run per trial: durable results, a child that does nothing, one trial at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import PYTHON, Argv, Comparison, Line, Skipped, figures, in_turn
from benchmarks.stacks import MAIN, OPTUNA

TITLE = "the overhead of a local run per trial of a no-op child, in process"
STACKS = (MAIN, OPTUNA)

TRIALS = "200"
MANY = "5000"
ALGORITHMS = ("tpe", "multivariate-tpe")
GOALS = {"sqlite": 0.2, "journal": 1.0}
FLAT = 1.3
"""The goal for constant time per trial, with some slack for a shared machine."""

RAW = (PYTHON, "-m", "benchmarks.c_raw", TRIALS)
OURS = (PYTHON, "-m", "benchmarks.c_ours")
PEER = (PYTHON, "-m", "benchmarks.c_peer_optuna")


def measure(rounds: int, folder: Path) -> Iterator[Line]:
    yield from _against_optuna(rounds, folder)
    yield _flat(rounds, folder)


def _against_optuna(rounds: int, folder: Path) -> Iterator[Line]:
    """Compares the same sampler on both sides, so that only the loop and the storage differ."""
    for algorithm in ALGORITHMS:
        if OPTUNA.missing:
            for kind in GOALS:
                yield Skipped(algorithm, f"Optuna's same sampler, {kind}", OPTUNA.missing)
            continue
        raw, ours, *peers = in_turn(
            rounds,
            lambda: figures(RAW),
            _side(folder, [*OURS, algorithm, TRIALS]),
            *(_side(folder, [*PEER, kind, algorithm, TRIALS]) for kind in GOALS),
        )
        for (kind, goal), peer in zip(GOALS.items(), peers, strict=True):
            mine, theirs = _added(ours, raw, "trial"), _added(peer, raw, "trial")
            yield Comparison(algorithm, f"Optuna's same sampler, {kind}", "ms", mine, theirs, goal)


def _flat(rounds: int, folder: Path) -> Line:
    raw, ours = in_turn(rounds, lambda: figures(RAW), _side(folder, [*OURS, "random", MANY]), warm_up=False)
    late, early = _added(ours, raw, "late"), _added(ours, raw, "early")
    return Comparison("random, the last 500 of 5000 trials", "the first 500", "ms", late, early, FLAT)


def _side(folder: Path, argv: Argv) -> Callable[[], dict[str, float]]:
    """Runs a side with its own results folder, and removes the folder."""

    def run() -> dict[str, float]:
        results = folder / "results"
        found = figures([*argv, results])
        shutil.rmtree(results)
        return found

    return run


def _added(side: list[dict[str, float]], raw: list[dict[str, float]], key: str) -> list[float]:
    """Returns the milliseconds that a side adds to the raw loop of its round."""
    return [(found[key] - floor["trial"]) * 1000 for found, floor in zip(side, raw, strict=True)]
