"""What a tracker gets of a trial: typed values, metrics with their curves, state, times and tags."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kftune.metrics.curves import Curve
from kftune.results.columns import counted_value, utf8
from kftune.results.records import FINISHED, SCORED, Trial
from kftune.results.times import seconds_of
from kftune.results.trials import Trials


class Point(NamedTuple):
    """One report of a metric."""

    step: int
    value: float
    time: float
    """Seconds since 1970."""


class Run(NamedTuple):
    """One trial that has ended."""

    name: str
    key: str
    """The same for the same trial of the same study; another one when the trial was started again."""
    values: dict[str, Any]
    """The hyperparameters, by dotted name."""
    texts: dict[str, str]
    """The same as texts."""
    metrics: dict[str, list[Point]]
    """What it reported."""
    counted: dict[str, Point]
    """The values that count: ``NAME/min`` or ``NAME/max``, or NAME where that is the latest one."""
    succeeded: bool
    started: float
    """Seconds since 1970."""
    ended: float
    tags: dict[str, str]


class Written(NamedTuple):
    """What was written."""

    place: str
    """For people: the folder, or the server."""
    runs: int
    """How many were written now."""
    present: int
    """How many were there already."""
    next_step: str
    """The command that shows the runs."""
    notes: tuple[str, ...] = ()


class Exported(NamedTuple):
    """The runs of a study, and what a reader has to know about them."""

    runs: list[Run]
    notes: tuple[str, ...]


def study_key(results: Trials) -> str:
    """Returns what tells a study from another one of its name, and stays when trials are added.

    That is when it began; where a file does not say that, what it says of the first trial.

    Args:
        results: The study.
    """
    meta, first = results.meta, next(iter(results.trials()), None)
    if meta.identity or meta.experiment is not None or first is None:
        return _digest([meta.name, meta.created])
    return _digest([meta.name, first.name, first.started, first.metrics])


def runs_of(results: Trials) -> Exported:
    """Returns the trials that have ended.

    Args:
        results: The study.
    """
    trials, study = results.trials(), study_key(results)
    ended = [trial for trial in trials if trial.state in FINISHED]
    curves: dict[int, dict[str, Curve]] = {}
    for number, metric, curve in results.all_curves():
        curves.setdefault(number, {})[metric] = curve
    notes = []
    if len(ended) < len(trials):
        notes.append(f"left out, because they have not ended: {len(trials) - len(ended)} of {len(trials)} trials")
    timeless = [trial for trial in ended if seconds_of(trial.started) is None]
    if timeless:
        notes.append(
            f"when they began is not known, so their times count from 1970: {len(timeless)} of {len(trials)} trials"
        )
    often = Counter(trial.name for trial in trials)  # a table may have a name twice
    named = [each if often[each.name] == 1 else each._replace(name=f"{each.name}-{each.number}") for each in ended]
    return Exported([_run(trial, results, curves.get(trial.number, {}), study) for trial in named], tuple(notes))


def _run(trial: Trial, results: Trials, curves: Mapping[str, Curve], study: str) -> Run:
    meta = results.meta
    started = seconds_of(trial.started) or 0.0
    ended = seconds_of(trial.ended) or started + (trial.duration or 0.0)
    metrics = {
        name: [Point(*each[:2], started + each[2]) for each in zip(curve.steps, curve.values, curve.times, strict=True)]
        for name, curve in curves.items()
    }
    counted = {}
    for metric in meta.metrics:
        value = counted_value(trial, metric.name, metric.reduce)
        if value is not None:
            step = trial.metrics[metric.name].step
            last = step if step is not None else trial.metrics[metric.name].count
            name = metric.name if metric.reduce == "latest" else f"{metric.name}/{metric.reduce}"
            counted[name] = Point(last, value, ended)
    known = {**meta.fixed, **trial.point}
    return Run(
        name=utf8(trial.name),
        key=_digest([study, trial.name, trial.attempt]),
        values={name: utf8(value) if isinstance(value, str) else value for name, value in known.items()},
        texts={name: utf8(trial.shown(name) or _text(value)) for name, value in known.items()},
        metrics=metrics,
        counted=counted,
        succeeded=trial.state in SCORED,
        started=started,
        ended=ended,
        tags=_tags(trial, results),
    )


def _tags(trial: Trial, results: Trials) -> dict[str, str]:
    origin = trial.origin
    found = {
        "kftune.study": results.meta.name,
        "kftune.trial": trial.name,
        "kftune.state": trial.state,
        "kftune.attempt": str(trial.attempt),
        "kftune.algorithm": origin.algorithm,
        "kftune.seed": "" if origin.seed is None else str(origin.seed),
        "kftune.code": origin.code,
        "kftune.revision": origin.revision,
        "kftune.stopped_by": trial.stopped_by,
        "kftune.message": trial.message,
    }
    return {name: utf8(text) for name, text in found.items() if text}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def safe_names(names: Iterable[str], others: str) -> dict[str, str]:
    """Returns name -> the same with ``_`` in place of characters that are not allowed, each one different.

    Args:
        names: The names.
        others: A class of characters of a regular expression: those that are not allowed.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        wanted = re.sub(others, "_", name) or "_"
        number, free = 1, wanted
        while free.lower() in taken:
            number += 1
            free = f"{wanted}_{number}"
        taken.add(free.lower())
        found[name] = free
    return found
