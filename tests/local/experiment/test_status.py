"""What ends a run here ends an Experiment on Katib, and the status tells it as Katib's controller would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from growth import is_linear
from hypothesis import given
from hypothesis import strategies as st
from local_experiment import experiment, run, sh
from local_study import trials_in

from kftune.katib.trial.status import status_of
from kftune.local.study.plan import StudyPlan
from kftune.local.study.progress import Progress
from kftune.local.study.stopping import Judge
from kftune.metrics.values import MetricValues
from kftune.results import Meta, TrackedMetric, TrialEnd, TrialStart, open_results
from kftune.results.experiment import experiment_with_status
from kftune.results.store import Store

REASONS = {
    "ExperimentGoalReached": "GoalReached",
    "ExperimentFailed": "MaxFailedReached",
    "ExperimentMaxTrialsReached": "MaxTrialsReached",
    "ExperimentRunning": None,
}
ENDS = st.tuples(
    st.sampled_from(["Succeeded", "Failed", "MetricsUnavailable", "EarlyStopped"]),
    st.floats(-2, 2).map(lambda value: round(value, 1)),
)


@given(
    ends=st.lists(ENDS, min_size=1, max_size=8),
    direction=st.sampled_from(["minimize", "maximize"]),
    goal=st.none() | st.floats(-2, 2).map(lambda value: round(value, 1)),
    most=st.integers(1, 8),
    most_failed=st.none() | st.integers(0, 4),
)
def test_goal_failures_and_budget_count_as_on_katib(ends, direction, goal, most, most_failed):
    metric = TrackedMetric("loss", {"minimize": "min", "maximize": "max"}[direction])
    counted = {"metrics": (metric,), "direction": direction, "goal": goal, "max_trials": most}
    plan = StudyPlan(
        meta=Meta(**{**dict.fromkeys(Meta._fields), **counted}),
        max_failed=most_failed,
        reader=lambda name: None,  # type: ignore[arg-type, return-value]
    )
    judge = Judge((), plan.meta._replace(metrics=(metric,)), lambda: 0.0)
    progress = Progress(plan, None, (), judge)  # type: ignore[arg-type]
    strategies = [{"name": "loss", "value": metric.reduce}]
    objective = {"type": direction, "objectiveMetricName": "loss", "metricStrategies": strategies, "goal": goal}
    objective = {key: value for key, value in objective.items() if value is not None}
    spec = {"objective": objective, "maxTrialCount": most, "maxFailedTrialCount": most_failed}
    katib, here = [], []
    trials = [katib_trial(number, objective, *end) for number, end in enumerate(ends)]
    for number, (state, value) in enumerate(ends):
        progress.add(number, state, SCORED_VALUE[state](value))
        status = status_of({"spec": spec}, trials[: number + 1])
        katib.append((REASONS[status["conditions"][-1]["reason"]], status["currentOptimalTrial"].get("bestTrialName")))
        here.append((progress.reached(), progress._best and f"t{progress._best[1]}"))
    assert until_reached(here) == until_reached(katib)


SCORED_VALUE = {
    **dict.fromkeys(("Succeeded", "EarlyStopped"), lambda value: value),
    **dict.fromkeys(("Failed", "MetricsUnavailable"), lambda value: None),
}


def katib_trial(number: int, objective: dict[str, Any], state: str, value: float) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": state, "status": "True"}]}
    if SCORED_VALUE[state](value) is not None:
        metric = {"name": "loss", **dict.fromkeys(("min", "max", "latest"), repr(value))}
        status["observation"] = {"metrics": [metric]}
    return {"metadata": {"name": f"t{number}"}, "spec": {"objective": objective}, "status": status}


def until_reached(steps: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The reasons and best trials up to the first reason: Katib's controller looks no further."""
    ends = [index for index, (reason, _) in enumerate(steps) if reason]
    return steps[: ends[0] + 1] if ends else steps


def status(folder: Path) -> dict[str, Any]:
    with open_results(folder) as results:
        found = experiment_with_status(results)
    assert found is not None
    told: dict[str, Any] = found["status"]
    return told


def test_the_completion_time_is_the_moment_at_which_it_was_over(tmp_path):
    script = "case $KATIB_TRIAL_NAME in *2) echo loss=0;; *) sleep 1.2; echo loss=1;; esac"
    outcome, _ = run(experiment(sh(script), trials=3, parallelTrialCount=3, objective={"goal": 0.5}), tmp_path)
    assert outcome.reason == "GoalReached"
    told = status(tmp_path)
    moments = {trial.name: (trial.ended or "")[:19] for trial in trials_in(tmp_path)}
    assert told["completionTime"] == f"{moments['small-0002']}Z"
    assert told["currentOptimalTrial"]["bestTrialName"] == "small-0002"
    assert (told["trials"], told["trialsSucceeded"], told["trialsKilled"]) == (3, 1, 2)


def test_a_failed_trial_is_not_the_best_and_reaches_no_goal_whatever_it_reported(tmp_path):
    script = "case $KATIB_TRIAL_NAME in *1) echo loss=0; exit 3;; *) echo loss=1;; esac"
    run(experiment(sh(script), trials=2, objective={"goal": 0.5}), tmp_path)
    told = status(tmp_path)
    assert (told["trialsFailed"], told["currentOptimalTrial"]["bestTrialName"]) == (1, "small-0002")
    assert told["conditions"][-1]["reason"] == "ExperimentMaxTrialsReached"


def test_a_space_that_has_no_more_points_ends_as_suggestions_that_came_to_an_end(tmp_path):
    one = {"parameterType": "categorical", "feasibleSpace": {"list": ["1"]}}
    outcome, _ = run(
        experiment(trials=9, parameters=[{"name": name, **one} for name in ("lr", "units", "opt")]), tmp_path
    )
    assert (outcome.state, outcome.reason) == ("Succeeded", "SearchSpaceExhausted")
    last = status(tmp_path)["conditions"][-1]
    assert (last["type"], last["reason"]) == ("Succeeded", "ExperimentSuggestionEndReached")


def stored_trials(folder: Path, trials: int) -> Path:
    run(experiment(trials=1), folder)
    with open_results(folder) as results:
        meta = results.meta
    loss = {"loss": MetricValues("1", "1", "1", 1)}
    end = TrialEnd(state="Succeeded", metrics=loss, objective=1.0, ended="", duration=1.0, exit_code=0)
    with Store(folder, meta) as store:
        for number in range(2, trials + 1):
            moment = f"2030-01-01T00:{number % 3600 // 60:02}:{number % 60:02}.000Z"
            store.start(TrialStart(number, 1, {"lr": "1"}, {"lr": 1}, moment, meta.origin()))
            store.end(number, end._replace(ended=moment))
    return folder


def test_the_time_for_the_status_grows_with_the_number_of_trials_only(tmp_path):
    half, whole = stored_trials(tmp_path / "half", 1000), stored_trials(tmp_path / "whole", 2000)
    assert status(whole)["trials"] == 2000
    assert is_linear(status, half, whole)


@pytest.mark.parametrize(
    ("script", "best", "condition"),
    [
        ("case $KATIB_TRIAL_NAME in *1) echo loss=1;; *) echo loss=0; exit 1;; esac", "small-0001", "Succeeded"),
        ("echo loss=0; exit 1", None, "Failed"),
    ],
)
def test_what_a_failed_trial_reported_does_not_count(tmp_path, script, best, condition):
    run(experiment(sh(script), trials=2, maxFailedTrialCount=2, objective={"goal": 0.5}), tmp_path)
    told = status(tmp_path)
    assert told["currentOptimalTrial"].get("bestTrialName") == best
    assert told["conditions"][-1]["type"] == condition
