"""The study of the model that reads numbers on a cluster: trials that train it with torch, to the end."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import pytest
from cluster_run import true_conditions
from e2e_ocr import SECONDS, Place, missing_for_torch, place_with_torch, run_study, trials_of

LACKING = missing_for_torch(os.environ)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(SECONDS + 300),
]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with place_with_torch(os.environ) as made:
        yield made


def test_the_study_finds_the_best_of_its_trials(place: Place) -> None:
    ended = run_study(place, "ocr-small", "budget.max_trials=3", "budget.parallel=2")
    assert true_conditions(ended)[-1] == "Succeeded", ended["status"]
    assert ended["status"]["trialsSucceeded"] == 3
    reached = {
        trial["metadata"]["name"]: {each["name"]: each for each in trial["status"]["observation"]["metrics"]}
        for trial in trials_of(place, "ocr-small")
    }
    best = ended["status"]["currentOptimalTrial"]
    objective = {name: float(metrics["val_seq_accuracy"]["max"]) for name, metrics in reached.items()}
    assert objective[best["bestTrialName"]] == max(objective.values())
    assert {each["name"] for each in best["parameterAssignments"]} == {
        each["name"] for each in ended["spec"]["parameters"]
    }
    assert all(math.isfinite(float(metrics["val_loss"]["min"])) for metrics in reached.values())


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_a_trial_of_another_kind_trains_to_its_end(place: Place, kind: str) -> None:
    short = ("budget.max_trials=1", "budget.parallel=1", "values.num_epochs=1")
    ended = run_study(place, f"ocr-{kind.lower()}", f"targets.katib.trial_kind={kind}", *short)
    assert true_conditions(ended)[-1] == "Succeeded", ended["status"]
    (trial,) = trials_of(place, f"ocr-{kind.lower()}")
    assert trial["spec"]["runSpec"]["kind"] == kind
    metrics = {each["name"]: each for each in trial["status"]["observation"]["metrics"]}
    assert 0 <= float(metrics["val_char_accuracy"]["max"]) <= 1
