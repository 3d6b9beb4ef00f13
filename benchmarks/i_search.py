"""(i) What the default algorithm finds: functions and recorded trainings, one trial after the other."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measure import Line, Search, Skipped, output
from benchmarks.problems import problems
from benchmarks.search import Regrets
from benchmarks.stacks import HYPEROPT, MAIN, OPTUNA, SYNE_TUNE, Stack
from kftune.study import Algorithm

TRIALS = 60
SEEDS_A_ROUND = 5
TITLE = f"the distance to the optimum after {TRIALS} trials"
STACKS = (MAIN, OPTUNA, HYPEROPT, SYNE_TUNE)

OURS = f"kftune {Algorithm().name} (default)"
SIDES = {
    OURS: (MAIN, "i_ours", Algorithm().name),
    "Optuna TPE": (OPTUNA, "i_peer_optuna", "tpe"),
    "Katib tpe": (HYPEROPT, "i_peer_katib", "tpe"),
    "Katib random": (HYPEROPT, "i_peer_katib", "random"),
    "Syne Tune random": (SYNE_TUNE, "i_peer_synetune", "random"),
}


def measure(rounds: int, folder: Path, trials: int = TRIALS) -> Iterator[Line]:
    found = regrets(rounds * SEEDS_A_ROUND, trials)
    for name, (stack, _, _) in SIDES.items():
        if stack.missing:
            yield Skipped(OURS, name, stack.missing)
    for problem in problems():
        runs = {name: side[problem] for name, side in found.items()}
        last = {name: [run[-1] for run in each] for name, each in runs.items()}
        curves = {
            name: [statistics.median(values) for values in zip(*each, strict=True)] for name, each in runs.items()
        }
        yield Search(problem, last, curves)


def regrets(seeds: int, trials: int) -> dict[str, Regrets]:
    """Returns what each installed side found: the regret after each trial, for each problem and seed."""

    def run(side: tuple[Stack, str, str]) -> Regrets:
        stack, module, algorithm = side
        argv = [stack.python, "-m", f"benchmarks.{module}", algorithm, str(trials), str(seeds)]
        found: Regrets = json.loads(output(argv).splitlines()[-1])
        return found

    there = {name: side for name, side in SIDES.items() if not side[0].missing}
    with ThreadPoolExecutor(max_workers=2) as pool:  # time is not measured
        return dict(zip(there, pool.map(run, there.values()), strict=True))
