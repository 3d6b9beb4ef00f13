"""An Experiment of Katib with its Trials, as a cluster has them: `kubectl get experiment,trial,suggestion -o yaml`.

Source: katib v0.19.0, pkg/apis/controller, pkg/controller.v1beta1/trial.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kftune.errors import RunError, StoreError, listed
from kftune.katib.engines.declared import parameters_of, readers_of
from kftune.katib.go.experiment_fields import TRIAL_STATES
from kftune.katib.go.numbers import number_or_text
from kftune.katib.trial import EXPERIMENT_LABEL
from kftune.katib.trial.conditions import condition, holds
from kftune.metrics.values import UNAVAILABLE, MetricValues
from kftune.results.records import SCORED, Meta, State, TrackedMetric, Trial
from kftune.results.sources.checked import checked
from kftune.results.trials import Recorded, Trials, plain_meta

_REASONS = {
    "ExperimentGoalReached": "GoalReached",
    "ExperimentMaxTrialsReached": "MaxTrialsReached",
    "ExperimentSuggestionEndReached": "SearchSpaceExhausted",
    "ExperimentFailed": "MaxFailedReached",
}
_STRATEGIES = {"minimize": "min", "maximize": "max"}
_BY_STATE: dict[str, State] = {"Pending": "Created"}


class _Objects(NamedTuple):
    experiment: Mapping[str, Any]
    trials: list[Mapping[str, Any]]
    order: list[str]
    """The names of trials in the order of their suggestions."""
    notes: list[str]


def has_trials(objects: Iterable[Any]) -> bool:
    """Returns whether objects hold trials: a Trial, or an Experiment that a cluster gave a status.

    Args:
        objects: Documents of any kind.
    """
    return any(
        _is(each, "Trial") or (_is(each, "Experiment") and bool(_status(each).get("conditions"))) for each in objects
    )


def arguments_of(experiment: Mapping[str, Any]) -> dict[str, str]:
    """Returns the arguments ``--NAME=VALUE`` that all trials of an Experiment get with the same value.

    Args:
        experiment: The Experiment.
    """
    template = (experiment.get("spec") or {}).get("trialTemplate") or {}
    options = [word[2:].partition("=") for word in _words(template.get("trialSpec")) if word.startswith("--")]
    return {name: value for name, equals, value in options if equals and "${trialParameters." not in value}


def _words(part: Any) -> Iterator[str]:
    """Yields the words of all command lines in a part of a trial's object."""
    for key, value in part.items() if isinstance(part, Mapping) else enumerate(part if isinstance(part, list) else ()):
        if key in ("command", "args") and isinstance(value, list):
            for word in value:
                yield from _split(word) if isinstance(word, str) and not word.startswith("--") else (str(word),)
        else:
            yield from _words(value)


def _split(text: str) -> list[str]:
    """Returns the words of a text, which may be the script of a shell; none if it is no shell's."""
    try:
        return shlex.split(text)
    except ValueError:
        return []


def read(objects: Sequence[Any], place: str) -> Trials:
    """Returns the trials of the Experiment among some objects.

    Args:
        objects: The objects of a file, or of a cluster.
        place: Where they are from, for messages.

    Raises:
        StoreError: There are several Experiments, or one without what a reader needs.
    """
    try:
        return _recorded(_sorted_out(objects, place), place)
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise StoreError(
            f"these objects are not as Katib writes them: {type(error).__name__}: {error}; save them "
            f"whole: kubectl get experiment,trial,suggestion -o yaml",
            place,
        ) from error


def _status(each: Mapping[str, Any]) -> Mapping[str, Any]:
    status = each.get("status")
    return status if isinstance(status, Mapping) else {}


def _is(value: Any, kind: str) -> bool:
    return (
        isinstance(value, Mapping)
        and value.get("kind") == kind
        and str(value.get("apiVersion")).startswith("kubeflow.org/")
    )


def _sorted_out(objects: Sequence[Any], place: str) -> _Objects:
    experiments = [each for each in objects if _is(each, "Experiment")]
    trials = [each for each in objects if _is(each, "Trial")]
    suggestions = [each for each in objects if _is(each, "Suggestion")]
    names = sorted({_name(each) for each in experiments} or {_owner(each) for each in trials})
    if len(names) != 1:
        raise StoreError(
            f"this has {len(names)} Experiments: {listed(names)}; save one with its trials: kubectl get "
            f"experiment/NAME -o yaml, and kubectl get trial -l {EXPERIMENT_LABEL}=NAME -o yaml",
            place,
        )
    name, notes = names[0], []
    own = [each for each in trials if _owner(each) in (name, "")]
    if len(own) < len(trials):
        notes.append(f"{len(trials) - len(own)} trials belong to other Experiments than {name}, and are left out")
    if not experiments:
        notes.append("there is no Experiment, only Trials: space, budget and algorithm are not known")
    order = [
        str(each["name"])
        for suggestion in suggestions
        if _name(suggestion) == name
        for each in (suggestion.get("status") or {}).get("suggestions") or ()
        if each.get("name")
    ]
    experiment = experiments[0] if experiments else _of_trials(name, own)
    return _Objects(experiment, own, order, notes)


def _of_trials(name: str, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"objective": trials[0]["spec"]["objective"]}}


def _name(each: Mapping[str, Any]) -> str:
    return str(each["metadata"]["name"])


def _owner(trial: Mapping[str, Any]) -> str:
    metadata = trial["metadata"]
    owners = [each for each in metadata.get("ownerReferences") or () if each.get("kind") == "Experiment"]
    return str((metadata.get("labels") or {}).get(EXPERIMENT_LABEL) or (owners[0]["name"] if owners else ""))


def _recorded(found: _Objects, place: str) -> Trials:
    experiment, status, notes = found.experiment, found.experiment.get("status") or {}, list(found.notes)
    meta = _meta(experiment, notes)
    values = readers_of(experiment["spec"])
    stopped_by = str((experiment["spec"].get("earlyStopping") or {}).get("algorithmName", ""))
    make = _Reader(meta, values, stopped_by)
    counts = None
    if found.trials:
        trials = [make.trial(number, each) for number, each in enumerate(_ordered(found), start=1)]
        _compare_best(trials, status, notes)
    else:
        trials = list(make.optimal(status))
        counts = {
            _BY_STATE.get(state, state): int(status[count])
            for state, (_, count) in TRIAL_STATES.items()
            if status.get(count)
        }
        notes.append(
            "only the Experiment is here, so only its best trial and the counts are known; save its trials too: "
            "kubectl get experiment,trial,suggestion -o yaml"
        )
    meta, trials = checked(meta, trials)
    return Recorded(
        meta,
        trials,
        place=place,
        reason=_reason(status),
        active_seconds=_seconds(status.get("startTime"), status.get("completionTime")) or 0.0,
        counts=counts,  # type: ignore[arg-type]  # the states of Katib
        notes=notes,
    )


def _meta(experiment: Mapping[str, Any], notes: list[str]) -> Meta:
    spec = experiment["spec"]
    objective, algorithm = spec["objective"], spec.get("algorithm") or {}
    settings = {each["name"]: each.get("value", "") for each in algorithm.get("algorithmSettings") or ()}
    seed = number_or_text(str(settings.pop("random_state", "")))
    name = objective["objectiveMetricName"]
    strategies = {each["name"]: each["value"] for each in objective.get("metricStrategies") or ()}
    usual = _STRATEGIES.get(objective["type"], "latest")
    names = dict.fromkeys((name, *(objective.get("additionalMetricNames") or ())))
    goal = objective.get("goal")
    status = experiment.get("status") or {}
    return plain_meta(
        _name(experiment),
        direction=objective["type"],
        metrics=tuple([TrackedMetric(each, strategies.get(each, usual)) for each in names]),
        goal=None if goal is None else float(goal),
        algorithm=algorithm.get("algorithmName", ""),
        settings={setting: number_or_text(str(text)) for setting, text in settings.items()},
        seed=seed if isinstance(seed, int) else None,
        max_trials=int(spec.get("maxTrialCount") or 0),
        parallel=int(spec.get("parallelTrialCount") or 1),
        space=_space(spec, notes),
        created=str(experiment["metadata"].get("creationTimestamp") or status.get("startTime") or ""),
        experiment=dict(experiment) if "kind" in experiment else None,
    )


def _space(spec: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Returns the searched domains; of a parameter that cannot be searched here, an empty one."""
    found: dict[str, Any] = {}
    for given in spec.get("parameters") or ():
        try:
            parameters, _ = parameters_of({**spec, "parameters": [given]})
            found[given["name"]] = parameters[0].domain.to_spec()
        except RunError as error:
            found[given["name"]] = {}
            notes.append(f"{error}; its values are kept as texts where they are none")
    return found


def _ordered(found: _Objects) -> list[Mapping[str, Any]]:
    """Returns the trials in the order of their suggestions; otherwise as they were created."""
    places = {name: place for place, name in enumerate(found.order)}
    unknown = len(places)

    def key(trial: Mapping[str, Any]) -> tuple[int, str, str]:
        created = trial["metadata"].get("creationTimestamp") or (trial.get("status") or {}).get("startTime") or ""
        return places.get(_name(trial), unknown), str(created), _name(trial)

    return sorted(found.trials, key=key)


class _Reader:
    """Makes records of Trials."""

    def __init__(self, meta: Meta, values: Mapping[str, Any], stopped_by: str) -> None:
        self._meta, self._values, self._stopped_by = meta, values, stopped_by

    def trial(self, number: int, trial: Mapping[str, Any]) -> Trial:
        status = trial.get("status") or {}
        state = next((each for each in TRIAL_STATES if holds(status, each)), "Pending")
        return self._record(
            number,
            _name(trial),
            _BY_STATE.get(state, state),  # type: ignore[arg-type]  # the states of Katib
            {**status, "parameterAssignments": trial["spec"].get("parameterAssignments")},
        )

    def optimal(self, status: Mapping[str, Any]) -> Iterator[Trial]:
        """Yields the best trial of an Experiment."""
        best = status.get("currentOptimalTrial") or {}
        name = best.get("bestTrialName")
        if name:
            state: State = "EarlyStopped" if name in (status.get("earlyStoppedTrialList") or ()) else "Succeeded"
            yield self._record(1, name, state, best)

    def _record(self, number: int, name: str, state: State, status: Mapping[str, Any]) -> Trial:
        texts = {each["name"]: str(each["value"]) for each in status.get("parameterAssignments") or ()}
        metrics = dict(_metrics(status))
        objective = metrics.get(self._meta.objective.name)
        is_scored = state in SCORED and objective is not None
        about = condition(status, state) or {}
        why = (
            ""
            if state in ("Succeeded", "Created", "Running")
            else str(about.get("message") or about.get("reason") or "")
        )
        ended = status.get("completionTime") or None
        return Trial(
            number=number,
            name=name,
            state=state,
            attempt=1,
            assignment=texts,
            point={each: self._values.get(each, str)(text) for each, text in texts.items()},
            metrics=metrics,
            objective=objective.number(self._meta.objective.reduce) if objective is not None and is_scored else None,
            started=status.get("startTime") or None,
            ended=ended,
            duration=_seconds(status.get("startTime"), ended),
            exit_code=None,
            message=why,
            pid=None,
            pid_started=None,
            origin=self._meta.origin(),
            stopped_by=self._stopped_by if state == "EarlyStopped" else "",
        )


def _metrics(status: Mapping[str, Any]) -> Iterator[tuple[str, MetricValues]]:
    """Yields what a trial reported. Katib does not say how often."""
    for each in (status.get("observation") or {}).get("metrics") or ():
        low, high, latest = (str(each.get(key, UNAVAILABLE)) for key in ("min", "max", "latest"))
        if not {low, high, latest} <= {UNAVAILABLE}:
            yield each["name"], MetricValues(low, high, latest, 0)


def _reason(status: Mapping[str, Any]) -> str | None:
    for kind in ("Succeeded", "Failed"):
        if holds(status, kind):
            reason = str((condition(status, kind) or {}).get("reason") or f"Experiment{kind}")
            return _REASONS.get(reason, reason)
    return None


def _seconds(begin: object, end: object) -> float | None:
    if not isinstance(begin, str) or not isinstance(end, str):
        return None
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    except (ValueError, TypeError):
        return None


def _compare_best(trials: Sequence[Trial], status: Mapping[str, Any], notes: list[str]) -> None:
    """Adds a note when Katib's best trial has no finite value of the objective."""
    name = (status.get("currentOptimalTrial") or {}).get("bestTrialName")
    best = next((trial for trial in trials if trial.name == name), None)
    if name and best is None:
        notes.append(f"Katib's best trial {name} is not among the trials; it was deleted, or not saved")
    elif best is not None and best.objective is None:
        notes.append(
            f"Katib's best trial is {name}, but its objective is not a finite number, so another one is the best here"
        )
