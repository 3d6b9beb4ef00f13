"""Computes the status that Katib's controller gives an Experiment, from its trials and its previous status.

Source: katib v0.19.0, pkg/controller.v1beta1/experiment/util/status_util.go and experiment_controller.go.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.katib.go.experiment_fields import TRIAL_STATES
from kftune.katib.go.numbers import go_float
from kftune.katib.trial.collector import UNAVAILABLE
from kftune.katib.trial.conditions import condition, holds, is_completed, without_condition

_EPOCH = "1970-01-01T00:00:00Z"

_COUNTED = frozenset(name for names in TRIAL_STATES.values() for name in names) | {"trials"}
_COMPLETED = ("trialsSucceeded", "trialsFailed", "trialsKilled", "trialsEarlyStopped", "trialMetricsUnavailable")


def status_of(
    experiment: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    previous_status: Mapping[str, Any] | None = None,
    *,
    now: str = _EPOCH,
    suggestions_ended: bool = False,
) -> dict[str, Any]:
    """Returns the status after the controller has looked at the trials once.

    Args:
        experiment: The Experiment; only its `spec` is read.
        trials: Its Trials in their listed order: `metadata.name`, `spec`, `status.conditions`, `status.observation`.
        previous_status: The status so far; None for a newly created Experiment, empty before it is created.
        now: The time that is written into the status.
        suggestions_ended: Whether the algorithm has no more suggestions.

    Returns:
        The status as a client reads it; the arguments are not changed.
    """
    spec = experiment.get("spec") or {}
    status = new_status(now=now) if previous_status is None else _complete(previous_status)
    if not trials:
        return status
    reached = _summarize(status, spec, trials)
    if not is_completed(status):
        _decide(status, spec, reached, suggestions_ended, now)
    return status


def new_status(*, now: str = _EPOCH) -> dict[str, Any]:
    """Returns the status of a newly created Experiment."""
    status = _complete({"startTime": now})
    _set(status, "Created", "ExperimentCreated", "Experiment is created", now)
    return status


def _complete(status: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy with the fields that are always written."""
    always: dict[str, Any] = {"completionTime": None, "conditions": [], "currentOptimalTrial": {"observation": {}}}
    return {**always, **copy.deepcopy(dict(status))}


def _summarize(status: dict[str, Any], spec: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> bool:
    """Sets counts, lists and the best trial; returns whether the goal is reached."""
    for name in _COUNTED:
        status.pop(name, None)
    status["trials"] = len(trials)
    for trial in trials:
        state = next((state for state in TRIAL_STATES if holds(trial.get("status") or {}, state)), "Pending")
        names, count = TRIAL_STATES[state]
        status.setdefault(names, []).append(trial["metadata"]["name"])
        status[count] = status.get(count, 0) + 1
    best, reached = _best(spec.get("objective") or {}, trials)
    if best is not None:
        status["currentOptimalTrial"] = _optimal(best)
    return reached


def _best(objective: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any] | None, bool]:
    """Returns the best trial, and whether the goal is reached.

    A value that is not a number makes its trial the best; later values are still compared with the previous number, or
    0.
    """
    sign = {"minimize": 1, "maximize": -1}.get(objective.get("type", ""))
    goal = objective.get("goal")
    best: Mapping[str, Any] | None = None
    best_value = 0.0
    reached = False
    for trial in trials:
        text = _objective_text(trial)
        if text is None or text == UNAVAILABLE:
            continue
        value = go_float(text)
        if value is None:
            best = trial
            continue
        if best is None:
            best, best_value = trial, value
        if sign is not None:
            if sign * value < sign * best_value:
                best, best_value = trial, value
            reached = reached or (goal is not None and sign * best_value <= sign * goal)
    return best, reached


def _objective_text(trial: Mapping[str, Any]) -> str | None:
    """Returns the objective's value of a trial by its strategy, or None."""
    observation = (trial.get("status") or {}).get("observation")
    if observation is None:
        return None
    objective = (trial.get("spec") or {}).get("objective") or {}
    name = objective.get("objectiveMetricName", "")
    strategies = objective.get("metricStrategies") or ()
    strategy = next((each.get("value", "") for each in strategies if each.get("name", "") == name), "")
    if strategy not in ("min", "max", "latest"):
        return None
    for metric in observation.get("metrics") or ():
        if metric.get("name", "") == name:
            text = metric.get(strategy, "")
            return str(metric.get("latest", "") if text == UNAVAILABLE else text)
    return None


def _optimal(trial: Mapping[str, Any]) -> dict[str, Any]:
    assignments = _entries((trial.get("spec") or {}).get("parameterAssignments"), ("name", "value"))
    metrics = _entries(trial["status"]["observation"].get("metrics"), ("name", "min", "max", "latest"))
    return {
        "bestTrialName": trial["metadata"]["name"],
        **({"parameterAssignments": assignments} if assignments else {}),
        "observation": {"metrics": metrics} if metrics else {},
    }


def _entries(found: Any, fields: Sequence[str]) -> list[dict[str, str]]:
    """Returns a list of structs without their empty fields."""
    return [{field: each[field] for field in fields if each.get(field)} for each in found or ()]


def _decide(status: dict[str, Any], spec: Mapping[str, Any], reached: bool, ended: bool, now: str) -> None:
    """Sets the Experiment's condition; the first one that applies wins."""
    failed = status.get("trialsFailed", 0) + status.get("trialMetricsUnavailable", 0)
    most_failed, most = spec.get("maxFailedTrialCount"), spec.get("maxTrialCount")
    if reached:
        _finish(status, "Succeeded", "ExperimentGoalReached", "has succeeded because Objective goal has reached", now)
    elif most_failed is not None and failed != 0 and failed >= most_failed:
        _finish(status, "Failed", "ExperimentFailed", "has failed because max failed count has reached", now)
    elif most is not None and sum(status.get(name, 0) for name in _COMPLETED) >= most:
        reason = "ExperimentMaxTrialsReached"
        _finish(status, "Succeeded", reason, "has succeeded because max trial count has reached", now)
    elif ended and not status.get("trialsPending", 0) + status.get("trialsRunning", 0):
        reason = "ExperimentSuggestionEndReached"
        _finish(status, "Succeeded", reason, "has succeeded because suggestion service has reached the end", now)
    else:
        _set(status, "Running", "ExperimentRunning", "Experiment is running", now)


def _finish(status: dict[str, Any], kind: str, reason: str, message: str, now: str) -> None:
    running = condition(status, "Running")
    if running is not None:
        _set(status, "Running", running["reason"], running["message"], now, value="False")
    _set(status, kind, reason, f"Experiment {message}", now)
    status["completionTime"] = now


def _set(status: dict[str, Any], kind: str, reason: str, message: str, now: str, *, value: str = "True") -> None:
    """Sets a condition; one that changes moves to the end."""
    current = condition(status, kind)
    if current is not None and (current.get("status"), current.get("reason")) == (value, reason):
        return
    since = current.get("lastTransitionTime", now) if current and current.get("status") == value else now
    changed = {"type": kind, "status": value, "reason": reason, "message": message}
    times = {"lastUpdateTime": now, "lastTransitionTime": since}
    status["conditions"] = [*without_condition(status, kind), changed | times]
