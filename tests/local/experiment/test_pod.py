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


@pytest.mark.parametrize("field", ["parallelism", "completions"])
def test_a_job_of_several_pods_does_not_run(field):
    with pytest.raises(RunError, match=rf"spec.{field} make 2; set them to 1"):
        pod_of(job(**{field: 2}), "main")
