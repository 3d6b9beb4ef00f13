"""The trials of a study in one of Optuna's storages."""

from __future__ import annotations

import json
import math
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kftune import json_input
from kftune.domains import Choice, Constant, Domain, domain_from_spec
from kftune.errors import DomainError, StoreError, listed, suggestion
from kftune.metrics.curves import Curve
from kftune.metrics.values import MetricValues
from kftune.results.records import Aim, Origin, State, TrackedMetric, Trial
from kftune.results.sources.checked import checked
from kftune.results.sources.hints import NO_HINTS, Hints
from kftune.results.sources.optuna_storage import (
    StoredStudy,
    StoredTrial,
    range_of,
    studies_in_journal,
    studies_in_sqlite,
)
from kftune.results.times import from_local
from kftune.results.trials import Recorded, Trials, plain_meta

_STATES: dict[str, State] = {
    "COMPLETE": "Succeeded",
    "PRUNED": "EarlyStopped",
    "FAIL": "Failed",
    "RUNNING": "Running",
    "WAITING": "Created",
}

# What the conversion of other values raises: anybody can have written the file.
_DAMAGED = (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError)


def read_sqlite(path: Path, hints: Hints = NO_HINTS) -> Trials:
    """Returns the trials of a study in an SQLite file.

    Args:
        path: The file.
        hints: The name of the study, where the file has several; the name of the metric.

    Raises:
        StoreError: It is not a storage of Optuna, or the study is not in it.
    """
    try:
        studies = studies_in_sqlite(path)
    except sqlite3.Error as error:
        raise StoreError(
            f"this is not a storage of Optuna 3 or newer: {error}; an older one is converted by optuna storage upgrade",
            str(path),
        ) from error
    return _checked(_chosen(studies, hints, str(path)), hints, str(path))


def read_journal(text: str, place: str, hints: Hints = NO_HINTS) -> Trials:
    """Returns the trials of a study in a journal.

    Args:
        text: The content of the file.
        place: The file, for messages.
        hints: The name of the study, where the file has several; the name of the metric.

    Raises:
        StoreError: It is not a journal of Optuna, or the study is not in it.
    """

    def refuse(_number: int, error: Exception) -> StoreError:
        return StoreError(f"this is not a journal of Optuna: {type(error).__name__}: {error}", place)

    studies = studies_in_journal(text, refuse)
    return _checked(_chosen(studies, hints, place), hints, place)


def _checked(study: StoredStudy, hints: Hints, place: str) -> Trials:
    try:
        return _recorded(study, hints, place)
    except _DAMAGED as error:
        raise StoreError(
            f"study {study.name!r} has a value that Optuna does not store: {type(error).__name__}: {error}", place
        ) from error


def _chosen(studies: Sequence[StoredStudy], hints: Hints, place: str) -> StoredStudy:
    names = [study.name for study in studies]
    if hints.study_name is None and len(studies) == 1:
        return studies[0]
    if hints.study_name is None:
        what = f"{len(studies)} studies: {listed(names)}"
        raise StoreError(f"this has {what}; name one ({hints.name_option})", place)
    if hints.study_name not in names:
        raise StoreError(f"this has no study {hints.study_name!r}; {suggestion(hints.study_name, names)}", place)
    return studies[names.index(hints.study_name)]


def _recorded(study: StoredStudy, hints: Hints, place: str) -> Trials:
    names = study.names or _metric_names(len(study.directions), hints)
    metrics = [
        TrackedMetric(name, "min" if direction == "minimize" else "max")
        for name, direction in zip(names, study.directions, strict=True)
    ]
    distributions = {name: kind for trial in study.trials for name, (_, kind) in trial.params.items()}
    domains = {kind: _domain(kind) for kind in dict.fromkeys(distributions.values())}
    meta = plain_meta(
        study.name,
        direction=study.directions[0],
        metrics=tuple(metrics),
        more_objectives=tuple([Aim(direction) for direction in study.directions[1:]]),
        algorithm="optuna",
        max_trials=len(study.trials),
        space={
            name: {} if (found := domains[kind]) is None else found.to_spec() for name, kind in distributions.items()
        },
    )
    trials = [_record(number, trial, metrics) for number, trial in enumerate(study.trials)]
    curves = {number: {names[0]: _curve(trial.reported)} for number, trial in enumerate(study.trials) if trial.reported}
    return Recorded(*checked(meta, trials), place=place, curves=curves)


def _metric_names(count: int, hints: Hints) -> list[str]:
    given = list(dict.fromkeys(filter(None, (hints.objective, *hints.metrics, *hints.columns))))
    if count == 1:
        return given[:1] or ["value"]
    return given[:count] if len(given) >= count else [f"value_{place}" for place in range(count)]


def _record(number: int, trial: StoredTrial, metrics: Sequence[TrackedMetric]) -> Trial:
    values = {
        metrics[place].name: MetricValues(*(repr(value),) * 3, count=len(trial.reported) if place == 0 else 0)
        for place, value in trial.values.items()
        if value is not None and math.isfinite(value)
    }
    if not values and trial.reported:
        values = dict(_from_reports(metrics[0].name, trial.reported))
    first = trial.values.get(0)
    point = {name: _value(value, kind) for name, (value, kind) in trial.params.items()}
    is_whole = trial.state == "COMPLETE" and first is not None
    return Trial(
        number=number,
        name=str(number),
        state=_STATES[trial.state],
        attempt=1,
        assignment={name: value if isinstance(value, str) else json.dumps(value) for name, value in point.items()},
        point=point,
        metrics=values,
        # As in Optuna, a pruned trial is never the best one.
        objective=first if is_whole and first is not None and math.isfinite(first) else None,
        # Optuna writes the time of the machine, without its zone.
        started=from_local(trial.started),
        ended=from_local(trial.ended),
        duration=_seconds(trial),
        exit_code=None,
        message="",
        pid=None,
        pid_started=None,
        origin=Origin("optuna", {}, None),
    )


def _from_reports(name: str, reported: Mapping[int, float | None]) -> Iterator[tuple[str, MetricValues]]:
    finite = [value for value in reported.values() if value is not None and math.isfinite(value)]
    if finite:
        yield name, MetricValues(repr(min(finite)), repr(max(finite)), repr(finite[-1]), len(finite), max(reported))


def _curve(reported: Mapping[int, float | None]) -> Curve:
    finite = {step: value for step, value in sorted(reported.items()) if value is not None and math.isfinite(value)}
    return Curve(array("q", finite), array("d", finite.values()), array("d", [0.0] * len(finite)), len(finite))


def _seconds(trial: StoredTrial) -> float | None:
    if not trial.started or not trial.ended:
        return None
    return (datetime.fromisoformat(trial.ended) - datetime.fromisoformat(trial.started)).total_seconds()


def _value(number: float, kind: str) -> Any:
    distribution = json_input.loads(kind)
    if "choices" in distribution["attributes"]:
        return distribution["attributes"]["choices"][int(number)]
    return int(number) if distribution["name"].startswith("Int") else float(number)


def _domain(kind: str) -> Domain | None:
    """Returns the domain of a distribution; None for one that kftune has no domain for."""
    distribution = json_input.loads(kind)
    given: Mapping[str, Any] = distribution["attributes"]
    name: str = distribution["name"]
    try:
        return _made(name, given)
    except (DomainError, KeyError):
        return None


def _made(name: str, given: Mapping[str, Any]) -> Domain:
    if "choices" in given:
        return Choice(*given["choices"]) if len(given["choices"]) > 1 else Constant(given["choices"][0])
    return Constant(given["low"]) if given["low"] == given["high"] else domain_from_spec(range_of(name, given))
