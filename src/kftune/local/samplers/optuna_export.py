"""Writes results as a study of Optuna, in an SQLite file that its tools open."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from kftune.domains import Choice, Domain, IntUniform, LogUniform, QUniform, Uniform, domain_from_spec
from kftune.errors import KftuneError, MissingExtraError, StoreError
from kftune.metrics.curves import Curve
from kftune.results import FINISHED, SCORED, Trial, Trials, score_of

try:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.exceptions import ExperimentalWarning
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, TrialState
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
    directions = [StudyDirection[objective.direction.upper()] for objective in meta.objectives]
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            study = optuna.create_study(
                storage=f"sqlite:///{path.resolve()}", study_name=meta.name, directions=directions
            )
            study.set_metric_names([objective.name for objective in meta.objectives])
        frozen = [_frozen(trial, results, distributions, reported.get(trial.number)) for trial in ended]
        study.add_trials(frozen)
    finally:
        optuna.logging.set_verbosity(before)
    left = len(trials) - len(ended)
    return [f"{left} trials that have not ended are left out"] if left else []


def _distribution(name: str, spec: Mapping[str, Any], trials: list[Trial]) -> BaseDistribution:
    try:
        domain: Domain | None = domain_from_spec(spec) if spec else None
    except KftuneError:
        domain = None
    values = [trial.point[name] for trial in trials if name in trial.point]
    if domain is not None and all(domain.contains(value) for value in values):
        if isinstance(domain, Uniform | LogUniform):
            return FloatDistribution(domain.low, domain.high, log=isinstance(domain, LogUniform))
        if isinstance(domain, IntUniform) and not (domain.log and domain.step != 1):
            return IntDistribution(domain.low, domain.grid()[-1], log=domain.log, step=domain.step)
        if isinstance(domain, QUniform):
            return FloatDistribution(domain.grid()[0], domain.grid()[-1], step=domain.q)
        if isinstance(domain, Choice):
            values = [*domain.grid()]
    return CategoricalDistribution(list({json.dumps(each): _plain(each) for each in values}.values()) or [None])


def _plain(value: Any) -> Any:
    """Returns a value as Optuna stores choices: lists and mappings as JSON."""
    return value if isinstance(value, str | int | float | None) else json.dumps(value)


def _frozen(
    trial: Trial, results: Trials, distributions: Mapping[str, BaseDistribution], curve: Curve | None
) -> FrozenTrial:
    score = score_of(trial.objective, trial.metrics, results.meta.objectives[1:]) if trial.state in SCORED else None
    state = TrialState.FAIL
    if score is not None:
        state = TrialState.COMPLETE if trial.state == "Succeeded" else TrialState.PRUNED
    params = {name: _plain(value) for name, value in trial.point.items() if name in distributions}
    known = {"kftune:trial": trial.name, "kftune:state": trial.state, "kftune:message": trial.message}
    return FrozenTrial(
        number=trial.number,
        trial_id=-1,
        state=state,
        value=None,
        values=None if score is None else list(score),
        datetime_start=_time(trial.started) or datetime.fromtimestamp(0),
        datetime_complete=_time(trial.ended) or datetime.fromtimestamp(0),
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs={name: text for name, text in known.items() if text},
        system_attrs={},
        # Optuna prunes by one objective only.
        intermediate_values={}
        if curve is None or results.meta.more_objectives
        else dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True)),
    )


def _time(text: str | None) -> datetime | None:
    """Returns a time as Optuna stores it: local, without a zone."""
    return None if text is None else datetime.fromisoformat(text).astimezone().replace(tzinfo=None)
