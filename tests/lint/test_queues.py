"""Findings about Kueue, Volcano and KAI."""

from __future__ import annotations

from typing import Any

import pytest
from lint_examples import EXAMPLE

from kftune import yaml_text
from kftune.katib.admission.cluster import Cluster
from kftune.lint.experiment import check_experiment
from kftune.lint.sources import SourceText, documents

KUEUE = "kueue.x-k8s.io/"
QUEUE = {f"{KUEUE}queue-name": "gpus"}


def found(
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    *,
    job: dict[str, object] | None = None,
    pod_labels: dict[str, str] | None = None,
    pod_annotations: dict[str, str] | None = None,
    pod: dict[str, object] | None = None,
) -> list[tuple[str, str]]:
    """Returns codes and places of findings about the queues of a Job."""
    experiment: Any = yaml_text.load(EXAMPLE)
    trial = experiment["spec"]["trialTemplate"]["trialSpec"]
    trial["metadata"] = filled(labels=labels, annotations=annotations)
    trial["spec"] |= job or {}
    template = trial["spec"]["template"]
    template["metadata"] |= filled(labels=pod_labels)
    template["metadata"]["annotations"] |= pod_annotations or {}
    template["spec"] |= pod or {}
    return findings(experiment)


def filled(**given: dict[str, str] | None) -> dict[str, dict[str, str]]:
    """Returns what is not empty: Katib refuses empty fields."""
    return {name: value for name, value in given.items() if value}


def findings(experiment: object) -> list[tuple[str, str]]:
    (document,) = documents(SourceText("x.yaml", yaml_text.dump(experiment), named=True))
    reported = check_experiment(document, Cluster(), "0.19").findings
    return [(each.code, str(each.path[-1])) for each in reported if each.code in ("KT281", "KT309")]


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        ({f"{KUEUE}queue-name": "GPU_s"}, "queue-name"),
        ({f"{KUEUE}queue-name": ""}, "queue-name"),
        ({**QUEUE, f"{KUEUE}max-exec-time-seconds": "1h"}, "max-exec-time-seconds"),
        ({**QUEUE, f"{KUEUE}max-exec-time-seconds": "0"}, "max-exec-time-seconds"),
        ({**QUEUE, f"{KUEUE}prebuilt-workload-name": "one"}, "prebuilt-workload-name"),
    ],
)
def test_a_label_that_kueue_rejects_is_reported(labels: dict[str, str], place: str):
    assert found(labels) == [("KT281", KUEUE + place)]


@pytest.mark.parametrize(
    "labels",
    [
        QUEUE,
        {**QUEUE, f"{KUEUE}priority-class": "research"},
        {**QUEUE, f"{KUEUE}max-exec-time-seconds": "3600"},
        {f"{KUEUE}queue-name": "${trialParameters.lr}"},
    ],
)
def test_a_job_with_a_queue_passes(labels: dict[str, str]):
    assert found(labels) == []
    assert found(labels, job={"suspend": True}) == []


@pytest.mark.parametrize(
    ("annotations", "job", "reported"),
    [
        ({f"{KUEUE}job-min-parallelism": "1"}, {}, True),
        ({f"{KUEUE}job-min-parallelism": "1"}, {"parallelism": 2}, False),
        ({f"{KUEUE}job-min-parallelism": "some"}, {"parallelism": 2}, True),
        ({f"{KUEUE}job-completions-equal-parallelism": "true"}, {}, True),
        (
            {f"{KUEUE}job-completions-equal-parallelism": "true"},
            {"completionMode": "Indexed", "completions": 2, "parallelism": 2},
            False,
        ),
    ],
)
def test_counts_of_pods_fit_the_job(annotations: dict[str, str], job: dict[str, object], reported: bool):
    assert [code for code, _ in found(QUEUE, annotations, job=job)] == ["KT281"] * reported


def test_a_suspended_job_without_a_queue_never_starts():
    assert found(job={"suspend": True}) == [("KT281", "suspend")]
    assert found(job={"suspend": False}) == []


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("PyTorchJob", {"runPolicy": {"suspend": True}, "pytorchReplicaSpecs": {}}),
        ("TrainJob", {"suspend": True, "runtimeRef": {"name": "torch-distributed"}}),
    ],
)
def test_the_other_kinds_are_suspended_elsewhere(kind: str, spec: dict[str, object]):
    experiment: Any = yaml_text.load(EXAMPLE)
    template = experiment["spec"]["trialTemplate"]
    pod = template["trialSpec"]["spec"]["template"]
    pod["spec"]["containers"][0]["name"] = template["primaryContainerName"] = "pytorch"
    versions = {"PyTorchJob": "kubeflow.org/v1", "TrainJob": "trainer.kubeflow.org/v1alpha1"}
    trainer = {"args": pod["spec"]["containers"][0]["args"]}
    parts = {"PyTorchJob": {"pytorchReplicaSpecs": {"Master": {"template": pod}}}, "TrainJob": {"trainer": trainer}}
    template["trialSpec"] = {"apiVersion": versions[kind], "kind": kind, "spec": {**spec, **parts[kind]}}
    assert findings(experiment) == [("KT281", "suspend")]
    template["trialSpec"]["metadata"] = {"labels": QUEUE}
    assert findings(experiment) == []


def test_a_pod_is_spread_over_one_kind_of_topology():
    topologies = {f"{KUEUE}podset-{kind}-topology": "rack" for kind in ("required", "preferred")}
    assert found(QUEUE, pod_annotations=topologies) == [("KT281", f"{KUEUE}podset-preferred-topology")]


def test_labels_of_the_pods_do_not_queue_the_job():
    assert found(pod_labels=QUEUE) == [("KT309", f"{KUEUE}queue-name")]
    assert found(QUEUE, pod_labels=QUEUE) == []


def test_an_annotation_is_no_label():
    assert found(annotations=QUEUE) == [("KT309", f"{KUEUE}queue-name")]


def test_a_priority_counts_in_a_queue_only():
    assert found({f"{KUEUE}priority-class": "research"}) == [("KT309", f"{KUEUE}priority-class")]


def test_what_kueue_writes_itself_is_left_to_it():
    assert found(QUEUE, pod_labels={f"{KUEUE}managed": "true"}) == [("KT309", f"{KUEUE}managed")]


def test_a_container_without_requests_uses_nothing_of_the_quota():
    experiment: Any = yaml_text.load(EXAMPLE)
    containers = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    del containers[0]["resources"]
    assert found(QUEUE, pod={"containers": containers}) == [("KT309", "0")]
    assert found(pod={"containers": containers}) == []


@pytest.mark.parametrize("scheduler", [None, "default-scheduler", "volcano"])
def test_volcanos_queue_needs_its_scheduler(scheduler: str | None):
    pod: dict[str, object] = {} if scheduler is None else {"schedulerName": scheduler}
    key = "scheduling.volcano.sh/queue-name"
    assert found(pod_annotations={key: "a"}, pod=pod) == [("KT309", key)] * (scheduler != "volcano")


def test_kais_queue_needs_its_scheduler():
    assert found(pod_labels={"kai.scheduler/queue": "a"}) == [("KT309", "kai.scheduler/queue")]
    assert found(pod_labels={"kai.scheduler/queue": "a"}, pod={"schedulerName": "kai-scheduler"}) == []
