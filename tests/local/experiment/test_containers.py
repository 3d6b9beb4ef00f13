"""Trials of an Experiment in their image."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from container_engine import IMAGE, containers_of, needed_engine
from local_experiment import collected, experiment, python, run, sh
from local_study import log_of, trials_in, wait_until
from places import SUPPORT

from kftune.containers import ContainerEngine
from kftune.errors import RunError, StoreError
from kftune.local.experiment import Options
from kftune.results import Trial

pytestmark = pytest.mark.container


@pytest.fixture
def engine() -> ContainerEngine:
    return needed_engine()


def image(container: dict[str, Any]) -> dict[str, Any]:
    return {"image": IMAGE, **container}


def one_trial(container: dict[str, Any], folder: Path, **parts: Any) -> Trial:
    options = parts.pop("options", Options())
    run(experiment(image(container), trials=1, **parts), folder, options=options._replace(runtime="container"))
    (trial,) = trials_in(folder)
    return trial


def test_a_trial_runs_in_its_image_with_its_limits_and_variables(engine, tmp_path):
    script = """
    echo "$KATIB_TRIAL_NAME $LR $TOKEN $(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null)"
    echo "$UNITS" > $KFTUNE_OUTPUT_DIR/units; touch /tmp/x; ls /root > /dev/null; echo loss=0.5
    """.strip()
    token = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    container = {**sh(script), "env": [token], "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}}
    trial = one_trial(container, tmp_path, options=Options(secrets={"TOKEN": "from here"}))
    assert trial.state == "Succeeded", trial.message
    first = log_of(tmp_path, trial).splitlines()[0]
    assert first.startswith(f"small-0001 {trial.assignment['lr']} from here")
    assert first.endswith(("from here ", str(64 * 2**20)))
    assert (tmp_path / "trials" / "small-0001" / "units").read_text() == f"{trial.assignment['units']}\n"
    assert containers_of(engine, tmp_path) == []


def test_the_image_s_own_command_runs_where_the_template_gives_none(engine, tmp_path):
    trial = one_trial({"args": ["python", "-c", "print('loss=0.25')"]}, tmp_path)
    assert (trial.state, trial.objective) == ("Succeeded", 0.25)


def test_volumes_and_the_metrics_file_are_mounted(engine, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "loss").write_text("0.125")
    volumes = [
        {"name": "work", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "d"}},
    ]
    mounts = [
        {"name": "work", "mountPath": "/work"},
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "data", "mountPath": "/mnt/data", "readOnly": True},
    ]
    script = """
    touch /mnt/data/x 2>/dev/null && exit 1
    touch /dev/shm/x /work/x; printf '{"loss": "%s"}' $(cat /mnt/data/loss) > /katib/m.json
    """.strip()
    place = {"fileSystemPath": {"path": "/katib/m.json", "kind": "File", "format": "JSON"}}
    container = {**sh(script), "volumeMounts": mounts}
    parts = {"pod": {"volumes": volumes}, "metricsCollectorSpec": collected("File", **place)}
    with pytest.raises(RunError, match=r"the volume data \(persistentVolumeClaim\).*--mount data=PATH"):
        one_trial(container, tmp_path / "a", **parts)
    trial = one_trial(container, tmp_path / "b", options=Options(mounts={"data": data}), **parts)
    assert (trial.state, trial.objective) == ("Succeeded", 0.125), trial.message
    assert (tmp_path / "b" / "trials" / "small-0001" / "work" / "x").exists()


def test_metrics_can_be_pushed_out_of_the_image(engine, tmp_path):
    pytest.importorskip("grpc")
    script = """
import os, socket, sys
host, port = os.environ["KATIB_DB_MANAGER_ADDRESS"].split(":")
socket.create_connection((host, int(port)), 5).close()
print("reached", "sitecustomize" in sys.modules, os.environ["KATIB_NAMESPACE"])
"""
    with pytest.raises(RunError, match=r"a container does not see; give it, if you trust the image \(--network host\)"):
        one_trial(python(script), tmp_path / "refused", metricsCollectorSpec=collected("Push"))
    options = Options(network="host")
    trial = one_trial(python(script), tmp_path, options=options, metricsCollectorSpec=collected("Push"))
    assert log_of(tmp_path, trial) == "reached True team-a\n"
    assert trial.state == "MetricsUnavailable"


def test_katib_s_shell_line_runs_in_the_image(engine, tmp_path):
    options = Options(strict_wrapper=True)
    assert one_trial(sh("echo loss=0.5"), tmp_path / "a", options=options).objective == 0.5
    trial = one_trial(sh("echo loss=0.5; echo done"), tmp_path / "b", options=options)
    assert trial.state == "MetricsUnavailable"


@pytest.mark.parametrize(
    ("container", "told"),
    [
        (sh("exit 3"), "exit code 3"),
        ({"command": ["no-such-program"]}, "no-such-program is not in"),
        ({**sh("echo loss=1"), "image": "localhost/nobody-has-this:1"}, "engine could not run it"),
    ],
)
def test_how_a_container_failed_is_told(engine, tmp_path, container, told):
    trial = one_trial(container, tmp_path)
    assert trial.state == "Failed"
    assert told in trial.message


def test_a_deadline_removes_the_container(engine, tmp_path):
    pod = {"terminationGracePeriodSeconds": 1}
    trial = one_trial(sh("sleep 60"), tmp_path, job={"activeDeadlineSeconds": 1}, pod=pod)
    assert trial.message.startswith("ran longer than activeDeadlineSeconds (1 s)")
    assert containers_of(engine, tmp_path) == []


def test_a_killed_run_s_container_is_gone_before_it_runs_again(engine, tmp_path):
    place, folder = tmp_path / "experiment.json", tmp_path / "runs"
    script = f"test -e {tmp_path}/go || sleep 60; echo loss=1"
    place.write_text(json.dumps(experiment(image(sh(script)), trials=1)))
    command = [
        sys.executable,
        str(SUPPORT.joinpath("local_experiment.py")),
        str(place),
        str(folder),
        "container",
    ]
    runner = subprocess.Popen(command)
    wait_until(lambda: containers_of(engine, folder) != [])
    (before,) = containers_of(engine, folder)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    assert containers_of(engine, folder) == [before]
    (tmp_path / "go").touch()
    again = subprocess.Popen(command)
    wait_until(lambda: attempt_of(folder) == 2)
    again.send_signal(signal.SIGINT)
    again.wait()
    assert containers_of(engine, folder) == []


def attempt_of(folder: Path) -> int:
    try:
        return max((trial.attempt for trial in trials_in(folder)), default=0)
    except StoreError:
        return 0
