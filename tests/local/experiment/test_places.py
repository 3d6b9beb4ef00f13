"""Where the trials of an Experiment look for their program, before the first one starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_experiment import experiment, run, sh

from kftune.errors import RunError
from kftune.katib.admission.cluster import Cluster
from kftune.local import Note
from kftune.local.experiment import Options
from kftune.results import open_results

TRAIN = {"command": ["python", "train.py"]}
WORKSPACE = {"workingDir": "/workspace", "volumeMounts": [{"name": "ws", "mountPath": "/workspace"}]}
EMPTY = {"volumes": [{"name": "ws", "emptyDir": {}}]}


def notes(events: list[Any]) -> str:
    return "\n".join(event.message for event in events if isinstance(event, Note))


def log(folder: Path) -> str:
    with open_results(folder) as results:
        return (folder / "logs" / f"{results.trials()[0].name}.log").read_text()


@pytest.mark.parametrize("container", [TRAIN, sh("python train.py --lr=$LR")], ids=["words", "shell"])
def test_a_script_that_is_not_beside_the_manifest_is_refused_before_the_first_trial(tmp_path, container):
    (tmp_path / "build").mkdir()
    (tmp_path / "train.py").write_text("print('loss=0.5')\n")
    place = tmp_path / "build" / "study.katib.yaml"
    with pytest.raises(RunError) as caught:
        run(experiment(container), tmp_path / "runs", place=place)
    assert str(caught.value) == (
        f"the script must be there, but {tmp_path}/build/train.py is not; give the folder that it is looked for from "
        f"(--working-dir; for a rendered study, that of the study), the one to use for its own (--mount /PATH=HERE), "
        f"or run it in its image (--runtime container)"
    )
    assert not (tmp_path / "runs").exists()
    outcome, _ = run(experiment(container), tmp_path / "runs", place=place, options=Options(working_dir=tmp_path))
    assert outcome.counts == {"Succeeded": 3}


@pytest.mark.parametrize("container", [{"command": ["python", "-m", "toy_train"]}, sh("python -m toy_train --lr=$LR")])
def test_a_module_that_is_not_beside_the_manifest_is_refused_too(tmp_path, container):
    (tmp_path / "build").mkdir()
    (tmp_path / "toy_train.py").write_text("print('loss=0.5')\n")
    place = tmp_path / "build" / "study.katib.yaml"
    with pytest.raises(RunError, match=r"but 'toy_train' is not installed and not in .*/build; .*\(--working-dir;"):
        run(experiment(container), tmp_path / "runs", place=place)
    outcome, _ = run(experiment(container), tmp_path / "runs", place=place, options=Options(working_dir=tmp_path))
    assert outcome.counts == {"Succeeded": 3}


def test_a_script_in_a_working_folder_that_is_empty_at_the_start_is_refused(tmp_path):
    (tmp_path / "train.py").write_text("print('loss=0.5')\n")
    with pytest.raises(RunError) as caught:
        run(experiment({**TRAIN, **WORKSPACE}, pod=EMPTY), tmp_path / "runs", place=tmp_path / "e.yaml")
    assert str(caught.value).startswith("the script must be there, but /workspace/train.py is not; give the folder")
    assert str(caught.value).endswith("; /workspace is empty when a trial starts, here and on a cluster")


@pytest.mark.parametrize("inside", ["", "/deeper/still"])
def test_trials_run_in_a_working_folder_of_their_own_and_nothing_else_is_said(tmp_path, inside):
    container = {**sh("pwd; touch made; echo loss=0.5"), **WORKSPACE, "workingDir": f"/workspace{inside}"}
    folder = tmp_path / "runs"
    _, events = run(experiment(container, trials=1, pod=EMPTY), folder, place=tmp_path / "e.yaml")
    assert log(folder).splitlines()[0] == f"{folder}/trials/small-0001/ws{inside}"
    assert "workingDir" not in notes(events)
    assert not (tmp_path / "made").exists()


def test_a_working_folder_that_is_only_in_the_image_is_told_as_such(tmp_path):
    container = {**sh("pwd; echo loss=0.5"), "workingDir": "/opt/only-in-the-image"}
    _, events = run(experiment(container, trials=1), tmp_path / "runs", place=tmp_path / "e.yaml")
    assert log(tmp_path / "runs").splitlines()[0] == str(tmp_path)
    assert f"workingDir /opt/only-in-the-image is not here; trials run in {tmp_path}" in notes(events)


@pytest.mark.parametrize(
    "mount",
    [{"mountPath": "/scripts"}, {"mountPath": "/scripts/train.py", "subPath": "train.py"}],
    ids=["folder", "one file"],
)
def test_a_script_of_a_config_map_is_found(tmp_path, mount):
    cluster = Cluster(config_maps={("team-a", "code"): {"train.py": "print('loss=0.25')\n"}})
    container = {"command": ["python", "/scripts/train.py"], "volumeMounts": [{"name": "code", **mount}]}
    pod = {"volumes": [{"name": "code", "configMap": {"name": "code"}}]}
    outcome, _ = run(experiment(container, trials=2, pod=pod), tmp_path / "runs", cluster=cluster)
    assert outcome.counts == {"Succeeded": 2}
    _, events = run(experiment(container, trials=3, pod=pod), tmp_path / "runs", cluster=cluster)
    assert "changed" not in notes(events), "the same script in the folder of another trial is the same code"


def test_a_command_that_installs_packages_is_told_before_the_first_trial(tmp_path):
    container = sh("pip install --help > /dev/null; echo loss=0.5")
    _, events = run(experiment(container, trials=1), tmp_path / "runs")
    assert "the command has 'pip install --help', which changes the packages of this machine" in notes(events)
    with pytest.raises(RunError, match="pip install"):
        run(experiment(container, trials=2), tmp_path / "runs", strict=True)


def test_one_of_several_replicas_runs_with_a_note(tmp_path):
    values = "${trialParameters.lr}${trialParameters.units}${trialParameters.opt}"
    container = {"name": "main", "image": "x:1", **sh(f": {values}; echo loss=0.5")}
    specs = {name: {"replicas": 2, "template": {"spec": {"containers": [container]}}} for name in ("Worker", "Master")}
    job = {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": specs}}
    outcome, events = run(experiment(trial=job, trials=1), tmp_path / "job")
    assert outcome.counts == {"Succeeded": 1}
    assert "is one process here; on a cluster it is several: Master 2, Worker 2 (Master runs here)" in notes(events)
    trainer = {"image": "x:1", "numNodes": 3, **sh(f": {values}; echo loss=0.5")}
    spec = {"runtimeRef": {"name": "torch"}, "trainer": trainer}
    job = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": spec}
    template = {"primaryContainerName": "node"}
    outcome, events = run(experiment(trial=job, template=template, trials=1), tmp_path / "train")
    assert outcome.counts == {"Succeeded": 1}
    assert "on a cluster it is several: numNodes 3" in notes(events)
