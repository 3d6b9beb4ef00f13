"""An Experiment from a stranger reads and changes no file outside of its trials' folders, and makes no run hang."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from lint_examples import example_text
from local_experiment import collected, experiment, python, run, sh
from local_study import trials_in, wait_until
from places import SUPPORT

from kftune.errors import ConfinedError, RunError
from kftune.katib.admission.cluster import Cluster
from kftune.lint import check
from kftune.local.experiment import Options
from kftune.local.experiment.places import copy_checkpoints
from kftune.results import Trial

OUT = "../../../../victim"
VOLUME = [{"name": "v", "emptyDir": {}}]
OUTSIDE = "the subPath of the volume v must be a relative path without"
FILE = collected("File", fileSystemPath={"path": "/var/log/katib/metrics.log", "kind": "File"})
EVENTS = collected("TensorFlowEvent", fileSystemPath={"path": "/train", "kind": "Directory"})


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o700)
    (folder / "secret.txt").write_text("loss=0.125\n")
    return folder


def untouched(folder: Path) -> bool:
    names = [path.name for path in folder.iterdir()]
    return names == ["secret.txt"] and stat.S_IMODE(folder.stat().st_mode) == 0o700


def mounted(**mount: Any) -> dict[str, Any]:
    return {**sh("echo loss=1"), "volumeMounts": [{"name": "v", "mountPath": "/d", **mount}]}


@pytest.mark.parametrize(
    ("mount", "volumes", "told"),
    [
        ({"subPath": OUT}, VOLUME, OUTSIDE),
        ({"subPath": "/etc"}, VOLUME, OUTSIDE),
        (
            {"subPath": "a/${trialParameters.opt}"},
            VOLUME,
            OUTSIDE,
        ),
        ({"name": OUT}, [{"name": OUT, "emptyDir": {}}], "a volume's name is lower-case letters"),
        ({"name": "/etc"}, [{"name": "/etc", "emptyDir": {}}], "a volume's name is lower-case letters"),
    ],
)
def test_a_volume_stays_in_the_folder_of_its_trial(tmp_path, victim, mount, volumes, told):
    out = {"name": "opt", "parameterType": "categorical", "feasibleSpace": {"list": [f"../{OUT}"]}}
    given = experiment(mounted(**mount), trials=1, pod={"volumes": volumes})
    given["spec"]["parameters"][2] = out
    with pytest.raises(RunError, match=told):
        run(given, tmp_path / "a" / "b" / "runs")
    assert untouched(victim)


def test_a_subpath_stays_in_the_folder_that_the_user_mounts(tmp_path, victim):
    data = tmp_path / "data"
    data.mkdir()
    (data / "link").symlink_to(victim)
    claim = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    given = experiment(mounted(subPath="link"), trials=1, pod={"volumes": claim})
    with pytest.raises(ConfinedError, match=r"link must stay below .*/data, but a link in it leads to .*/victim"):
        run(given, tmp_path / "runs", options=Options(mounts={"v": data}))


@pytest.mark.parametrize("path", ["/../../../../victim/m.log", "/a/../../victim/m.log", "/.."])
def test_a_collector_reads_in_the_folder_of_its_trial(tmp_path, victim, path):
    for kind, of in (("File", "File"), ("TensorFlowEvent", "Directory")):
        given = experiment(trials=1, metricsCollectorSpec=collected(kind, fileSystemPath={"path": path, "kind": of}))
        with pytest.raises(RunError, match="the collector's path must be without"):
            run(given, tmp_path / "a" / "b" / "runs")
    assert untouched(victim)


@pytest.mark.parametrize("key", [f"{OUT}/key", "..", ".", "..x", "a/b", "/etc/key", "", "ключ", "a" * 254])
def test_a_config_map_makes_files_of_its_volume_only(tmp_path, victim, key):
    volumes = [{"name": "v", "configMap": {"name": "settings"}}]
    cluster = Cluster(config_maps={("team-a", "settings"): {key: "x"}})
    given = experiment(mounted(), trials=1, pod={"volumes": volumes})
    with pytest.raises(RunError, match="settings has the key"):
        run(given, tmp_path / "a" / "b" / "runs", cluster=cluster)
    assert untouched(victim)


CONFIG = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {"KEY": x}
"""
USES = [
    "volumes: [{name: v, configMap: {name: settings}}]",
    "volumes: [{name: v, projected: {sources: [{configMap: {name: settings}}]}}]",
    "containers: [{name: main, image: x, command: [a, '${trialParameters.lr}', '${trialParameters.units}'], "
    "envFrom: [{configMapRef: {name: settings}}]}]",
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("key", ["../../x", "..", ".", "a/b", "good.yaml"])
def test_lint_names_the_keys_that_kubernetes_refuses(tmp_path, key, use):
    inside = f"{{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {{{use}}}}}}}}}}}}}"
    text = example_text(f"{{metadata: {{namespace: default}}, spec: {inside}}}")
    (tmp_path / "e.yaml").write_text(text + CONFIG.replace("KEY", key))
    codes = {each.code for each in check(tmp_path / "e.yaml").findings}
    assert ("KT283" in codes) == (key != "good.yaml")


def ends(container: dict[str, Any], folder: Path, **parts: Any) -> Trial:
    """Runs one trial, in a process of its own that a hang cannot outlive; returns the trial."""
    run(experiment(container, trials=1, **parts), folder)
    (trial,) = trials_in(folder)
    return trial


PLANTS = {
    "link": "ln -s $VICTIM/secret.txt $LOG",
    "link to zeros": "ln -s /dev/zero $LOG",
    "FIFO": "mkfifo $LOG",
    "link to the folder": "mv $VICTIM/secret.txt $VICTIM/metrics.log; D=$(dirname $LOG); rm -r $D; ln -s $VICTIM $D",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_a_metrics_file_is_a_regular_file_of_the_trial(tmp_path, victim, plant):
    script = plant.replace("$LOG", "/var/log/katib/metrics.log").replace("$VICTIM", str(victim))
    trial = ends(sh(script), tmp_path / "runs", metricsCollectorSpec=FILE)
    assert trial.state == "Failed"
    assert "must be a" in trial.message
    assert trial.metrics == {}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("plant", ["mkfifo /train/x.tfevents", "ln -s $VICTIM /train/x", "mkdir /train/x.tfevents"])
def test_event_files_are_regular_files_of_the_trial(tmp_path, victim, plant):
    (victim / "x.tfevents").write_bytes(b"")
    trial = ends(sh(plant.replace("$VICTIM", str(victim))), tmp_path / "runs", metricsCollectorSpec=EVENTS)
    assert trial.state == "MetricsUnavailable"


@pytest.mark.timeout(60)
def test_a_mark_of_completion_is_a_regular_file(tmp_path):
    script = "mkfifo $KFTUNE_OUTPUT_DIR/files/var/log/katib/1.pid; echo loss=1"
    run(experiment(sh(script), trials=1), tmp_path, options=Options(strict_wrapper=True))
    assert trials_in(tmp_path)[0].state == "Succeeded", "the shell line has left a mark of its own"


@pytest.mark.parametrize("target", ["/etc", "../../../victim"])
def test_checkpoints_that_lead_out_are_not_resumed(tmp_path, victim, target):
    parent, own = tmp_path / "trials" / "a", tmp_path / "trials" / "b"
    parent.mkdir(parents=True)
    own.mkdir()
    (parent / "checkpoints").symlink_to(target)
    with pytest.raises(ConfinedError):
        copy_checkpoints(parent, own)
    (parent / "checkpoints").unlink()
    (parent / "checkpoints").mkdir()
    (parent / "checkpoints" / "last.ckpt").symlink_to(f"{target}/secret.txt")
    with pytest.raises(ConfinedError):
        copy_checkpoints(parent, own)
    assert list(own.iterdir()) == []


@pytest.mark.parametrize("source", ["secretKeyRef", "configMapKeyRef", "fieldRef"])
def test_no_variable_of_the_user_is_read_that_he_does_not_name(tmp_path, monkeypatch, source):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    reference = {"fieldPath": "status.podIP"} if source == "fieldRef" else {"name": "x", "key": "y"}
    stolen = {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {source: reference}}
    with pytest.raises(RunError, match=r"--secret AWS_SECRET_ACCESS_KEY\), or give --env AWS_SECRET_ACCESS_KEY="):
        run(experiment({**sh("echo loss=1"), "env": [stolen]}, trials=1), tmp_path)


def test_a_file_without_end_does_not_keep_a_run_from_hearing_ctrl_c(tmp_path):
    place, folder = tmp_path / "experiment.json", tmp_path / "runs"
    script = "import os, sys; os.truncate(os.open(sys.argv[1], os.O_CREAT | os.O_RDWR), 1 << 40)"
    given = experiment(python(script, "/var/log/katib/metrics.log"), trials=1, metricsCollectorSpec=FILE)
    place.write_text(json.dumps(given))
    runner = subprocess.Popen([sys.executable, str(SUPPORT / "local_experiment.py"), str(place), str(folder)])
    wait_until(lambda: any(path.stat().st_size for path in folder.glob("trials/*/files/var/log/katib/metrics.log")))
    time.sleep(0.5)
    runner.send_signal(signal.SIGINT)
    began = time.monotonic()
    # It may be just about to exit.
    assert runner.wait(30) in (1, 130, -signal.SIGINT)
    assert time.monotonic() - began < 10
    (trial,) = trials_in(folder)
    assert trial.state in ("Killed", "Failed")


def test_values_make_no_path_that_leads_out(tmp_path, victim):
    """The sample that is checked before the first trial has the value in the middle."""
    given = experiment(mounted(subPath="${trialParameters.opt}"), trials=3, pod={"volumes": VOLUME})
    given["spec"]["algorithm"] = {"algorithmName": "grid"}
    values = {"name": "opt", "parameterType": "categorical", "feasibleSpace": {"list": ["good", "fine", f"../{OUT}"]}}
    fixed = [
        {**each, "feasibleSpace": {"min": "1", "max": "1", "step": "1"}} for each in given["spec"]["parameters"][:2]
    ]
    given["spec"]["parameters"] = [*fixed, values]
    run(given, tmp_path / "a" / "b" / "runs")
    found = {
        trial.assignment["opt"]: (trial.state, trial.message) for trial in trials_in(tmp_path / "a" / "b" / "runs")
    }
    assert found["good"] == ("Succeeded", "")
    assert found[f"../{OUT}"][0] == "Failed"
    assert OUTSIDE in found[f"../{OUT}"][1]
    assert untouched(victim)


def test_no_file_of_the_results_has_a_secret(tmp_path):
    variables = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    container = {**sh('test -n "$TOKEN" && test -n "$MORE" && echo loss=1'), "env": variables}
    options = Options(secrets={"TOKEN": "s3cr3t"}, env={"MORE": "h1dd3n"})
    run(experiment(container, trials=1), tmp_path, options=options)
    assert trials_in(tmp_path)[0].state == "Succeeded"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"s3cr3t" in path.read_bytes() or b"h1dd3n" in path.read_bytes()] == []
