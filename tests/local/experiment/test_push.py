"""Metrics that trials push: by Katib's wire format, and by Katib's own SDK where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from local_experiment import collected, experiment, python, run
from local_study import kept_curves, trials_in
from places import ROOT

from kftune.errors import MissingExtraError
from kftune.katib.trial.protobuf import delimited
from kftune.results import Trial

PUSH = collected("Push")

# What Katib's report_metrics sends, written with the wire format alone.
CLIENT = """
import os, sys, grpc
from kftune.katib.trial.protobuf import bytes_of, delimited, fields, text_of

def call(method, request):
    with grpc.insecure_channel(os.environ["KATIB_DB_MANAGER_ADDRESS"]) as channel:
        return channel.unary_unary(f"/api.v1.beta1.DBManager/{method}")(request, timeout=10)

def push(name, value, time):
    metric = delimited(1, name) + delimited(2, value)
    log = delimited(1, delimited(1, time) + delimited(2, metric))
    call("ReportObservationLog", delimited(1, os.environ["KATIB_TRIAL_NAME"]) + delimited(2, log))
"""


def one_trial(script: str, folder: Path, **options: Any) -> Trial:
    run(experiment(python(script), trials=1, metricsCollectorSpec=PUSH), folder, **options)
    (trial,) = trials_in(folder)
    return trial


def test_without_grpc_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(MissingExtraError, match=r"kftune\[katib\]"):
        run(experiment(metricsCollectorSpec=PUSH), tmp_path)


def test_what_a_trial_pushes_is_what_it_reported(tmp_path):
    pytest.importorskip("grpc")
    script = f"""{CLIENT}
push("loss", "0.50", "2026-01-01T00:00:02Z")
push("loss", "0.25", "2026-01-01T00:00:01Z")
push("loss", "0.75", "")
push("other", "1", "2026-01-01T00:00:03Z")
"""
    trial = one_trial(script, tmp_path)
    assert trial.state == "Succeeded", trial.message
    assert {name: values[:4] for name, values in trial.metrics.items()} == {"loss": ("0.25", "0.50", "0.50", 2)}
    # The curve has the order in which they came.
    assert kept_curves(tmp_path) == {1: {"loss": ([1, 2], [0.5, 0.25])}}


def test_a_trial_can_read_back_and_delete_what_it_pushed(tmp_path):
    pytest.importorskip("grpc")
    script = f"""{CLIENT}
me = os.environ["KATIB_TRIAL_NAME"]
push("loss", "9", "2026-01-01T00:00:01Z")
call("DeleteObservationLog", delimited(1, me))
push("loss", "1", "2026-01-01T00:00:01Z")
push("acc", "2", "2026-01-01T00:00:02Z")
push("loss", "3", "2026-01-01T00:00:03Z")
reply = call("GetObservationLog", delimited(1, me) + delimited(2, "loss") + delimited(3, "2026-01-01T00:00:02Z"))
(log,) = [value for number, value in fields(reply)]
rows = [dict(fields(value)) for number, value in fields(log)]
print([text_of(dict(fields(row[2]))[2]) for row in rows])
"""
    trial = one_trial(script, tmp_path)
    assert (tmp_path / "logs" / f"{trial.name}.log").read_text() == "['3']\n"
    assert trial.metrics["loss"][:3] == ("1", "3", "3")


def test_a_trial_that_pushes_nothing_is_unavailable(tmp_path):
    pytest.importorskip("grpc")
    trial = one_trial("print('loss=1')", tmp_path)
    assert trial.state == "MetricsUnavailable"
    assert "'loss' was never pushed" in trial.message


def test_bytes_that_are_no_message_are_refused_and_the_run_goes_on(tmp_path):
    pytest.importorskip("grpc")
    script = f"""{CLIENT}
try:
    call("ReportObservationLog", b"\\xff")
except grpc.RpcError as error:
    print(error.code().name)
push("loss", "1", "2026-01-01T00:00:01Z")
"""
    trial = one_trial(script, tmp_path)
    assert trial.state == "Succeeded"
    assert "INVALID_ARGUMENT" in (tmp_path / "logs" / f"{trial.name}.log").read_text()


@pytest.mark.skipif(
    "KFTUNE_KATIB_PYTHON" not in os.environ, reason="KFTUNE_KATIB_PYTHON names no Python with kubeflow-katib"
)
def test_katib_s_own_report_metrics_works_unchanged(tmp_path):
    pytest.importorskip("grpc")
    program = os.environ["KFTUNE_KATIB_PYTHON"]
    script = "import kubeflow.katib as katib; katib.report_metrics({'loss': 0.125, 'acc': 1})"
    container = {"command": [program, "-c", script]}
    an_experiment = experiment(
        container, trials=1, metricsCollectorSpec=PUSH, objective={"additionalMetricNames": ["acc"]}
    )
    run(an_experiment, tmp_path)
    (trial,) = trials_in(tmp_path)
    assert trial.state == "Succeeded", trial.message
    assert {name: values.latest for name, values in trial.metrics.items()} == {"loss": "0.125", "acc": "1"}


def test_the_trial_s_start_up_hides_no_sitecustomize_of_the_user(tmp_path):
    pytest.importorskip("grpc")
    (tmp_path / "sitecustomize.py").write_text("print('mine')")
    shim = ROOT / "src/kftune/local/experiment/for_trials"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{shim}:{tmp_path}",
        "KATIB_DB_MANAGER_ADDRESS": "x",
        "KATIB_NAMESPACE": "y",
    }
    done = subprocess.run([sys.executable, "-c", ""], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("mine\n", "")


def test_the_wire_format_is_protobuf_s():
    assert delimited(1, "a" * 200)[:3] == b"\x0a\xc8\x01"


def test_a_trial_that_pushes_without_end_is_refused_and_what_it_reported_before_counts(tmp_path, monkeypatch):
    pytest.importorskip("grpc")
    monkeypatch.setattr("kftune.local.experiment.push._MOST_BYTES", 1000)
    script = f"""{CLIENT}
try:
    for number in range(100):
        push("loss", str(1 / (1 + number)), f"2026-01-01T00:00:{{number:02}}Z")
except grpc.RpcError as error:
    print(number, error.code().name, error.details())
"""
    trial = one_trial(script, tmp_path)
    log = (tmp_path / "logs" / f"{trial.name}.log").read_text()
    assert "RESOURCE_EXHAUSTED all pushed metrics may take" in log
    assert trial.metrics["loss"].count == int(log.partition(" RESOURCE")[0].rpartition("\n")[2])


def test_what_a_trial_has_pushed_is_forgotten_when_it_has_ended(tmp_path, monkeypatch):
    pytest.importorskip("grpc")
    monkeypatch.setattr("kftune.local.experiment.push._MOST_BYTES", 1000)
    script = f"{CLIENT}\nfor number in range(5):\n    push('loss', '0.5', f'2026-01-01T00:00:0{{number}}Z')\n"
    options: dict[str, Any] = {"trials": 4, "parallelTrialCount": 1, "metricsCollectorSpec": PUSH}
    run(experiment(python(script), **options), tmp_path)
    assert [trial.state for trial in trials_in(tmp_path)] == ["Succeeded"] * 4
