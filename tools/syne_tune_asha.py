"""Records what Syne Tune's asynchronous successive halving decides on random curves.

python -m venv syne && syne/bin/pip install syne-tune==0.16.0
syne/bin/python tools/syne_tune_asha.py > tests/data/syne_tune_asha.jsonl
"""

from __future__ import annotations

import json
import random
import sys

from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import uniform
from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

_CASES = 24
_TRIALS = 30


def main() -> None:
    """Prints a case a line: settings, the reports in their order, and the decision at each."""
    for case in range(_CASES):
        draw = random.Random(case)
        factor, first, last = draw.choice([2, 3, 4]), draw.choice([1, 2, 3]), draw.choice([9, 27, 40])
        minimize, parallel = draw.random() < 0.5, draw.choice([1, 4, 8])
        scheduler = AsynchronousSuccessiveHalving(
            {"x": uniform(0, 1)},
            metric="loss",
            do_minimize=minimize,
            time_attr="epoch",
            max_t=last,
            grace_period=first,
            reduction_factor=factor,
            random_seed=case,
        )
        settings = {"min_resource": first, "max_resource": last, "reduction_factor": factor}
        seen = [[*each] for each in _decisions(scheduler, draw, last, parallel)]
        line = json.dumps({"settings": settings, "minimize": minimize, "reports": seen})
        sys.stdout.write(f"{line}\n")


def _decisions(scheduler, draw, last, parallel):
    """Yields trial, step, value, and whether the trial is stopped. A trial reports no more after that."""
    waiting, running = [*range(1, _TRIALS + 1)], {}
    while waiting or running:
        while waiting and len(running) < parallel:
            number = waiting.pop(0)
            trial = Trial(trial_id=number, config={"x": 0.5}, creation_time=None)
            scheduler.on_trial_add(trial)
            running[number] = (trial, draw.random(), 0)
        number = draw.choice([*running])
        trial, end, step = running[number]
        step += 1
        # Few different values, so that there are equal ones.
        value = round(end + 1 / step + draw.gauss(0, 0.1), 1)
        decision = scheduler.on_trial_result(trial, {"loss": value, "epoch": step})
        yield number, step, value, decision == "STOP"
        running[number] = (trial, end, step)
        if decision == "STOP" or step >= last:
            del running[number]


if __name__ == "__main__":
    main()
