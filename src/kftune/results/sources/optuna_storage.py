"""Optuna's storages in a file: SQLite and the journal. They are read without Optuna, which takes a second to import.

Source: optuna 5.0, optuna/storages/_rdb/models.py, optuna/storages/journal/_storage.py.
"""

from __future__ import annotations

import json
import math
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kftune.domains import Choice, Constant, Domain, IntUniform, LogUniform, QUniform, Uniform
from kftune.errors import DomainError, StoreError, suggestion
from kftune.metrics.curves import Curve
from kftune.metrics.values import MetricValues
from kftune.results.records import Aim, Origin, State, TrackedMetric, Trial
from kftune.results.sources.hints import NO_HINTS, Hints
from kftune.results.trials import Recorded, Trials, plain_meta

_DIRECTIONS = {"MINIMIZE": "minimize", "MAXIMIZE": "maximize", 1: "minimize", 2: "maximize"}
_STATES: dict[str, State] = {
    "COMPLETE": "Succeeded",
    "PRUNED": "EarlyStopped",
    "FAIL": "Failed",
    "RUNNING": "Running",
    "WAITING": "Created",
}
_NUMBERED = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_NAMES = "study:metric_names"
_TRIALS = "SELECT trial_id, state, datetime_start, datetime_complete FROM trials WHERE study_id = ? ORDER BY number"
_PARAMS = (
    "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params JOIN trials USING (trial_id) "
    "WHERE study_id = ? ORDER BY param_id"
)
_VALUES = (
    "SELECT trial_id, objective, value, value_type FROM trial_values JOIN trials USING (trial_id) WHERE study_id = ?"
)
_REPORTS = (
    "SELECT trial_id, step, intermediate_value, intermediate_value_type FROM trial_intermediate_values "
    "JOIN trials USING (trial_id) WHERE study_id = ? ORDER BY step"
)
_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}


class _Study:
    """One study of a storage, in the order of its trials."""

    def __init__(self, name: str, directions: Sequence[str]) -> None:
        self.name, self.directions = name, directions
        self.names: list[str] = []
        self.trials: list[_Trial] = []


class _Trial:
    def __init__(self, state: str, started: str | None, ended: str | None = None) -> None:
        self.state, self.started, self.ended = state, started, ended
        self.values: dict[int, float | None] = {}
        self.params: dict[str, tuple[float, str]] = {}
        self.reported: dict[int, float | None] = {}


def _connected(path: Path) -> sqlite3.Connection:
    path.stat()  # SQLite's own message does not say that the file is missing
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)


def has_studies(path: Path) -> bool:
    """Returns whether an SQLite file is a storage of Optuna.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: It does not exist.
    """
    try:
        with closing(_connected(path)) as connection:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'studies'").fetchone() is not None
    except sqlite3.Error:
        return False


def read_sqlite(path: Path, hints: Hints = NO_HINTS) -> Trials:
    """Returns the trials of a study in an SQLite file.

    Args:
        path: The file.
        hints: The name of the study, where the file has several; the name of the metric.

    Raises:
        StoreError: It is not a storage of Optuna, or the study is not in it.
    """
    try:
        with closing(_connected(path)) as connection:
            return _recorded(_chosen([*_of_tables(connection)], hints, str(path)), hints, str(path))
    except sqlite3.Error as error:
        raise StoreError(
            f"this is not a storage of Optuna 3 or newer: {error}; an older one is converted by optuna storage upgrade",
            str(path),
        ) from error


def read_journal(text: str, place: str, hints: Hints = NO_HINTS) -> Trials:
    """Returns the trials of a study in a journal.

    Args:
        text: The content of the file.
        place: The file, for messages.
        hints: The name of the study, where the file has several; the name of the metric.

    Raises:
        StoreError: It is not a journal of Optuna, or the study is not in it.
    """
    try:
        studies = _of_journal(text)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise StoreError(f"this is not a journal of Optuna: {type(error).__name__}: {error}", place) from error
    return _recorded(_chosen(studies, hints, place), hints, place)


def _chosen(studies: Sequence[_Study], hints: Hints, place: str) -> _Study:
    names = [study.name for study in studies]
    if hints.study_name is None and len(studies) == 1:
        return studies[0]
    if hints.study_name is None:
        raise StoreError(f"this has {len(studies)} studies: {', '.join(names)}; name one (--study-name)", place)
    if hints.study_name not in names:
        raise StoreError(f"this has no study {hints.study_name!r}; {suggestion(hints.study_name, names)}", place)
    return studies[names.index(hints.study_name)]


# -- SQLite ------------------------------------------------------------------------------------------------------------


def _of_tables(connection: sqlite3.Connection) -> Iterator[_Study]:
    def rows(query: str, *arguments: object) -> list[Any]:
        return connection.execute(query, arguments).fetchall()

    for key, name in rows("SELECT study_id, study_name FROM studies ORDER BY study_id"):
        found = rows("SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", key)
        study = _Study(name, [_DIRECTIONS.get(direction, "minimize") for (direction,) in found])
        attributes = dict(rows("SELECT key, value_json FROM study_system_attributes WHERE study_id = ?", key))
        study.names = json.loads(attributes.get(_NAMES, "[]"))
        trials = {number: _Trial(state, started, ended) for number, state, started, ended in rows(_TRIALS, key)}
        study.trials = [*trials.values()]
        for number, param, value, kind in rows(_PARAMS, key):
            trials[number].params[param] = (value, kind)
        for number, place, value, kind in rows(_VALUES, key):
            trials[number].values[place] = _INFINITE.get(kind, value)
        for number, step, value, kind in rows(_REPORTS, key):
            trials[number].reported[step] = _INFINITE.get(kind, value)
        yield study


# -- the journal -------------------------------------------------------------------------------------------------------


def _of_journal(text: str) -> list[_Study]:
    studies: list[_Study | None] = []
    trials: list[_Trial] = []
    for line in filter(None, text.splitlines()):
        entry = json.loads(line)
        code = entry["op_code"]
        if code == 0:
            studies.append(_Study(entry["study_name"], [_DIRECTIONS[each] for each in entry["directions"]]))
        elif code == 1:
            studies[entry["study_id"]] = None
        elif code == 3 and _NAMES in entry["system_attr"]:
            study = studies[entry["study_id"]]
            if study is not None:
                study.names = entry["system_attr"][_NAMES]
        elif code == 4:
            trials.append(_created(entry))
            study = studies[entry["study_id"]]
            if study is not None:
                study.trials.append(trials[-1])
        elif code in (5, 6, 7):
            _changed(trials[entry["trial_id"]], entry)
    return [study for study in studies if study is not None]


def _created(entry: Mapping[str, Any]) -> _Trial:
    """Returns a trial as its first entry has it; one that was added whole has all its values."""
    state = _NUMBERED[entry.get("state", 0)]
    trial = _Trial(state, entry.get("datetime_start"), entry.get("datetime_complete"))
    values = entry.get("values") or ([entry["value"]] if entry.get("value") is not None else [])
    trial.values = dict(enumerate(values))
    kinds = entry.get("distributions", {})
    trial.params = {name: (value, kinds[name]) for name, value in entry.get("params", {}).items()}
    trial.reported = {int(step): value for step, value in (entry.get("intermediate_values") or {}).items()}
    return trial


def _changed(trial: _Trial, entry: Mapping[str, Any]) -> None:
    if entry["op_code"] == 5:
        trial.params[entry["param_name"]] = (entry["param_value_internal"], entry["distribution"])
    elif entry["op_code"] == 7:
        trial.reported[entry["step"]] = entry["intermediate_value"]
    else:
        trial.state = _NUMBERED[entry["state"]]
        trial.values = dict(enumerate(entry.get("values") or ())) or trial.values
        trial.started = entry.get("datetime_start", trial.started)
        trial.ended = entry.get("datetime_complete", trial.ended)


# -- records -----------------------------------------------------------------------------------------------------------


def _recorded(study: _Study, hints: Hints, place: str) -> Trials:
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
    return Recorded(meta, trials, place=place, curves=curves)


def _metric_names(count: int, hints: Hints) -> list[str]:
    given = list(dict.fromkeys(filter(None, (hints.objective, *hints.metrics))))
    if count == 1:
        return given[:1] or ["value"]
    return given[:count] if len(given) >= count else [f"value_{place}" for place in range(count)]


def _record(number: int, trial: _Trial, metrics: Sequence[TrackedMetric]) -> Trial:
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
        started=trial.started,
        ended=trial.ended,
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


def _seconds(trial: _Trial) -> float | None:
    if not trial.started or not trial.ended:
        return None
    return (datetime.fromisoformat(trial.ended) - datetime.fromisoformat(trial.started)).total_seconds()


def _value(number: float, kind: str) -> Any:
    distribution = json.loads(kind)
    if "choices" in distribution["attributes"]:
        return distribution["attributes"]["choices"][int(number)]
    return int(number) if distribution["name"].startswith("Int") else float(number)


def _domain(kind: str) -> Domain | None:
    """Returns the domain of a distribution; None for one that kftune has no domain for."""
    distribution = json.loads(kind)
    given: Mapping[str, Any] = distribution["attributes"]
    name: str = distribution["name"]
    try:
        return _made(name, given)
    except (DomainError, KeyError):
        return None


def _made(name: str, given: Mapping[str, Any]) -> Domain:
    if "choices" in given:
        return Choice(*given["choices"]) if len(given["choices"]) > 1 else Constant(given["choices"][0])
    low, high, log = given["low"], given["high"], given.get("log", "Log" in name)
    step = given.get("step", given.get("q"))
    if low == high:
        return Constant(low)
    if name.startswith("Int"):
        return IntUniform(low, high, step or 1, log=log)
    if step is not None:
        return QUniform(low, high, step)
    return LogUniform(low, high) if log else Uniform(low, high)
