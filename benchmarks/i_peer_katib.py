"""Katib's tpe and random: the calls of its service, one suggestion a request.

python -m benchmarks.i_peer_katib tpe|random TRIALS SEEDS [PROBLEM ...]

Source: katib v0.19.0, pkg/suggestion/v1beta1/hyperopt/base_service.py, with the hyperopt of its image. Katib has no
conditions, so every parameter is always searched.
"""

from __future__ import annotations

import math
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp, rand, tpe

from benchmarks.problems import Choice, Int, Point, Problem, Range
from benchmarks.search import main


class Katib:
    def __init__(self, problem: Problem, algorithm: str, seed: int) -> None:
        self._space = problem.space
        self._algorithm = algorithm
        suggest = {"tpe": tpe.suggest, "random": rand.suggest}[algorithm]
        space = {name: _parameter(name, one) for name, one in problem.space.items()}
        domain = hyperopt.Domain(None, space, pass_expr_memo_ctrl=None)
        self._suggest = suggest
        self._fmin = hyperopt.FMinIter(
            suggest,
            domain,
            trials=hyperopt.Trials(),
            max_evals=-1,
            rstate=np.random.RandomState(seed),
            verbose=False,
        )
        self._domain = domain

    def ask(self, number: int) -> Point:
        fmin = self._fmin
        further = {"n_startup_jobs": 1} if self._algorithm == "tpe" else {}
        (trial,) = self._suggest(
            new_ids=fmin.trials.new_trial_ids(1),
            domain=fmin.domain,
            trials=fmin.trials,
            seed=fmin.rstate.randint(2**31 - 1),
            **further,
        )
        self._point = {name: _value(one, trial["misc"]["vals"][name][0]) for name, one in self._space.items()}
        return self._point

    def tell(self, number: int, value: float) -> None:
        trials = self._fmin.trials
        ids = trials.new_trial_ids(1)
        misc = {
            "tid": ids[0],
            "cmd": self._domain.cmd,
            "workdir": self._domain.workdir,
            "idxs": dict.fromkeys(self._space, ids),
            "vals": {name: [_number(one, self._point[name])] for name, one in self._space.items()},
        }
        result = {"loss": value, "status": hyperopt.STATUS_OK}
        (document,) = hyperopt.Trials().new_trial_docs(
            tids=ids, specs=[{"trial-name": str(number)}], results=[result], miscs=[misc]
        )
        document["state"] = hyperopt.JOB_STATE_DONE
        trials.insert_trial_docs([document])
        trials.refresh()


def _parameter(name: str, one: Range) -> Any:
    if isinstance(one, Choice):
        return hp.choice(name, list(one.options))
    bounds = (math.log(one.low), math.log(one.high)) if one.log else (float(one.low), float(one.high))
    if isinstance(one, Int):  # Katib sets the step of an integer to 1
        return (hp.qloguniform if one.log else hp.quniform)(name, *bounds, 1.0)
    return (hp.loguniform if one.log else hp.uniform)(name, *bounds)


def _value(one: Range, number: float) -> Any:
    if isinstance(one, Choice):
        return one.options[int(number)]
    return int(number) if isinstance(one, Int) else float(number)


def _number(one: Range, value: Any) -> Any:
    return one.options.index(value) if isinstance(one, Choice) else value


if __name__ == "__main__":
    main(Katib)
