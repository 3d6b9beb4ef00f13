"""The launcher of a step on several nodes, as a real process with the real Kubernetes client against a small server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes_server import Server, serving
from pipeline_examples import pipeline, step

from kftune.launcher.launch import name_in_run
from kftune.pipeline import EXECUTOR_OUTPUT
from kftune.render.command import quoted
from kftune.render.jobs import job_of

RUN = "run-1.train"
NOTE = "it's $HOME and no @kftune:loss@"
PLURALS = {"PyTorchJob": "pytorchjobs", "TrainJob": "trainjobs"}
LABELS = {"PyTorchJob": "training.kubeflow.org/job-name", "TrainJob": "jobset.sigs.k8s.io/jobset-name"}
ENDS = {"PyTorchJob": "Succeeded", "TrainJob": "Complete"}
KINDS = list(PLURALS)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    with serving(tmp_path) as (server, config):
        yield server, config


class Case:
    """One step on two nodes, with its folders."""

    def __init__(self, folder: Path, kind: str = "PyTorchJob") -> None:
        self.share, self.outputs, self.data = folder / "share", folder / "outputs", folder / "data"
        self.share.mkdir()
        self.data.mkdir()
        (self.data / "x.csv").write_text("1,2")
        train = step(
            "train",
            image="registry.example/train:1",
            inputs={"data": "${steps.data.outputs.data}", "note": "${parameters.note}"},
            outputs={"model": "model", "metrics": "metrics", "loss": "float"},
            resources={"nodes": 2},
            job={"kind": kind, "launcher": "registry.example/launcher:1"},
            volumes=[{"name": "shared", "claim": "shared", "mount": str(self.share)}],
            share="shared",
        )
        made = pipeline({"data": step("data"), "train": train}, parameters={"note": "x"})
        self.kind, self.launching = kind, job_of(made.node("train"), "toy")
        self.name = name_in_run(self.launching.object["metadata"]["name"], RUN)
        self.key = PLURALS[kind], self.name
        self.written = self.share / "kftune" / "outputs" / self.name

    def command(self, *more: str) -> list[str]:
        values = {name: str(self.outputs / name) for name in self.launching.outputs}
        values |= {"data": str(self.data), "note": NOTE}
        return [sys.executable, *self.launching.command(self.launching.text, RUN, values)[1:], "--poll=0.05", *more]

    def write(self, *names: str) -> None:
        """Writes what rank 0 writes."""
        for name in names:
            (self.written / name).write_text("0.5")

    def end(self, server: Server, condition: str, message: str = "m") -> None:
        state = {"type": condition, "status": "True", "reason": f"Because{condition}", "message": message}
        server.objects[self.key]["status"] = {
            "conditions": [{"type": "Created", "status": "True"}, state],
            "replicaStatuses": {"Master": {"succeeded": 1}, "Worker": {"failed": 1}},
        }

    def pod(self, server: Server, code: int, **status: Any) -> None:
        """Adds an ended pod of the job, with its log."""
        container = {"PyTorchJob": "pytorch", "TrainJob": "node"}[self.kind]
        about = {"name": container, "image": "x", "imageID": "", "ready": False, "restartCount": 0}
        server.objects["pods", "worker-0"] = {
            "metadata": {"name": "worker-0", "labels": {LABELS[self.kind]: self.name}},
            "spec": {"containers": [{"name": container, "image": "x"}]},
            "status": {
                "phase": "Failed",
                "containerStatuses": [about | {"state": {"terminated": {"exitCode": code, "reason": "Error"}}}],
                **status,
            },
        }
        server.logs["worker-0"] = b"epoch 1\nno such layer: conv9\n"

    def once_created(self, change: Callable[[Server], None]) -> Callable[[Server], None]:
        return lambda server: change(server) if self.key in server.objects else None

    def succeed(self, server: Server) -> None:
        self.write("model", "metrics", "loss", EXECUTOR_OUTPUT)
        self.end(server, ENDS[self.kind])

    def succeed_anew(self, before: dict[str, Any]) -> Callable[[Server], None]:
        def change(server: Server) -> None:
            if server.objects[self.key] is not before:
                self.succeed(server)

        return change


def launch(config: Path, line: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(config)}
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("kind", KINDS)
def test_it_creates_the_job_with_the_values_of_the_run_and_takes_what_rank_0_writes(cluster, tmp_path, kind):
    server, config = cluster
    case = Case(tmp_path, kind)
    server.on_read = case.once_created(case.succeed)
    run = launch(config, case.command())
    assert run.returncode == 0, run.stdout + run.stderr
    assert {path.name for path in case.outputs.iterdir()} == {"model", "metrics", "loss", EXECUTOR_OUTPUT}
    assert (case.outputs / "loss").read_text() == "0.5"
    made = json.dumps(server.objects[case.key])
    assert json.dumps(f"--note={quoted(NOTE)}")[1:-1] in made
    assert f"--loss={case.written}/loss" in made
    assert f"--data={case.share}/kftune/data/" in made
    assert f"created {kind} team-a/{case.name}" in run.stdout
    assert "succeeded: pods: 1 succeeded, 1 failed" in run.stdout


def test_after_a_success_nothing_is_left_on_the_volume_and_the_job_stays_for_its_logs(cluster, tmp_path):
    server, config = cluster
    case = Case(tmp_path)
    server.on_read = case.once_created(case.succeed)
    assert launch(config, case.command()).returncode == 0
    assert [path for path in case.share.rglob("*") if path.is_file()] == []
    assert not case.written.exists()
    assert case.key in server.objects


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_job_is_explained_by_the_pod_that_failed(cluster, tmp_path, kind):
    server, config = cluster
    case = Case(tmp_path, kind)

    def fail(server: Server) -> None:
        case.pod(server, 3)
        case.end(server, "Failed", "backoff limit")

    server.on_read = case.once_created(fail)
    run = launch(config, case.command())
    assert run.returncode == 1
    assert f"the {kind} has failed: BecauseFailed: backoff limit\n  pod worker-0: exit code 3\n" in run.stdout
    assert run.stdout.rstrip().endswith("no such layer: conv9")


def test_a_pod_that_fails_is_told_while_the_job_continues(cluster, tmp_path):
    server, config = cluster
    case = Case(tmp_path)
    server.on_read = case.once_created(lambda server: case.pod(server, 3))
    line = subprocess.Popen(
        case.command(), env={**os.environ, "KUBECONFIG": str(config)}, stdout=subprocess.PIPE, text=True
    )
    assert line.stdout is not None
    told = [line.stdout.readline().strip() for _ in range(4)]
    line.kill()
    line.wait()
    line.stdout.close()
    assert "a pod has failed" in told
    assert "pod worker-0: exit code 3" in told


def test_a_lost_node_ends_the_step_as_a_lost_pod_does(cluster, tmp_path):
    server, config = cluster
    case = Case(tmp_path)

    def lose(server: Server) -> None:
        case.pod(server, 137, conditions=[{"type": "DisruptionTarget", "status": "True"}])
        case.end(server, "Failed")

    server.on_read = case.once_created(lose)
    assert launch(config, case.command()).returncode == 143


def test_asked_to_stop_it_deletes_the_job_and_what_is_on_the_volume(cluster, tmp_path):
    server, config = cluster
    case = Case(tmp_path)
    process = subprocess.Popen(
        case.command(), env={**os.environ, "KUBECONFIG": str(config)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=30)[0]
    assert process.returncode == 143
    assert f"deleted PyTorchJob {case.name}" in rest
    assert case.key not in server.objects
    assert not case.written.exists()


def test_a_second_try_attaches_to_a_job_that_runs(cluster, tmp_path):
    server, config = cluster
    case = Case(tmp_path)
    first = subprocess.Popen(
        case.command(), env={**os.environ, "KUBECONFIG": str(config)}, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    first.stdout.readline()
    first.kill()
    first.wait()
    first.stdout.close()
    case.write("model")
    server.on_read = case.succeed
    run = launch(config, case.command())
    assert run.returncode == 0, run.stdout
    assert f"attached to PyTorchJob team-a/{case.name}" in run.stdout
    assert [request for request in server.requests if request.startswith("POST")] == [
        "POST /apis/kubeflow.org/v1/namespaces/team-a/pytorchjobs"
    ]


@pytest.mark.parametrize("ended", ["Failed", "Succeeded"])
def test_a_second_try_trains_again_when_the_job_failed_or_its_outputs_are_gone(cluster, tmp_path, ended):
    server, config = cluster
    case = Case(tmp_path)

    server.on_read = case.once_created(lambda server: case.end(server, ended))
    launch(config, case.command())
    server.on_read = case.once_created(case.succeed_anew(server.objects[case.key]))
    run = launch(config, case.command())
    assert run.returncode == 0, run.stdout
    assert f"of an earlier try has {ended.lower()}" in run.stdout
    assert "it is deleted, and made again" in run.stdout


def test_an_output_that_rank_0_did_not_write_is_an_error_that_names_it(cluster, tmp_path):
    server, config = cluster
    case = Case(tmp_path)

    def succeed(server: Server) -> None:
        case.write("model", "metrics")
        case.end(server, "Succeeded")

    server.on_read = case.once_created(succeed)
    run = launch(config, case.command())
    assert run.returncode == 1
    assert "nothing wrote its output loss; the process of rank 0 has to write it" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_a_cluster_without_the_kind_is_named(cluster, tmp_path):
    server, config = cluster
    server.failures = [404, 404]
    run = launch(config, Case(tmp_path).command())
    assert run.returncode == 1
    assert "cannot create the PyTorchJob" in run.stdout
    assert "install what provides the kind" in run.stdout


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--experiment={}"], "not allowed with argument --job"),
        (["--best={}"], "--best belongs to --experiment"),
        (["--job=nonsense.json"], "nonsense.json"),
    ],
)
def test_a_wrong_command_line_is_one_line_of_text(cluster, tmp_path, more, told):
    run = launch(cluster[1], [*Case(tmp_path).command(), *more])
    assert run.returncode in (1, 2)
    assert told in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_without_a_shared_volume_outputs_cannot_be_taken(cluster, tmp_path):
    case = Case(tmp_path)
    line = [token for token in case.command() if not token.startswith("--share=")]
    run = launch(cluster[1], line)
    assert run.returncode == 2
    assert "give --share" in run.stdout
