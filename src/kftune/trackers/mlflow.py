"""MLflow: an experiment with the name of the study, and a run for each trial.

Source: mlflow 3, utils/validation.py.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kftune.errors import MissingExtraError, UsageError
from kftune.results.trials import Trials
from kftune.trackers.runs import Run, Written, runs_of, safe_names, study_key

SERVER = "MLFLOW_TRACKING_URI"
"""The variable that names a server; MLflow's own variables have its user and token."""

_SQLITE = "sqlite:///"
_OTHERS = r"[^\w\-. /:]"
"""Characters that a name of a metric or a parameter may not have."""
_LONGEST_PARAMETER = 6000
_LONGEST_TAG = 5000
_MOST_METRICS = 1000
_MOST_PARAMETERS = 100
_STUDY = "kftune.key"


def write(results: Trials, folder: Path | None) -> Written:
    """Writes a run for each trial that has none yet.

    A run that an interrupted export has left is written anew, and so is that of a trial which ran again since.

    Args:
        results: The trials.
        folder: Where the database ``mlflow.db`` is, or is made; None for the server of MLFLOW_TRACKING_URI.

    Raises:
        UsageError: There is neither a folder nor a server, or the server refuses, or it has another study of that name.
        MissingExtraError: MLflow is not installed.
        OSError: The folder cannot be written.
    """
    address = os.environ.get(SERVER, "") if folder is None else f"{_SQLITE}{folder.resolve()}/mlflow.db"
    if not address:
        raise UsageError(f"say where MLflow's database is: -o FOLDER; without it the variable {SERVER} names a server")
    mlflow = _mlflow(address.startswith(_SQLITE))
    exported = runs_of(results)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        return _written(
            _Experiment(mlflow.MlflowClient(address), results, folder), exported.runs, address, exported.notes
        )
    except mlflow.exceptions.MlflowException as error:
        # An address may hold a password.
        problem = str(error).replace(address, SERVER) if folder is None else str(error)
        raise UsageError(f"MLflow refuses: {problem}; the same command writes what is missing") from error


def _mlflow(has_database: bool) -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent that the user has not asked for
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines a run
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # a server that is not there is named in seconds
    try:
        import mlflow  # noqa: PLC0415 - an extra

        if has_database:
            import alembic  # noqa: F401, PLC0415
            import sqlalchemy  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingExtraError("mlflow", error.name or "mlflow") from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # it says how it makes its tables
    return mlflow


def _written(experiment: _Experiment, runs: list[Run], address: str, notes: tuple[str, ...]) -> Written:
    present = experiment.present()
    count = 0
    for run in runs:
        if run.key not in present:
            experiment.add(run)
            count += 1
    is_file = address.startswith(_SQLITE)
    place = address.removeprefix(_SQLITE) if is_file else f"the server of {SERVER}"
    shown = f"mlflow ui --backend-store-uri {address}" if is_file else f"the experiment {experiment.name} there"
    return Written(place, count, len(runs) - count, shown, notes)


class _Experiment:
    """An experiment of MLflow.

    Raises:
        UsageError: There is one of that name with other runs.
    """

    def __init__(self, client: Any, results: Trials, folder: Path | None) -> None:
        self.name, self._client = results.meta.name, client
        found, key = client.get_experiment_by_name(self.name), study_key(results)
        if found is None:
            place = None if folder is None else (folder.resolve() / "mlflow").as_uri()
            self._id = client.create_experiment(self.name, artifact_location=place, tags={_STUDY: key})
        elif found.tags.get(_STUDY) != key:
            raise UsageError(
                f"there is an experiment {self.name} already, and it is not of this study; give another folder, or "
                f"rename that experiment"
            )
        elif found.lifecycle_stage != "active":
            raise UsageError(f"the experiment {self.name} was deleted there; restore it, or remove it for good")
        else:
            self._id = found.experiment_id

    def present(self) -> set[str]:
        """Returns the keys of the runs that are whole; removes those of which only a part is there."""
        whole: set[str] = set()
        for run in self._runs():
            if run.info.status == "RUNNING":
                self._client.delete_run(run.info.run_id)
            else:
                whole.add(run.data.tags.get(_STUDY, ""))
        return whole

    def _runs(self) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs([self._id], page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def add(self, run: Run) -> None:
        """Writes a run; until it is whole, MLflow has it as running."""
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 - an extra

        tags = {**{name: text[:_LONGEST_TAG] for name, text in run.tags.items()}, _STUDY: run.key}
        if "kftune.revision" in tags:
            tags["mlflow.source.git.commit"] = tags["kftune.revision"].partition("-")[0]
        made = self._client.create_run(self._id, _milliseconds(run.started), tags, run.name)
        names = safe_names(run.texts, _OTHERS)
        params = [Param(names[name], text[:_LONGEST_PARAMETER]) for name, text in run.texts.items()]
        for part in _parts(params, _MOST_PARAMETERS):
            self._client.log_batch(made.info.run_id, params=part)
        points = {**{tag: [point] for tag, point in run.counted.items()}, **run.metrics}
        names = safe_names(points, _OTHERS)
        metrics = [
            Metric(names[tag], point.value, _milliseconds(point.time), point.step)
            for tag, each in points.items()
            for point in each
        ]
        for part in _parts(metrics, _MOST_METRICS):
            self._client.log_batch(made.info.run_id, metrics=part)
        cut = {name: text for name, text in run.texts.items() if len(text) > _LONGEST_PARAMETER}
        if cut:
            self._client.log_batch(made.info.run_id, tags=[RunTag("kftune.cut", ", ".join(cut)[:_LONGEST_TAG])])
        status = "FINISHED" if run.succeeded else "FAILED"
        self._client.set_terminated(made.info.run_id, status, _milliseconds(run.ended))


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    for place in range(0, len(items), size):
        yield items[place : place + size]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
