"""Converts results to JSON and CSV for other programs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from kftune.results.origins import COLUMNS, cells
from kftune.results.reading import Results
from kftune.results.records import FINISHED, SCORED, Meta, TrackedMetric, Trial

JSON_FORMAT = "kftune.results/1"


def to_json(results: Results) -> dict[str, Any]:
    """Returns the study and its trials, with the keys that docs/results.md describes."""
    meta, best = results.meta, results.best()
    stored = {key: value for key, value in meta._asdict().items() if key not in ("slug", "compared", "experiment")}
    return {
        "format": JSON_FORMAT,
        "study": {
            "name": meta.name,
            "direction": meta.direction,
            "objective": meta.objective.name,
            **stored,
            "metrics": [metric._asdict() for metric in meta.metrics],
        },
        "counts": results.counts(),
        "active_seconds": round(results.active_seconds(), 3),
        "targets": [target._asdict() for target in results.targets()],
        "best": None if best is None else trial_to_json(best, results),
        "trials": [trial_to_json(trial, results) for trial in results.trials()],
    }


def trial_to_json(trial: Trial, results: Results) -> dict[str, Any]:
    """Returns one trial, in the form of `to_json`.

    Args:
        trial: The trial.
        results: The results that contain it, for the paths of its files.
    """
    return {
        "number": trial.number,
        "name": trial.name,
        "state": trial.state,
        "attempt": trial.attempt,
        "values": trial.point,
        "assignment": trial.assignment,
        "objective": trial.objective,
        "metrics": {name: values._asdict() for name, values in trial.metrics.items()},
        "started": trial.started,
        "ended": trial.ended,
        "duration": trial.duration,
        "exit_code": trial.exit_code,
        "message": trial.message,
        "origin": trial.origin._asdict(),
        "log": str(results.folder.log(trial.name)),
        "output": str(results.folder.output(trial.name)),
    }


def to_seed_json(results: Results) -> dict[str, Any]:
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
    if metric.reduce == "latest" and metric == meta.objective:
        return "min" if meta.direction == "minimize" else "max"
    return metric.reduce


def to_csv(results: Results) -> str:
    """Returns one line per trial: its name and state, the value of each metric, every hyperparameter."""
    header, rows = to_rows(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def to_rows(results: Results) -> tuple[list[str], list[list[Any]]]:
    """Returns a header and one row per trial, with empty texts for missing values.

    A hyperparameter with the name of another column gets the prefix ``hparams.``.
    """
    meta, trials = results.meta, results.trials()
    columns = ["trial", "state", "duration", *(metric.name for metric in meta.metrics)]
    names = list(dict.fromkeys((*meta.fixed, *meta.space)))
    columns += [f"hparams.{name}" if name in columns or name in _LAST else name for name in names]
    rows = []
    for trial in trials:
        found = [(trial.metrics.get(metric.name), metric.reduce) for metric in meta.metrics]
        texts = ["" if values is None else values.text(reduce) for values, reduce in found]
        duration = "" if trial.duration is None else f"{trial.duration:.3f}"
        given = [trial.text(name) for name in names]
        origin = cells(trial).values()
        times = [trial.started or "", trial.ended or ""]
        exit_code = "" if trial.exit_code is None else trial.exit_code
        rows.append([trial.name, trial.state, duration, *texts, *given, *origin, *times, exit_code, trial.message])
    return [*columns, *_LAST], rows


_LAST = (*COLUMNS, "started", "ended", "exit_code", "message")


def to_text(data: dict[str, Any]) -> str:
    """Returns JSON for a file."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
