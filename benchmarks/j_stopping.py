"""(j) What stopping rules save: searches over tables of recorded trainings, epoch by epoch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.epochs import Outcome
from benchmarks.i_search import SEEDS_A_ROUND
from benchmarks.measure import PYTHON, Comparison, Line, Search, Skipped, output
from benchmarks.stacks import MAIN, SYNE_TUNE
from kftune.study import Algorithm

TITLE = "epochs with and without a stopping rule, on tables of recorded trainings"
STACKS = (MAIN, SYNE_TUNE)

TABLES = ("lstm", "digits")
TRIALS = 60
EPOCHS = 270
"""As many as 10 whole trainings."""
WORKERS = (1, 4)
GOAL = 0.6
ALGORITHM = Algorithm().name

RULE = {"percentile": {"keep": 50, "delay": 5}}
ASHA: dict[str, Any] = {"asha": {}}
RULE_NAME, ASHA_NAME = "kftune with percentile {keep: 50, delay: 5}", "kftune with asha"


def measure(rounds: int, folder: Path, trials: int = TRIALS, epochs: int = EPOCHS) -> Iterator[Line]:
    seeds = rounds * SEEDS_A_ROUND
    searches: list[Line] = []
    for table in TABLES:
        for workers in WORKERS:
            stopped, whole = (_ours(table, workers, seeds, rule, trials=trials) for rule in (RULE, {}))
            what = f"table {table}, {workers} {'trials at a time' if workers > 1 else 'trial at a time'}"
            fewer, most = ([float(one.epochs) for one in side] for side in (stopped, whole))
            yield Comparison(f"{what}, {RULE_NAME}", f"all {trials} trials whole", "epochs", fewer, most, GOAL)
            searches.append(Search(what, {RULE_NAME: _regrets(stopped), "no rule": _regrets(whole)}))
    yield from searches
    if SYNE_TUNE.missing:
        yield Skipped(ASHA_NAME, "Syne Tune's ASHA", SYNE_TUNE.missing)
        return
    for table in TABLES:
        for workers in WORKERS:
            ours = _ours(table, workers, seeds, ASHA, epochs=epochs)
            argv = [SYNE_TUNE.python, "-m", "benchmarks.j_peer_synetune", table, workers, epochs, seeds]
            what = f"table {table}, {workers} at a time, {epochs} epochs"
            yield Search(what, {ASHA_NAME: _regrets(ours), "Syne Tune's ASHA": _regrets(_outcomes(argv))})


def _ours(table: str, workers: int, seeds: int, stopping: Mapping[str, Any], **limit: int) -> list[Outcome]:
    ((name, count),) = limit.items()
    side = [PYTHON, "-m", "benchmarks.j_ours", table, workers, seeds, name, count]
    return _outcomes([*side, ALGORITHM, json.dumps(stopping)])


def _outcomes(argv: list[Any]) -> list[Outcome]:
    return [Outcome(*one) for one in json.loads(output(argv).splitlines()[-1])]


def _regrets(outcomes: list[Outcome]) -> list[float]:
    return [one.regret for one in outcomes]
