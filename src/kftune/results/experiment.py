"""The results of an Experiment in the form that clients of Katib read: the object with its status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kftune.katib.trial import EXPERIMENT_LABEL
from kftune.katib.trial.conditions import is_completed
from kftune.katib.trial.status import new_status, status_of
from kftune.metrics.values import UNAVAILABLE
from kftune.results.records import FINISHED, SCORED, Meta, Trial
from kftune.results.trials import Trials

# Reasons that end a run here; in Katib only the end of the suggestions corresponds to them.
_SUGGESTIONS_ENDED = ("SearchSpaceExhausted", "WallClock")


# States in which Katib's controller reads what a trial reported. It never does so after a failure.
# Source: katib, pkg/controller.v1beta1/trial/trial_controller.go, reconcileTrial.
_OBSERVED = (*SCORED, "MetricsUnavailable")


def experiment_with_status(results: Trials) -> dict[str, Any] | None:
    """Returns the Experiment with its status; None when the results are those of a study.

    That of an Experiment on a cluster is Katib's own. Otherwise it is what Katib's controller would compute from
    the trials. A trial that was stopped by an interrupt counts as pending, because the next run starts it again.
    """
    meta = results.meta
    if meta.experiment is None or "status" in meta.experiment:  # Katib's own status
        return meta.experiment
    trials = sorted(results.trials(), key=lambda trial: (trial.started or "", trial.number))
    status = _status(meta, trials, results.reason())
    metadata = {**meta.experiment["metadata"], "creationTimestamp": _seconds(meta.created)}
    return {**meta.experiment, "metadata": metadata, "status": status}


def trials_as_katib(results: Trials) -> list[dict[str, Any]]:
    """Returns the trials of an Experiment as Katib's objects of kind Trial, in the order in which they started."""
    meta = results.meta
    experiment: Mapping[str, Any] = meta.experiment or {}
    over = results.reason() not in (None, "Interrupted")
    trials = sorted(results.trials(), key=lambda trial: (trial.started or "", trial.number))
    return [
        {"apiVersion": experiment["apiVersion"], "kind": "Trial", **_as_katib(trial, experiment, over)}
        for trial in trials
    ]


def _status(meta: Meta, trials: Sequence[Trial], reason: str | None) -> dict[str, Any]:
    experiment: Mapping[str, Any] = meta.experiment or {}
    over = reason not in (None, "Interrupted")
    status = new_status(now=_seconds(meta.created))
    if not trials:
        return status
    as_katib = [_as_katib(trial, experiment, over) for trial in trials]
    begun = [{**each, "status": {}} for each in as_katib]
    status = status_of(experiment, begun, status, now=_seconds(trials[0].started or meta.created))
    ended = reason in _SUGGESTIONS_ENDED

    def after(moment: str) -> dict[str, Any]:
        seen = [each for each, trial in zip(as_katib, trials, strict=True) if (trial.ended or "") <= moment]
        left = [each for each, trial in zip(begun, trials, strict=True) if (trial.ended or "") > moment]
        return status_of(experiment, [*seen, *left], status, now=_seconds(moment), suggestions_ended=ended)

    moments = sorted({trial.ended for trial in trials if trial.ended and trial.state in FINISHED})
    if not moments:
        return status_of(experiment, as_katib, status, now=_seconds(trials[-1].started or meta.created))
    return {**after(_first_completed(moments, after)), **_counts(experiment, as_katib)}


def _first_completed(moments: Sequence[str], after: Any) -> str:
    """Returns the moment at which the Experiment completed, or the last moment when it has not."""
    low, high = 0, len(moments) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_completed(after(moments[middle])) else (middle + 1, high)
    return moments[low]


def _counts(experiment: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the counts, lists and best trial; Katib updates these after the end too."""
    status = status_of(experiment, trials)
    return {name: value for name, value in status.items() if name not in ("startTime", "completionTime", "conditions")}


def _as_katib(trial: Trial, experiment: Mapping[str, Any], over: bool) -> dict[str, Any]:
    """Returns a trial as an object of Katib, with the fields that the status depends on."""
    objective = experiment["spec"]["objective"]
    names = (objective["objectiveMetricName"], *objective.get("additionalMetricNames", ()))
    pending = trial.state == "Killed" and not over
    said = {"message": trial.message} if trial.message else {}
    status: dict[str, Any] = {"conditions": [] if pending else [{"type": trial.state, "status": "True", **said}]}
    if trial.started:
        status["startTime"] = _seconds(trial.started)
    if trial.ended:
        status["completionTime"] = _seconds(trial.ended)
    if trial.metrics and trial.state in _OBSERVED:
        status["observation"] = {"metrics": list(_metrics(trial, list(dict.fromkeys(names))))}
    return {
        "metadata": {"name": trial.name, "labels": {EXPERIMENT_LABEL: experiment["metadata"]["name"]}},
        "spec": {
            "objective": objective,
            "parameterAssignments": [{"name": name, "value": text} for name, text in trial.assignment.items()],
        },
        "status": status,
    }


def _metrics(trial: Trial, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yields the values of the objective, which is the first name, and of the other metrics."""
    for name in names:
        # Without its objective a trial is MetricsUnavailable, whatever else it reported.
        without = name == names[0] and trial.state == "MetricsUnavailable"
        values = None if without else trial.metrics.get(name)
        texts = (UNAVAILABLE,) * 3 if values is None else (values.min, values.max, values.latest)
        yield {"name": name, "min": texts[0], "max": texts[1], "latest": texts[2]}


def _seconds(moment: str) -> str:
    """Returns a time as Kubernetes writes it."""
    return f"{moment[:19]}Z"
