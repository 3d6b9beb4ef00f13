"""The results of an experiment list as one JSON file. Its keys are a contract: docs/guides/experiment-lists.md."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.experiments.entries import Experiment
from kftune.experiments.file import Experiments
from kftune.files import write_text
from kftune.metrics.targets import TargetResult
from kftune.results import FINISHED, SCORED, Trial
from kftune.results.store import Store

PATTERN = "hyperparameter_tuning_results_*.json"
"""The names of files that were not given a name."""


class Found(NamedTuple):
    """What an experiment has reached."""

    experiment: Experiment
    trial: Trial | None
    """As it is stored; None if it has not run."""
    targets: list[TargetResult]

    @property
    def status(self) -> str:
        """completed, failed, or empty if it has not ended."""
        if self.trial is None or self.trial.state not in FINISHED:
            return ""
        return "completed" if self.trial.state in SCORED and self.trial.objective is not None else "failed"


def found_of(listed: Experiments, chosen: Sequence[Experiment], store: Store) -> list[Found]:
    """Returns what experiments have reached so far.

    Args:
        listed: Their list.
        chosen: The experiments.
        store: The results.
    """
    trials = {trial.name: trial for trial in store.trials()}
    found = []
    for each in chosen:
        trial, judged = trials.get(each.name), []
        if trial is not None and trial.state in FINISHED and listed.targets:
            curves = store.curves(trial.number)
            judged = [target.judged(trial, listed.reductions, curves) for target in listed.targets]
        found.append(Found(each, trial, judged))
    return found


def best_of(listed: Experiments, found: Sequence[Found]) -> Found | None:
    """Returns the experiment with the best objective, the first of equal ones; None if none has one.

    Args:
        listed: The list.
        found: What its experiments have reached.
    """
    sign = 1 if listed.objective.direction == "minimize" else -1
    values = [
        (sign * each.trial.objective, place)
        for place, each in enumerate(found)
        if each.status == "completed" and each.trial is not None and each.trial.objective is not None
    ]
    return found[min(values)[1]] if values else None


def stamp() -> str:
    """Returns the local time as it is in the results and in the names of their files: YYYYMMDD_HHMMSS."""
    return time.strftime("%Y%m%d_%H%M%S")


def results_of(listed: Experiments, found: Sequence[Found], timestamp: str) -> dict[str, Any]:
    """Returns the content of the results file.

    Args:
        listed: The list.
        found: What its experiments have reached.
        timestamp: When the run began.
    """
    best = best_of(listed, found)
    return {
        "timestamp": timestamp,
        "experiments_completed": sum(each.status == "completed" for each in found),
        "best_result": None if best is None else _result(listed, best),
        "all_results": [_result(listed, each) for each in found if each.status],
        "not_run": [each.experiment.name for each in found if not each.status],
    }


def write_results(path: Path, results: Mapping[str, Any]) -> None:
    """Writes a results file: a reader sees the one before, or all of this one.

    Args:
        path: The file.
        results: Its content.
    """
    write_text(path, f"{json.dumps(results, indent=2, ensure_ascii=False)}\n")


def _result(listed: Experiments, found: Found) -> dict[str, Any]:
    trial, values = found.trial, found.experiment.hparams.to_flat()
    assert trial is not None  # noqa: S101 - it has ended
    objective = trial.metrics.get(listed.objective.metric)
    return {
        "experiment_name": found.experiment.name,
        "status": found.status,
        "training_time": trial.duration,
        **{_key(name, how): _number(trial, name, how) for name, how in listed.reductions.items()},
        "total_epochs": 0 if objective is None else objective.count,
        "error_message": trial.message if found.status == "failed" else None,
        "hyperparameters": {name: values.get(name) for name in listed.shown},
        "targets": [
            {name: value for name, value in each._asdict().items() if name != "trial"} for each in found.targets
        ],
    }


def _key(metric: str, reduce: str) -> str:
    """Returns the key of a metric: ``best_val_loss``, or ``final_train_loss`` for the latest value."""
    return f"{'final' if reduce == 'latest' else 'best'}_{metric}"


def _number(trial: Trial, metric: str, reduce: str) -> float | None:
    values = trial.metrics.get(metric)
    return None if values is None else values.number(reduce)
