"""Converts results to JSON and CSV for other programs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from kftune.metrics.curves import Curve
from kftune.results.columns import LAST, first_columns, hparams_columns
from kftune.results.origins import cells
from kftune.results.pareto import front_of
from kftune.results.records import FINISHED, SCORED, Meta, TrackedMetric, Trial
from kftune.results.trials import Trials

JSON_FORMAT = "kftune.results/1"


def to_json(results: Trials, *, curves: bool = False) -> dict[str, Any]:
    """Returns the study and its trials, with the keys that docs/results.md describes.

    Args:
        results: The results.
        curves: Whether each trial has its curves too.
    """
    meta, best = results.meta, results.best()
    trials = {trial.number: trial_to_json(trial, results) for trial in results.trials()}
    if curves:
        for trial in trials.values():
            trial["curves"] = {}
        for number, metric, curve in results.all_curves():
            if number in trials:  # otherwise a run has stored it since
                trials[number]["curves"][metric] = _curve_to_json(curve)
    left_out = ("slug", "compared", "experiment", "more_objectives", "trial_names")
    stored = {key: value for key, value in meta._asdict().items() if key not in left_out}
    pareto = {"pareto": [trial.name for trial in results.pareto()]} if meta.more_objectives else {}
    return {
        "format": JSON_FORMAT,
        "study": {
            "name": meta.name,
            "direction": meta.direction,
            "objective": meta.objective.name,
            **stored,
            "metrics": [metric._asdict() for metric in meta.metrics],
            "objectives": [objective._asdict() for objective in meta.objectives],
        },
        "counts": results.counts(),
        "active_seconds": round(results.active_seconds(), 3),
        "reason": results.reason(),
        "targets": [target._asdict() for target in results.targets()],
        "best": None if best is None else trial_to_json(best, results),
        **pareto,
        "trials": [*trials.values()],
    }


def _curve_to_json(curve: Curve) -> dict[str, Any]:
    return {
        "reported": curve.reported,
        "steps": curve.steps.tolist(),
        "values": curve.values.tolist(),
        "seconds": curve.times.tolist(),
    }


def trial_to_json(trial: Trial, results: Trials) -> dict[str, Any]:
    """Returns one trial, in the form of `to_json`.

    Args:
        trial: The trial.
        results: The results that contain it, for the paths of its files.
    """
    folder = results.folder
    return {
        "number": trial.number,
        "name": trial.name,
        "state": trial.state,
        "attempt": trial.attempt,
        "retries": trial.retried.counted(),
        "proposed": trial.retried.proposed,
        "values": trial.point,
        "assignment": trial.assignment,
        "objective": trial.objective,
        "metrics": {name: values._asdict() for name, values in trial.metrics.items()},
        "started": trial.started,
        "ended": trial.ended,
        "duration": trial.duration,
        "exit_code": trial.exit_code,
        "message": trial.message,
        "stopped_by": trial.stopped_by,
        "origin": trial.origin._asdict(),
        "log": None if folder is None else str(folder.log(trial.name)),
        "output": None if folder is None else str(folder.output(trial.name)),
    }


def to_seed_json(results: Trials) -> dict[str, Any]:
    """Returns the results in the form of experiment-list tuners, as docs/results.md describes it.

    Each result has ``best_<metric>`` for the objective and for every metric that is reduced to its minimum or maximum,
    ``final_<metric>`` for every metric, ``training_time`` in seconds, and ``total_epochs``: how often the objective was
    reported. The timestamp is the end of the last trial, so that equal results give equal text. Trials that have not
    ended are left out.
    """
    meta = results.meta
    finished = [trial for trial in results.trials() if trial.state in FINISHED]
    best = results.best()
    last = max((trial.ended or "" for trial in finished), default="") or meta.created
    return {
        "timestamp": last[:19].replace("-", "").replace(":", "").replace("T", "_"),
        "experiments_completed": len(finished),
        "best_result": None if best is None else _seed_result(best, meta),
        "all_results": [_seed_result(trial, meta) for trial in finished],
    }


def _seed_result(trial: Trial, meta: Meta) -> dict[str, Any]:
    completed = trial.state in SCORED
    result: dict[str, Any] = {
        "experiment_name": trial.name,
        "status": "completed" if completed else "failed",
        "training_time": trial.duration,
    }
    for metric in meta.metrics:
        values = trial.metrics.get(metric.name)
        best = _best_of(metric, meta)
        if best != "latest":
            result[f"best_{metric.name}"] = None if values is None else values.number(best)
        result[f"final_{metric.name}"] = None if values is None else values.number("latest")
    reported = trial.metrics.get(meta.objective.name)
    result["total_epochs"] = 0 if reported is None else reported.count
    if not completed:
        result["error_message"] = trial.message
    result["hyperparameters"] = {**meta.fixed, **trial.point}
    return result


def _best_of(metric: TrackedMetric, meta: Meta) -> str:
    """Returns which of a metric's values is the best; latest when that is unknown."""
    direction = {objective.name: objective.direction for objective in meta.objectives}.get(metric.name)
    if metric.reduce == "latest" and direction is not None:
        return "min" if direction == "minimize" else "max"
    return metric.reduce


def to_csv(results: Trials, *, curves: bool = False) -> str:
    """Returns one line per trial: its name and state, the value of each metric, every hyperparameter.

    Args:
        results: The results.
        curves: Whether to return one line per report instead.
    """
    header, rows = curves_to_rows(results) if curves else to_rows(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def curves_to_rows(results: Trials) -> tuple[list[str], list[list[Any]]]:
    """Returns a header and one row per report that was kept, by trial and metric."""
    header = ["trial", "metric", "step", "value", "seconds"]
    rows = [
        [results.name_of(number), metric, step, value, seconds]
        for number, metric, curve in results.all_curves()
        for step, value, seconds in zip(curve.steps, curve.values, curve.times, strict=True)
    ]
    return header, rows


def to_rows(results: Trials) -> tuple[list[str], list[list[Any]]]:
    """Returns a header and one row per trial, with empty texts for missing values.

    With several objectives, the column ``pareto`` has ``yes`` for the trials of the Pareto set. A hyperparameter with
    the name of another column gets the prefix ``hparams.``.
    """
    meta, trials = results.meta, results.trials()
    front = set(front_of(trials, meta).members()) if meta.more_objectives else None
    first = first_columns(meta)
    hparams = hparams_columns(meta)
    rows = []
    for trial in trials:
        found = [(trial.metrics.get(metric.name), metric.reduce) for metric in meta.metrics]
        texts = ["" if values is None else values.text(reduce) for values, reduce in found]
        texts += [] if front is None else ["yes" if trial.number in front else ""]
        duration = "" if trial.duration is None else f"{trial.duration:.3f}"
        given = [trial.shown(name) for name in hparams]
        origin = cells(trial).values()
        times = [trial.started or "", trial.ended or ""]
        exit_code = "" if trial.exit_code is None else trial.exit_code
        rows.append(
            [
                trial.name,
                trial.state,
                duration,
                *texts,
                *given,
                *origin,
                *times,
                exit_code,
                trial.message,
                trial.stopped_by,
            ]
        )
    return [*first, *hparams.values(), *LAST], rows


def to_text(data: dict[str, Any], *, indent: int | None = 2) -> str:
    """Returns JSON for a file.

    Args:
        data: The data.
        indent: None writes one line.
    """
    return json.dumps(data, indent=indent, ensure_ascii=False) + "\n"
