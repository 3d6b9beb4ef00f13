"""Results in the forms in which other programs read them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from kftune.results.reading import Results
from kftune.results.records import FINISHED, SCORED, Meta, Metric, Trial

JSON_FORMAT = "kftune.results/1"


def to_json(results: Results) -> dict[str, Any]:
    """The study and its trials.

    Returns:
        ``format`` (this schema's name), ``study`` (name, direction, objective, metrics, algorithm, seed, …), ``counts``
        (state -> number), ``active_seconds``, ``best`` (a trial or null), ``trials``. A trial has ``number``, ``name``,
        ``state``, ``attempt``, ``values`` (searched), ``assignment`` (all, as texts), ``objective``, ``metrics``
        (name -> min, max, latest as printed, count, step), ``started``, ``ended``, ``duration``, ``exit_code``,
        ``message``, ``log`` and ``output`` (paths).
    """
    meta, best = results.meta, results.best()
    return {
        "format": JSON_FORMAT,
        "study": {
            "name": meta.name,
            "direction": meta.direction,
            "objective": meta.objective.name,
            "metrics": [metric._asdict() for metric in meta.metrics],
            "goal": meta.goal,
            "algorithm": meta.algorithm,
            "settings": meta.settings,
            "seed": meta.seed,
            "max_trials": meta.max_trials,
            "parallel": meta.parallel,
            "fixed": meta.fixed,
            "space": meta.space,
            "identity": meta.identity,
            "created": meta.created,
            "version": meta.version,
        },
        "counts": results.counts(),
        "active_seconds": round(results.active_seconds(), 3),
        "best": None if best is None else trial_to_json(best, results),
        "trials": [trial_to_json(trial, results) for trial in results.trials()],
    }


def trial_to_json(trial: Trial, results: Results) -> dict[str, Any]:
    """One trial, as `to_json` has it."""
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
        "log": str(results.folder.log(trial.name)),
        "output": str(results.folder.output(trial.name)),
    }


def to_seed_json(results: Results) -> dict[str, Any]:
    """The results as experiment-list tuners write them: timestamp, experiments_completed, best_result, all_results.

    Each result has ``best_<metric>`` for the objective and every metric whose least or greatest value counts,
    ``final_<metric>`` for every metric, ``training_time`` in seconds, and as ``total_epochs`` how often the objective
    was reported. The timestamp is the end of the last trial, so that equal results give equal text. Trials that have
    not ended are left out.
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


def _best_of(metric: Metric, meta: Meta) -> str:
    """Which of a metric's values is the best; latest when nothing says so."""
    if metric.reduce == "latest" and metric == meta.objective:
        return "min" if meta.direction == "minimize" else "max"
    return metric.reduce


def to_csv(results: Results) -> str:
    """One line a trial: what it is, its objective, the value of each metric that counts, every hyperparameter."""
    header, rows = to_rows(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def to_rows(results: Results) -> tuple[list[str], list[list[Any]]]:
    """A header and one row a trial, for tables; what a trial has not is an empty text.

    A hyperparameter called as one of the other columns gets the prefix ``hparams.``.
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
        given = [trial.assignment.get(name, "") for name in names]
        times = [trial.started or "", trial.ended or ""]
        exit_code = "" if trial.exit_code is None else trial.exit_code
        rows.append([trial.name, trial.state, duration, *texts, *given, *times, exit_code, trial.message])
    return [*columns, *_LAST], rows


_LAST = ("started", "ended", "exit_code", "message")


def to_text(data: dict[str, Any]) -> str:
    """JSON for a file."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
