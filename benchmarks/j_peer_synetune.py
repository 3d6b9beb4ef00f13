"""Syne Tune's ASHA on a table: `... j_peer_synetune TABLE WORKERS EPOCHS SEEDS` prints the outcome of each seed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.optimizer.scheduler import SchedulerDecision
from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

from benchmarks.epochs import simulate
from benchmarks.i_peer_synetune import space
from benchmarks.problems import Point, Problem, table


class SyneTuneAsha:
    def __init__(self, problem: Problem, seed: int) -> None:
        np.random.seed(seed)  # as in i_peer_synetune
        self._most = len(next(iter(problem.curves.values())))
        self._scheduler = AsynchronousSuccessiveHalving(
            space(problem), metric="loss", time_attr="epoch", max_t=self._most, random_seed=seed
        )
        self._trials: dict[int, Trial] = {}

    def ask(self, number: int) -> Point:
        suggestion = self._scheduler.suggest()
        assert suggestion is not None
        trial = Trial(trial_id=number, config=suggestion.config, creation_time=datetime.now())
        self._trials[number] = trial
        self._scheduler.on_trial_add(trial)
        return trial.config

    def report(self, number: int, epoch: int, loss: float) -> bool:
        result = {"loss": loss, "epoch": epoch}
        return self._scheduler.on_trial_result(self._trials[number], result) == SchedulerDecision.STOP

    def end(self, number: int, losses: Sequence[float]) -> None:
        if len(losses) == self._most:
            self._scheduler.on_trial_complete(self._trials[number], {"loss": losses[-1], "epoch": len(losses)})


def main() -> None:
    problem, (workers, epochs, seeds) = table(sys.argv[1]), map(int, sys.argv[2:])
    print(
        json.dumps(
            [
                simulate(problem, SyneTuneAsha(problem, seed), seed=seed, workers=workers, epochs=epochs)
                for seed in range(seeds)
            ]
        )
    )


if __name__ == "__main__":
    main()
