"""Trials of a study in their image: the same trials and results as in processes, and no container is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from container_engine import IMAGE, containers_of, needed_engine
from local_study import log_of, one_trial, python, run, sh, study, trials_in, wait_until
from places import SUPPORT

from kftune.containers import ENGINE_VARIABLE, ContainerEngine
from kftune.errors import ContainerError, RunError
from kftune.images import Lock, LockedImage
from kftune.study import Study

pytestmark = pytest.mark.container

DOUBLE = python("import sys; lr = dict(t[2:].split('=') for t in sys.argv[1:])['lr']; print(f'loss={float(lr) * 2}')")


@pytest.fixture
def engine() -> ContainerEngine:
    return needed_engine()


def in_image(command: tuple[str, ...] = sh("echo loss=0.5"), image: str = IMAGE, **parts: Any) -> Study:
    return study(command, **{**parts, "step": {"image": image, **parts.get("step", {})}})


def test_trials_and_results_are_the_same_as_in_processes(engine, tmp_path):
    a_study = in_image(DOUBLE, trials=4, budget={"parallel": 2})
    run(a_study, tmp_path / "a")
    run(a_study, tmp_path / "b", runtime="container")
    first, second = (
        [(trial.name, trial.state, trial.assignment, trial.metrics, trial.objective) for trial in trials_in(folder)]
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    assert first == second
    assert containers_of(engine, tmp_path / "b") == []


def test_a_run_in_containers_resumes_one_in_processes(engine, tmp_path):
    run(in_image(DOUBLE, trials=2), tmp_path)
    outcome, _ = run(in_image(DOUBLE, trials=4), tmp_path, runtime="container")
    assert outcome.counts == {"Succeeded": 4}
    assert len({trial.objective for trial in trials_in(tmp_path)}) == 4


def test_a_trial_sees_its_name_folder_data_and_secrets_and_has_no_network(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "s3cret")
    data = tmp_path / "project" / "data"
    data.mkdir(parents=True)
    (data / "rows").write_text("7 rows")
    script = """
    touch $KFTUNE_DATA/x 2>/dev/null && exit 1
    echo "$KFTUNE_TRIAL_NAME $MINE $API_TOKEN $KFTUNE_DATA $(cat $KFTUNE_DATA/rows) $(ls /sys/class/net)"
    echo made > $KFTUNE_OUTPUT_DIR/model; echo loss=1
    """.strip()
    secrets = {"API_TOKEN": {"name": "tokens", "key": "api"}}
    step = {"env": {"MINE": "x y"}, "secrets": secrets, "data": {"path": "data", "mount": "/mnt/data"}}
    folder = tmp_path / "runs"
    place = tmp_path / "project" / "study.yaml"
    trial = one_trial(in_image(sh(script), trials=1, step=step), folder, study_path=place, runtime="container")
    assert log_of(folder, trial) == "small-study-0001 x y s3cret /mnt/data 7 rows lo\nloss=1\n"
    assert (folder / "trials" / trial.name / "model").read_text() == "made\n"


def test_a_trial_has_the_shared_memory_rights_and_volumes_of_its_pod(engine, tmp_path):
    script = """if True:
        import os, pathlib
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        sizes = [os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize >> 20 for folder in ("/dev/shm", "/scratch")]
        for folder in ("/dev/shm", "/scratch", "/empty"):
            pathlib.Path(folder, "made").write_text("x")
        print(sizes, int(status["CapEff"], 16) == 1 << 10, status["NoNewPrivs"], "loss=1")
    """
    volumes = [
        {"name": "scratch", "mount": "/scratch", "ephemeral": {"size": "8Mi", "storage_class": "fast"}},
        {"name": "empty", "mount": "/empty", "empty_dir": True, "sub_path": "part"},
    ]
    security = {"capabilities": {"add": ["NET_BIND_SERVICE"]}, "run_as_non_root": False, "fs_group": 7}
    step = {"shared_memory": "32Mi", "security": security, "volumes": volumes, "host_network": True, "queue": "gpus"}
    trial = one_trial(in_image(python(script), step=step, trials=1), tmp_path, runtime="container")
    assert log_of(tmp_path, trial) == "[32, 8] True 1 loss=1\n"


def test_an_image_of_the_project_is_looked_up_in_its_lock(engine, tmp_path):
    found = engine.image_id(IMAGE)
    assert found is not None
    lock = LockedImage(local=IMAGE, id=found, revision="1", base="none")
    Lock(tmp_path / "images" / "images.lock.json", {"own": lock}).write()
    place = tmp_path / "studies" / "study.yaml"
    place.parent.mkdir()
    a_study = in_image(image="images/own", trials=1)
    assert one_trial(a_study, tmp_path / "runs", study_path=place, runtime="container").state == "Succeeded"


def test_how_a_container_failed_is_told(engine, tmp_path):
    trial = one_trial(in_image(("no-such-program",), trials=1), tmp_path, runtime="container")
    assert trial.state == "Failed"
    assert "no-such-program is not in" in trial.message


def test_a_trial_that_takes_too_long_is_gone_with_its_container(engine, tmp_path):
    limits: dict[str, Any] = {"budget": {"trial_timeout": 1, "max_failed": 1}, "step": {"grace_period": 0.3}}
    trial = one_trial(in_image(sh("sleep 60"), trials=1, **limits), tmp_path, runtime="container")
    assert trial.message.startswith("ran longer than trial_timeout (1 s) and was stopped")
    assert containers_of(engine, tmp_path) == []


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"image": None}, "a container needs an image; give the step one, for example image: images/train"),
        ({"image": "registry.example/nobody:1"}, "the image registry.example/nobody:1 must be on this machine, but is"),
        ({"image": "images/none"}, "images/none is an image of the project, but there is no images/images.lock.json"),
        ({"image": IMAGE, "data": {"path": "nowhere"}}, "the step's data must be there, but"),
    ],
)
def test_what_could_not_run_is_refused_before_the_first_trial(engine, tmp_path, step, told):
    with pytest.raises(RunError, match=told):
        run(study(step=step), tmp_path / "runs", study_path=tmp_path / "study.yaml", runtime="container")
    assert not (tmp_path / "runs").exists()


def test_without_a_container_engine_the_run_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(ENGINE_VARIABLE, "no-such-engine")
    with pytest.raises(ContainerError, match="a container runs through docker or podman, but none answers"):
        run(in_image(), tmp_path / "runs", runtime="container")
    assert not (tmp_path / "runs").exists()


def test_the_command_line_runs_a_study_in_containers(engine, tmp_path):
    text = {
        "name": "Small study",
        "hparams": "local_study:Tiny",
        "objective": {"metric": "loss", "direction": "minimize"},
        "budget": {"max_trials": 2},
        "step": {
            "image": IMAGE,
            "command": ["sh", "-c", f"test ! -e {tmp_path} && echo loss=1"],
        },
    }
    (tmp_path / "study.yaml").write_text(json.dumps(text))
    command = [sys.executable, "-m", "kftune", "run", "study.yaml", "--runtime", "container", "--plain"]
    done = subprocess.run(
        command, cwd=tmp_path, env=_with_support(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [trial.state for trial in trials_in(tmp_path / "runs" / "small-study")] == ["Succeeded", "Succeeded"]


def test_containers_of_a_killed_run_are_gone_before_their_trials_run_again(engine, tmp_path):
    folder, data = tmp_path / "runs", tmp_path / "data"
    data.mkdir()
    script = "test -e $KFTUNE_DATA/go || sleep 60; echo loss=1"
    text = {
        "name": "Small study",
        "hparams": "local_study:Tiny",
        "objective": {"metric": "loss", "direction": "minimize"},
        "budget": {"max_trials": 2, "parallel": 2},
        "step": {"image": IMAGE, "command": ["sh", "-c", script], "grace_period": 1, "data": {"path": "data"}},
    }
    (tmp_path / "study.yaml").write_text(json.dumps(text))
    command = [sys.executable, "-m", "kftune", "run", "study.yaml", f"--dir={folder}", "--runtime=container", "--plain"]
    runner = subprocess.Popen(command, cwd=tmp_path, env=_with_support(), stdout=subprocess.DEVNULL)
    wait_until(lambda: len(containers_of(engine, folder)) == 2)
    before = containers_of(engine, folder)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    assert containers_of(engine, folder) == before
    (data / "go").touch()
    again = subprocess.run(command, cwd=tmp_path, env=_with_support(), capture_output=True, timeout=120, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [(trial.attempt, trial.state) for trial in trials_in(folder)] == [(2, "Succeeded")] * 2
    assert containers_of(engine, folder) == []


LOST: dict[str, Any] = {"preemption": {"retries": 1}, "grace_period": 1}


@pytest.mark.parametrize("how", [["kill"], ["kill", "--signal=TERM"], ["stop", "-t", "1"], ["rm", "--force"]])
def test_a_trial_starts_again_when_its_container_is_ended_from_outside(engine, tmp_path, how):
    data = tmp_path / "project" / "data"
    data.mkdir(parents=True)
    # The shell has a handler, since the first process of a container ignores SIGTERM without one.
    script = "trap 'exit 143' TERM; [ -e $KFTUNE_DATA/second ] || { echo loss=0.1; sleep 60 & wait; }; echo loss=0.5"
    step = {**LOST, "data": {"path": "data"}, "resources": {"cpu": 1, "memory": "128Mi"}}
    place = tmp_path / "project" / "study.yaml"
    folder = tmp_path / "runs"

    def end_it() -> None:
        wait_until(lambda: (folder / "logs/small-study-0001.log").is_file() and log_of_first(folder))
        (data / "second").touch()
        engine.call(*how, *containers_of(engine, folder))

    ending = threading.Thread(target=end_it)
    ending.start()
    trial = one_trial(in_image(sh(script), trials=1, step=step), folder, study_path=place, runtime="container")
    ending.join()
    assert (trial.state, trial.attempt, trial.objective) == ("Succeeded", 2, 0.5), trial.message
    assert trial.metrics["loss"].count == 1
    assert containers_of(engine, folder) == []


def log_of_first(folder: Path) -> str:
    return (folder / "logs/small-study-0001.log").read_text()


def test_a_trial_that_needs_more_memory_than_its_container_has_is_not_started_again(engine, tmp_path):
    step = {**LOST, "resources": {"cpu": 1, "memory": "48Mi"}}
    trial = one_trial(
        in_image(python("x = bytearray(200_000_000)"), trials=1, step=step), tmp_path, runtime="container"
    )
    assert (trial.state, trial.attempt, trial.exit_code) == ("Failed", 1, 137)
    assert "most likely it needed more than its" in trial.message


def test_a_trial_without_memory_runs_again_with_half_of_it_in_a_new_container(engine, tmp_path):
    script = """import sys
units = int(dict(word[2:].split('=') for word in sys.argv[1:])['units'])
x = bytearray(units * 1_000_000)
print('loss=0.5')"""
    a_study = in_image(
        python(script),
        trials=1,
        step={"resources": {"cpu": 1, "memory": "48Mi"}},
        points=[{"units": 200, "lr": 0.01, "optimizer": "adam"}],
        budget={"retries": {"out_of_memory": {"retries": 5, "halve": "units"}}},
    )
    trial = one_trial(a_study, tmp_path, runtime="container")
    assert trial.state == "Succeeded", trial.message
    assert (trial.point["units"] < 50, trial.retried.proposed) == (True, {"units": 200})
    assert trial.attempt == trial.retried.out_of_memory + 1 > 2
    assert containers_of(engine, tmp_path) == []


def _with_support() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SUPPORT)}
