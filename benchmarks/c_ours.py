"""A local run with durable results: `python -m benchmarks.c_ours ALGORITHM N FOLDER` prints seconds per trial."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.c_child import CHILD, PART
from kftune import Choice, Hparam, Hparams, IntUniform, LogUniform, Study
from kftune.local import Event, StudyStarted, TrialFinished, run_study
from kftune.study import Algorithm, Budget, Objective, Step


class Searched(Hparams):
    learning_rate: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    layers: int = Hparam(2, ge=1, search=IntUniform(1, 8))
    optimizer: str = Hparam("sgd", search=Choice("sgd", "adam", "adamw"))


def main() -> None:
    algorithm, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    study = Study(
        name="bench",
        hparams=Searched,
        objective=Objective(metric="loss", direction="minimize"),
        algorithm=Algorithm(name=algorithm, seed=7),
        budget=Budget(max_trials=count, parallel=1),
        step=Step(command=CHILD),
    )
    times: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, TrialFinished):
            assert event.state == "Succeeded", event.message
        if isinstance(event, StudyStarted | TrialFinished):
            times.append(perf_counter())

    run_study(study, folder, on_event=note)
    assert len(times) == count + 1
    part = min(PART, count)
    print(
        json.dumps(
            {
                "trial": (times[-1] - times[0]) / count,
                "early": (times[part] - times[0]) / part,
                "late": (times[-1] - times[-1 - part]) / part,
            }
        )
    )


if __name__ == "__main__":
    main()
