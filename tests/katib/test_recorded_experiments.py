"""The status of Experiments that ran on a cluster is the one that kftune computes from their trials."""

from __future__ import annotations

from typing import Any

import pytest
from places import DATA

from kftune import yaml_text
from kftune.katib.trial.status import new_status, status_of

TIMES = ("startTime", "completionTime", "lastReconcileTime", "lastUpdateTime", "lastTransitionTime")


def without_times(status: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in status.items() if name not in TIMES}
    conditions = [{name: text for name, text in each.items() if name not in TIMES} for each in status["conditions"]]
    lists = {name: sorted(value) for name, value in status.items() if name.endswith("TrialList")}
    return {**kept, **lists, "conditions": conditions}


@pytest.mark.parametrize(
    ("name", "best", "counts"),
    [
        ("ocr-small", ("batch_size", "16"), (2, 1)),
        ("ocr-asha", ("optimizer_type", "adamw"), (5, 0)),
        ("experiments", ("preset", "small"), (2, 1)),
    ],
)
def test_the_status_of_a_recorded_experiment_follows_from_its_trials(
    name: str, best: tuple[str, str], counts: tuple[int, int]
) -> None:
    dump: Any = yaml_text.load_file(DATA / "katib_dumps" / f"{name}.yaml")
    objects = dump["items"]
    (experiment,) = (each for each in objects if each["kind"] == "Experiment")
    trials = [each for each in objects if each["kind"] == "Trial"]
    running = {**new_status(), "conditions": experiment["status"]["conditions"][:1]}
    began = status_of({"spec": {**experiment["spec"], "maxTrialCount": 9}}, trials, running)
    computed = without_times(status_of(experiment, trials, began))
    assert computed == without_times(experiment["status"])
    assert {"name": best[0], "value": best[1]} in computed["currentOptimalTrial"]["parameterAssignments"]
    assert (computed["trialsSucceeded"], computed.get("trialsFailed", 0)) == counts
