"""The results of experiment-list tuners: ``timestamp``, ``experiments_completed``, ``best_result``, ``all_results``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.errors import StoreError
from kftune.metrics.values import MetricValues
from kftune.results.records import Origin, TrackedMetric, Trial
from kftune.results.trials import Recorded, Trials, plain_meta

_OBJECTIVE = "val_char_accuracy"
_PREFIXES = {"best_": "best", "final_": "latest"}


def read(data: Mapping[str, Any], place: str) -> Trials:
    """Returns the experiments in a JSON document as trials.

    A metric is what ``best_`` or ``final_`` names. The objective is the metric that decided ``best_result``:
    val_char_accuracy where it is there, otherwise the first one with a best value. Losses and errors are minimized.

    Args:
        data: The document.
        place: The file, for messages.

    Raises:
        StoreError: An entry is not as it should be.
    """
    entries = data["all_results"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise StoreError("all_results must be a list of mappings, but is not", place)
    metrics = _metrics(entries)
    if not metrics and any(entry.get("status") == "completed" for entry in entries):
        raise StoreError("no experiment has a key that begins with best_ or final_, so there are no metrics", place)
    objective = metrics[0] if metrics else TrackedMetric(_OBJECTIVE, "max")
    trials = [_trial(number, entry, metrics, place) for number, entry in enumerate(entries, start=1)]
    names = dict.fromkeys(name for trial in trials for name in trial.point)
    meta = plain_meta(
        "experiments",
        direction="minimize" if objective.reduce == "min" else "maximize",
        metrics=tuple(metrics) or (objective,),
        max_trials=len(trials),
        space={name: {} for name in names},
        created=str(data.get("timestamp", "")),
        algorithm="list",
    )
    return Recorded(meta, trials, place=place)


def _metrics(entries: Sequence[Mapping[str, Any]]) -> list[TrackedMetric]:
    """Returns the metrics; the objective is the first."""
    found: dict[str, str] = {}
    for entry in entries:
        for key in entry:
            prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), None)
            if prefix is not None:
                name = key.removeprefix(prefix)
                best = "min" if name.endswith(("loss", "error")) else "max"
                found[name] = best if prefix == "best_" else found.get(name, "latest")
    first = [name for name in found if name == _OBJECTIVE] or [name for name, kind in found.items() if kind != "latest"]
    ordered = dict.fromkeys([*first[:1], *found])
    return [TrackedMetric(name, found[name]) for name in ordered]


def _trial(number: int, entry: Mapping[str, Any], metrics: Sequence[TrackedMetric], place: str) -> Trial:
    name = entry.get("experiment_name")
    point = entry.get("hyperparameters", {})
    if not isinstance(name, str) or not isinstance(point, dict):
        raise StoreError(f"all_results[{number - 1}] must have experiment_name and a mapping hyperparameters", place)
    epochs = entry.get("total_epochs")
    values = {
        metric.name: found
        for metric in metrics
        if (found := _values(entry, metric, epochs if isinstance(epochs, int) else 0)) is not None
    }
    completed = entry.get("status") == "completed"
    counts = values.get(metrics[0].name) if completed and metrics else None
    seconds = entry.get("training_time")
    return Trial(
        number=number,
        name=name,
        state="Succeeded" if completed else "Failed",
        attempt=1,
        assignment={key: value if isinstance(value, str) else json.dumps(value) for key, value in point.items()},
        point=dict(point),
        metrics=values,
        objective=None if counts is None else counts.number(metrics[0].reduce),
        started=None,
        ended=None,
        duration=float(seconds) if isinstance(seconds, int | float) else None,
        exit_code=None,
        message=str(entry.get("error_message") or ""),
        pid=None,
        pid_started=None,
        origin=Origin("list", {}, None),
    )


def _values(entry: Mapping[str, Any], metric: TrackedMetric, epochs: int) -> MetricValues | None:
    best, final = entry.get(f"best_{metric.name}"), entry.get(f"final_{metric.name}")
    known = [value for value in (best, final) if isinstance(value, int | float) and not isinstance(value, bool)]
    if not known or not math.isfinite(known[0]):
        return None
    return MetricValues(repr(min(known)), repr(max(known)), repr(known[-1]), epochs)
