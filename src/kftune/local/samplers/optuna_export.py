"""Writes results as a study of Optuna, in an SQLite file that its tools open.

Source: optuna 5.0, optuna/storages/_rdb/models.py.
"""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from kftune.domains import Choice, Domain, QUniform, domain_from_spec
from kftune.errors import KftuneError, MissingExtraError, StoreError
from kftune.metrics.curves import Curve
from kftune.results import FINISHED, SCORED, Meta, Trial, Trials, score_of

try:
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        distribution_to_json,
    )
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage
    from optuna.study import StudyDirection

    from kftune.local.samplers.optuna_strategy import range_of
except ImportError as error:
    raise MissingExtraError("local", "optuna", "write another format: --format csv") from error


def write_storage(results: Trials, path: Path) -> list[str]:
    """Writes the trials that have ended; an early stopped one is pruned.

    Args:
        results: The trials.
        path: The file; it must not exist.

    Returns:
        Notes about what is left out.

    Raises:
        StoreError: The file exists, or cannot be written.
    """
    if path.exists():
        raise StoreError("the file exists, and a storage is not written over; give another one (--out)", str(path))
    meta, trials = results.meta, results.trials()
    reported = {number: curve for number, _, curve in results.all_curves(meta.objective.name)}
    distributions = {name: _distribution(name, spec, trials) for name, spec in meta.space.items()}
    ended = [trial for trial in trials if trial.state in FINISHED]
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        _create(partial, meta)
        with closing(sqlite3.connect(partial)) as connection:
            for number, trial in enumerate(ended):
                _insert(connection, number, _row(trial, results), distributions, reported.get(trial.number))
            connection.commit()
        partial.rename(path)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"the storage cannot be written: {error}", str(path)) from error
    finally:
        partial.unlink(missing_ok=True)
    left = len(trials) - len(ended)
    return [f"{left} trials that have not ended are left out"] if left else []


def _create(path: Path, meta: Meta) -> None:
    """Makes a storage with a study that has no trials."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions = [StudyDirection[objective.direction.upper()] for objective in meta.objectives]
    try:
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            storage = RDBStorage(f"sqlite:///{path.resolve()}")
            study = optuna.create_study(storage=storage, study_name=meta.name, directions=directions)
            study.set_metric_names([objective.name for objective in meta.objectives])
        storage.remove_session()
    finally:
        optuna.logging.set_verbosity(before)


def _distribution(name: str, spec: Mapping[str, Any], trials: list[Trial]) -> BaseDistribution:
    try:
        domain: Domain | None = domain_from_spec(spec) if spec else None
    except KftuneError:
        domain = None
    values = [trial.point[name] for trial in trials if name in trial.point]
    if domain is not None and all(domain.contains(value) for value in values):
        found = range_of(domain)
        if found is not None:
            return found
        if isinstance(domain, QUniform):
            return FloatDistribution(domain.grid()[0], domain.grid()[-1], step=domain.q)
        if isinstance(domain, Choice):
            values = [*domain.grid()]
    return CategoricalDistribution(list({json.dumps(each): _plain(each) for each in values}.values()) or [None])


def _plain(value: Any) -> Any:
    """Returns a value as Optuna stores choices: lists and mappings as JSON."""
    return value if isinstance(value, str | int | float | None) else json.dumps(value)


class _Row(NamedTuple):
    state: str
    started: str | None
    ended: str | None
    values: Sequence[float]
    params: Mapping[str, Any]
    attributes: Mapping[str, str]
    has_reports: bool


def _row(trial: Trial, results: Trials) -> _Row:
    score = score_of(trial.objective, trial.metrics, results.meta.objectives[1:]) if trial.state in SCORED else None
    ended = "COMPLETE" if trial.state == "Succeeded" else "PRUNED"
    known = {"kftune:trial": trial.name, "kftune:state": trial.state, "kftune:message": trial.message}
    return _Row(
        state="FAIL" if score is None else ended,
        started=_time(trial.started),
        ended=_time(trial.ended),
        values=() if score is None else score,
        params={name: _plain(value) for name, value in trial.point.items() if name in results.meta.space},
        attributes={name: text for name, text in known.items() if text},
        has_reports=not results.meta.more_objectives,  # Optuna prunes by one objective only
    )


def _insert(
    connection: sqlite3.Connection,
    number: int,
    row: _Row,
    distributions: Mapping[str, BaseDistribution],
    curve: Curve | None,
) -> None:
    """Adds a trial. Optuna itself commits each value, which takes minutes for thousands of trials."""
    key = connection.execute(
        "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete) "
        "SELECT ?, study_id, ?, ?, ? FROM studies",
        (number, row.state, row.started, row.ended),
    ).lastrowid
    params = [
        (key, name, distributions[name].to_internal_repr(value), distribution_to_json(distributions[name]))
        for name, value in row.params.items()
    ]
    steps = {} if curve is None else dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))
    reports = [(key, step, value) for step, value in steps.items() if row.has_reports]
    insert = connection.executemany
    insert(
        "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)", params
    )
    insert(
        "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, 'FINITE')",
        [(key, place, value) for place, value in enumerate(row.values)],
    )
    insert(
        "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) "
        "VALUES (?, ?, ?, 'FINITE')",
        reports,
    )
    insert(
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)",
        [(key, name, json.dumps(text)) for name, text in row.attributes.items()],
    )


def _time(text: str | None) -> str | None:
    """Returns a time as Optuna stores it: local, without a zone."""
    if text is None:
        return None
    return datetime.fromisoformat(text).astimezone().replace(tzinfo=None).strftime("%Y-%m-%d %H:%M:%S.%f")
