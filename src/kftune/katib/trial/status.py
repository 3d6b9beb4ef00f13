"""The status that Katib's controller gives an Experiment, from its trials and the status before.

Source: katib v0.19.0, pkg/controller.v1beta1/experiment/util/status_util.go and experiment_controller.go,
pkg/apis/controller/experiments/v1beta1/util.go.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.katib.go.numbers import go_float
from kftune.katib.trial.collector import UNAVAILABLE

EPOCH = "1970-01-01T00:00:00Z"

# In the order in which the controller asks; a trial that is none of these is pending.
_STATES = {
    "Killed": ("killedTrialList", "trialsKilled"),
    "Failed": ("failedTrialList", "trialsFailed"),
    "Succeeded": ("succeededTrialList", "trialsSucceeded"),
    "EarlyStopped": ("earlyStoppedTrialList", "trialsEarlyStopped"),
    "Running": ("runningTrialList", "trialsRunning"),
    "MetricsUnavailable": ("metricsUnavailableTrialList", "trialMetricsUnavailable"),
    "Pending": ("pendingTrialList", "trialsPending"),
}
_COUNTED = frozenset(name for names in _STATES.values() for name in names) | {"trials"}
_COMPLETED = ("trialsSucceeded", "trialsFailed", "trialsKilled", "trialsEarlyStopped", "trialMetricsUnavailable")


def status_of(
    experiment: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    previous_status: Mapping[str, Any] | None = None,
    *,
    now: str = EPOCH,
    suggestions_ended: bool = False,
) -> dict[str, Any]:
    """The status after the controller has looked at the trials once.

    Args:
        experiment: The Experiment; its `spec` counts.
        trials: Its Trials in the order of the list: `metadata.name`, `spec`, `status.conditions`, `status.observation`.
        previous_status: The status so far; None for an Experiment that has just been created, an empty one before that.
        now: The time of day as it is written into the status.
        suggestions_ended: Whether the algorithm says that it has no more suggestions.

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


def new_status(*, now: str = EPOCH) -> dict[str, Any]:
    """The status of an Experiment that has just been created."""
    status = _complete({"startTime": now})
    _set(status, "Created", "True", "ExperimentCreated", "Experiment is created", now)
    return status


def restarted(experiment: Mapping[str, Any], status: Mapping[str, Any], *, now: str = EPOCH) -> dict[str, Any] | None:
    """The status with which a completed Experiment goes on; None when it stays completed.

    It goes on when maxTrialCount was raised above its trials and it is restartable, or, whatever it ended with and
    whatever its resumePolicy, when maxTrialCount is not set. The completion time stays.
    """
    spec = experiment.get("spec") or {}
    most, count = spec.get("maxTrialCount"), status.get("trials", 0)
    goes_on = count != 0 if most is None else most > count and is_restartable(experiment, status)
    if not is_completed(status) or not goes_on:
        return None
    after = copy.deepcopy(dict(status))
    _remove(after, "Succeeded")
    _remove(after, "Failed")
    _set(after, "Restarting", "True", "ExperimentRestarting", "Experiment is restarted", now)
    return after


def is_completed(status: Mapping[str, Any]) -> bool:
    """Whether the Experiment has succeeded or failed."""
    return _has(status, "Succeeded") or _has(status, "Failed")


def is_restartable(experiment: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether a higher maxTrialCount would let the Experiment go on."""
    policy = (experiment.get("spec") or {}).get("resumePolicy")
    succeeded = _condition(status, "Succeeded")
    return (
        succeeded is not None
        and succeeded.get("status") == "True"
        and succeeded.get("reason") == "ExperimentMaxTrialsReached"
        and policy in ("LongRunning", "FromVolume")
    )


def _complete(status: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with what is always written."""
    always: dict[str, Any] = {"completionTime": None, "conditions": [], "currentOptimalTrial": {"observation": {}}}
    return {**always, **copy.deepcopy(dict(status))}


def _summarize(status: dict[str, Any], spec: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> bool:
    """Counts, lists and the best trial; gives whether the goal is reached."""
    for name in _COUNTED:
        status.pop(name, None)
    status["trials"] = len(trials)
    for trial in trials:
        state = next((state for state in _STATES if _has(trial.get("status") or {}, state)), "Pending")
        names, count = _STATES[state]
        status.setdefault(names, []).append(trial["metadata"]["name"])
        status[count] = status.get(count, 0) + 1
    best, reached = _best(spec.get("objective") or {}, trials)
    if best is not None:
        status["currentOptimalTrial"] = _optimal(best)
    return reached


def _best(objective: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any] | None, bool]:
    """The best trial, and whether the goal is reached.

    A value that is no number makes its trial the best; what others are compared with stays the value before, or 0.
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
    """The objective's value of a trial by its strategy; None when there is none."""
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
    optimal: dict[str, Any] = {"bestTrialName": trial["metadata"]["name"]}
    assignments = _entries((trial.get("spec") or {}).get("parameterAssignments"), ("name", "value"))
    if assignments:
        optimal["parameterAssignments"] = assignments
    metrics = _entries(trial["status"]["observation"].get("metrics"), ("name", "min", "max", "latest"))
    optimal["observation"] = {"metrics": metrics} if metrics else {}
    return optimal


def _entries(found: Any, fields: Sequence[str]) -> list[dict[str, str]]:
    """A list of structs, without what is empty."""
    return [{field: each[field] for field in fields if each.get(field)} for each in found or ()]


def _decide(status: dict[str, Any], spec: Mapping[str, Any], reached: bool, ended: bool, now: str) -> None:
    """The Experiment's condition; what comes first wins."""
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
        _set(status, "Running", "True", "ExperimentRunning", "Experiment is running", now)


def _finish(status: dict[str, Any], kind: str, reason: str, message: str, now: str) -> None:
    running = _condition(status, "Running")
    if running is not None:
        _set(status, "Running", "False", running["reason"], running["message"], now)
    _set(status, kind, "True", reason, f"Experiment {message}", now)
    status["completionTime"] = now


def _set(status: dict[str, Any], kind: str, value: str, reason: str, message: str, now: str) -> None:
    """Sets a condition; one that changes moves to the end."""
    current = _condition(status, kind)
    if current is not None and (current.get("status"), current.get("reason")) == (value, reason):
        return
    since = current.get("lastTransitionTime", now) if current and current.get("status") == value else now
    _remove(status, kind)
    status["conditions"].append(
        {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": message,
            "lastUpdateTime": now,
            "lastTransitionTime": since,
        }
    )


def _remove(status: dict[str, Any], kind: str) -> None:
    status["conditions"] = [each for each in status.get("conditions") or () if each.get("type") != kind]


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    return next((each for each in status.get("conditions") or () if each.get("type") == kind), None)


def _has(status: Mapping[str, Any], kind: str) -> bool:
    return any(each.get("type") == kind and each.get("status") == "True" for each in status.get("conditions") or ())
