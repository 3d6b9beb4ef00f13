"""A study of a module that imports torch: `python -m benchmarks.w_ours N FOLDER` prints the median seconds of a trial.

The first trial is not counted: it waits until the worker has imported.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

from kftune import Choice, Hparam, Hparams, Study
from kftune.local import Event, TrialFinished, TrialStarted, run_study
from kftune.study import Algorithm, Budget, Objective, Step


class Searched(Hparams):
    width: int = Hparam(1, search=Choice(1, 2, 3))


def main() -> None:
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    study = Study(
        name="bench",
        hparams=Searched,
        objective=Objective(metric="loss", direction="minimize"),
        algorithm=Algorithm(name="random", seed=7),
        budget=Budget(max_trials=count + 1, parallel=1),
        step=Step(module="benchmarks.w_child"),
    )
    seconds: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, TrialStarted) and event.number == 1:
            time.sleep(5)
        if isinstance(event, TrialFinished):
            assert event.state == "Succeeded", event.message
            seconds.append(event.duration)

    run_study(study, folder, on_event=note)
    print(json.dumps({"trial": median(seconds[1:])}))


if __name__ == "__main__":
    main()
