"""Writes finished trials into the files of experiment trackers, or to a tracker's server.

Each tracker has a module of its name with `write(results, folder) -> Written`. What a tracker gets of a trial is in
`runs.py`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from kftune.errors import UnknownNameError
from kftune.results.trials import Trials
from kftune.trackers.runs import Written

TRACKERS = {
    "tensorboard": "event files with the HParams dashboard",
    "mlflow": "an experiment with a run for each trial",
    "wandb": "offline runs of Weights & Biases",
}
"""Tracker -> what is written for it."""

__all__ = ["TRACKERS", "Written", "write_runs"]


def write_runs(tracker: str, results: Trials, folder: Path | None) -> Written:
    """Writes the trials that have ended, each as a run; runs that are there already are not written twice.

    Args:
        tracker: One of `TRACKERS`.
        results: The trials.
        folder: Where to write; None for the server that the tracker's own variables name.

    Raises:
        UnknownNameError: There is no such tracker.
        UsageError: A folder is needed, or it has another study of that name.
        MissingExtraError: The package of the tracker is not installed.
        OSError: The folder cannot be written.
    """
    if tracker not in TRACKERS:
        raise UnknownNameError("tracker", tracker, TRACKERS)
    return cast("Written", import_module(f"kftune.trackers.{tracker}").write(results, folder))
