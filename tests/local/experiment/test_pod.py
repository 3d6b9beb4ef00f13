"""What a trial's object asks to be run, and how paths of its container become paths here."""

from __future__ import annotations

from typing import Any

import pytest

from kftune.errors import RunError
from kftune.local.experiment.pod import moved, pod_of

PLACES = {"/katib": "/runs/1/files/katib", "/katib/deep": "/runs/1/deep", "/data": "/home/me/my data"}
ABOVE = {"/logs": "/runs/1/files/logs"}


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("/katib", "/runs/1/files/katib"),
        ("--log=/katib/m.json", "--log=/runs/1/files/katib/m.json"),
        ("--log=/katib/deep/m.json", "--log=/runs/1/deep/m.json"),
        ("cp /data/a /katib; ls /katib/", "cp /home/me/my data/a /runs/1/files/katib; ls /runs/1/files/katib/"),
        ("1>/katib/metrics.log", "1>/runs/1/files/katib/metrics.log"),
        ("/katib2 /katib-x /katib.log", "/katib2 /katib-x /katib.log"),
        ("/opt/katib/x", "/opt/katib/x"),
        (
            "--logs=/logs --same=/logs/ --other=/logs/x /logs2",
            "--logs=/runs/1/files/logs --same=/runs/1/files/logs/ --other=/logs/x /logs2",
        ),
    ],
)
def test_paths_are_replaced_as_whole_paths_only(text, here):
    assert moved(PLACES, ABOVE)(text) == here


def test_without_places_nothing_is_replaced():
    assert moved({}, {})("/katib") == "/katib"


def job(**parts: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "x:1", "command": ["a"], **parts.pop("container", {})}
    pod = {"containers": [{"name": "side"}, container], "initContainers": [{"name": "first"}], **parts.pop("pod", {})}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": pod}, **parts}}


def test_the_primary_container_counts_and_the_others_are_told():
    pod = pod_of(job(), "main")
    assert (pod.container, pod.command, pod.others, pod.retries) == ("main", ("a",), ("first", "side"), 6)


def test_the_shorter_of_two_deadlines_counts():
    assert pod_of(job(activeDeadlineSeconds=9, pod={"activeDeadlineSeconds": 5}), "main").deadline == 5
    assert pod_of(job(), "main").deadline is None


@pytest.mark.parametrize(
    ("limits", "gpus"),
    [
        ({"nvidia.com/gpu": "2"}, 2),
        ({"amd.com/gpu": 1, "cpu": "4"}, 1),
        ({"nvidia.com/mig-1g.5gb": 1}, 1),
        ({"memory": "4Gi"}, 0),
    ],
)
def test_accelerators_are_counted(limits, gpus):
    assert pod_of(job(container={"resources": {"limits": limits}}), "main").gpus == gpus


def test_user_and_read_only_come_from_the_security_context():
    pod = pod_of(
        job(
            pod={"securityContext": {"runAsUser": 5, "runAsGroup": 6}},
            container={"securityContext": {"runAsUser": 7, "readOnlyRootFilesystem": True}},
        ),
        "main",
    )
    assert (pod.user, pod.read_only) == ((7, 6), True)
    assert pod_of(job(), "main").user is None


def test_a_container_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(RunError, match="primaryContainerName is 'other', but the trial's containers are: side, main"):
        pod_of(job(), "other")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({}, ""),
        ({"parallelism": 1, "completions": 1}, ""),
        ({"completions": None}, ""),
        ({"parallelism": 2}, "parallelism 2"),
        ({"parallelism": 1, "completions": 3}, "parallelism 1, completions 3"),
    ],
)
def test_one_pod_of_a_job_runs(parts, told):
    assert pod_of(job(**parts), "main").replicas == told


@pytest.mark.parametrize("field", ["parallelism", "completions"])
def test_a_job_without_a_pod_does_not_run(field):
    with pytest.raises(RunError, match=r"a trial needs a pod, but spec\.parallelism or spec\.completions is 0"):
        pod_of(job(**{field: 0}), "main")


def replicas(**counts: Any) -> dict[str, Any]:
    """Returns a PyTorchJob whose replicas run commands of their own name."""
    specs = {
        name: {"replicas": count, "template": {"spec": {"containers": [{"name": "main", "command": [name]}]}}}
        for name, count in counts.items()
    }
    return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": specs}}


@pytest.mark.parametrize(
    ("counts", "labels", "chosen", "told"),
    [
        ({"Master": 1}, {}, "Master", ""),
        ({"Worker": None}, {}, "Worker", ""),
        ({"Worker": 2, "Master": 1}, {}, "Master", "Worker 2, Master 1 (Master runs here)"),
        ({"Worker": 2, "Master": 0}, {}, "Worker", "Worker 2 (Worker runs here)"),
        ({"PS": 1, "Worker": 1}, {}, "Worker", "PS 1, Worker 1 (Worker runs here)"),
        (
            {"Master": 1, "Worker": 3},
            {"training.kubeflow.org/replica-type": "worker"},
            "Worker",
            "Master 1, Worker 3 (Worker runs here)",
        ),
        ({"Master": 1, "Worker": 3}, {"training.kubeflow.org/job-role": "master"}, "Master", None),
    ],
)
def test_of_several_replicas_the_one_that_reports_metrics_runs(counts, labels, chosen, told):
    pod = pod_of(replicas(**counts), "main", labels)
    assert pod.command == (chosen,)
    assert told in (None, pod.replicas)


@pytest.mark.parametrize("word", ["torchrun --nnodes=3 --nproc_per_node=1 t.py", "torchrun --nnodes 1:3 t.py"])
def test_torchrun_does_not_wait_for_nodes_that_do_not_run_here(word):
    trainer = {"numNodes": 3, "command": ["sh", "-c"], "args": [word]}
    trial = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": {"trainer": trainer}}
    (script,) = pod_of(trial, "node").args
    assert script in ("torchrun --nnodes=1 --nproc_per_node=1 t.py", "torchrun --nnodes 1 t.py")
