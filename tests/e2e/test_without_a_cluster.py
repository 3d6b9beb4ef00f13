"""What the suite for a cluster builds and judges, as far as that needs no cluster."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cluster_run import (
    LAUNCHER,
    OVERLAY,
    PACKAGES,
    TORCH,
    TRAIN,
    apply_command,
    has_condition,
    known,
    missing_for_a_run,
    own_namespace,
    small_project,
    wait_until,
    wrong_results,
)
from e2e_ocr import missing_for_torch
from places import CIRCUITS

from kftune.project import load_project
from kftune.render.kustomize import render_objects

FINISHED: dict[str, Any] = {
    "spec": {
        "objective": {"objectiveMetricName": "val_loss"},
        "parameters": [
            {"name": "epochs", "feasibleSpace": {"list": ["2", "3"]}},
            {"name": "learning_rate", "feasibleSpace": {"min": "0.1", "max": "1"}},
        ],
    },
    "status": {
        "trialsSucceeded": 2,
        "currentOptimalTrial": {
            "parameterAssignments": [{"name": "epochs", "value": "2"}, {"name": "learning_rate", "value": "0.2"}],
            "observation": {"metrics": [{"name": "val_loss", "min": "1"}]},
        },
    },
}


def test_the_small_project_is_all_in_its_own_namespace_with_the_images_given(tmp_path: Path) -> None:
    images = {"train": "registry.example/t:9", "launcher": "registry.example/l:9"}
    project = small_project(CIRCUITS, tmp_path, "kftune-e2e-1", images)
    objects = render_objects(load_project(project), OVERLAY)
    text = json.dumps(objects)
    assert "team-a" not in text
    assert "registry.example/circuits" not in text
    assert "kftune-launcher" not in text
    (experiment,) = (one for one in objects if one["kind"] == "Experiment")
    assert experiment["spec"]["maxTrialCount"] == 2


def test_kinds_that_the_cluster_does_not_have_are_left_out() -> None:
    objects = render_objects(load_project(CIRCUITS))
    kinds = {one["kind"] for one in known(objects, ["v1", "kubeflow.org/v1beta1"])}
    assert kinds == {"Namespace", "ServiceAccount", "Secret", "PersistentVolumeClaim", "Experiment"}


def test_only_the_dry_run_is_one() -> None:
    assert "--dry-run=server" in apply_command(dry_run=True)
    assert not any("dry-run" in word for word in apply_command(dry_run=False))


def test_without_a_kubeconfig_the_suite_says_so() -> None:
    assert "set KUBECONFIG" in str(missing_for_a_run({}))


@pytest.fixture
def with_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("with_kubectl")
def test_an_image_that_no_variable_names_is_asked_for() -> None:
    found = missing_for_a_run({"KUBECONFIG": "k", TRAIN: "registry.example/t:1"}, TRAIN, LAUNCHER)
    assert str(found).startswith("KFTUNE_E2E_LAUNCHER must name")
    assert missing_for_a_run({"KUBECONFIG": "k", TRAIN: "registry.example/t:1"}, TRAIN) is None


@pytest.mark.usefixtures("with_kubectl")
def test_trials_that_need_torch_take_it_from_an_image_or_from_a_folder_of_the_node(tmp_path: Path) -> None:
    image = {"KUBECONFIG": "k", TRAIN: "registry.example/t:1"}
    folder = {**image, PACKAGES: str(tmp_path)}
    assert "KFTUNE_E2E_TORCH names no image" in str(missing_for_torch(image))
    assert "KFTUNE_E2E_PACKAGES no folder" in str(missing_for_torch(folder))
    assert missing_for_torch({"KUBECONFIG": "k", TORCH: "registry.example/torch:1"}) is None
    (tmp_path / "torch").mkdir()
    assert missing_for_torch(folder) is None


def test_a_finished_experiment_is_right() -> None:
    assert wrong_results(FINISHED) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["status", "trialsSucceeded"], 1, "2 trials must succeed, but 1 did"),
        (["status", "currentOptimalTrial", "observation"], {}, "no value of the objective"),
        (["status", "currentOptimalTrial", "parameterAssignments", 0, "value"], "9", "epochs=9 is none of"),
        (["status", "currentOptimalTrial", "parameterAssignments"], [], "the best trial has no epochs"),
    ],
)
def test_a_wrong_result_is_reported(path: list[Any], value: object, said: str) -> None:
    experiment = copy.deepcopy(FINISHED)
    inner: Any = experiment
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert any(said in wrong for wrong in wrong_results(experiment))


STAND_IN = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
  *-o\\ json*) echo '{"status": {"conditions": [{"type": "Running", "status": "True"}]}}' ;;
  *-o\\ name*) echo pod/a ;;
  *events*) echo 'Warning: no room' ;;
  *apply*) cat >> "$CALLS"; echo >> "$CALLS" ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the calls of a stand-in for kubectl, whose objects are all running."""
    program = tmp_path / "kubectl"
    program.write_text(STAND_IN, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def test_a_namespace_is_for_trials_and_goes_away_after_a_failure_too(calls: Path) -> None:
    with pytest.raises(ZeroDivisionError), own_namespace("here") as name:
        _ = 1 // 0
    made, deleted = calls.read_text().split("}}}", maxsplit=1)
    assert f'"name": "{name}"' in made
    assert '"katib.kubeflow.org/metrics-collector-injection": "enabled"' in made
    assert deleted.split() == ["delete", "namespace", name, "--ignore-not-found", "--wait=false"]


def test_an_object_is_waited_for(calls: Path) -> None:
    found = wait_until("experiment/a", "space", has_condition("Running"), 0)
    assert found["status"]["conditions"][0]["type"] == "Running"
    assert calls.read_text() == "get experiment/a --namespace=space -o json\n"


@pytest.mark.usefixtures("calls")
def test_an_object_that_is_not_as_expected_in_time_tells_what_the_cluster_says() -> None:
    with pytest.raises(AssertionError, match=r"experiment/a is not as expected after 0 s(?s:.*)Running(?s:.*)no room"):
        wait_until("experiment/a", "space", has_condition("Succeeded"), 0)
