"""Pods with many settings on a cluster: what they need is made, they run on Katib and Argo, and tell what they see."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cluster_run import TRAIN, apply_command, kubectl, own_namespace, read_object, said, wait_until
from e2e_argo import artifact_secret
from e2e_studies import COLLECTOR, given_in
from places import DATA

from kftune import yaml_text
from kftune.pipeline import load_pipeline
from kftune.render import render, render_pipeline
from kftune.study import load_study

FOLDER = DATA / "e2e_pods"
LOOK = (FOLDER / "look.py").read_text(encoding="utf-8")
SECONDS = 240
_NAME = "e2e-pods"  # what the files call every object that the pods need
_IMAGE = "registry.example/e2e/train:1"
_VOLUMES = 6
_KINDS = ("requests", "limits")
_ENDED = ("Succeeded", "Failed", "Error")
_NODES = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}

TRAINJOB_LACKS = (
    "priority_class",
    "runtime_class",
    "scheduler",
    "topology_spread",
    "image_pull_policy",
    "working_dir",
    "container.lifecycle",
    "pod.hostAliases",
    "pod.enableServiceLinks",
)
FULL = {
    "Job": (),
    "PyTorchJob": ("targets.katib.trial_kind=PyTorchJob",),
    "TrainJob": ("targets.katib.trial_kind=TrainJob", *(f"~step.{name}" for name in TRAINJOB_LACKS)),
}
"""Kind of trial -> what differs from the study with every setting."""


class Place(NamedTuple):
    """Where the pods run; all that they need has the name of the namespace."""

    namespace: str
    folder: Path
    """The files, with that name in them."""


class Seen(NamedTuple):
    """A pod that has ended."""

    ended: str
    """How the trial or the run ended."""
    look: dict[str, Any] | None
    """What the script saw."""
    pod: dict[str, Any]


@contextmanager
def prepared(folder: Path) -> Iterator[Place]:
    """Makes a namespace with all that the pods need, and removes it with what is outside of it.

    Args:
        folder: An empty folder.
    """
    with own_namespace("pods") as name:
        shared = [*_shared(name)]
        try:
            kubectl(apply_command(dry_run=False), yaml_text.dump_all([*shared, *_own(name)]))
            _on_node(name, "make", f"mkdir -p {' '.join(f'/node/{name}/{number}' for number in range(_VOLUMES))}")
            yield _place(name, folder)
            _on_node(name, "remove", f"rm -r /node/{name}")
        finally:
            kubectl(["kubectl", "delete", "-f", "-", "--wait=false", "--ignore-not-found"], yaml_text.dump_all(shared))


@contextmanager
def strict_place(folder: Path) -> Iterator[Place]:
    """Makes a namespace that enforces the Pod Security Standard baseline and has a quota, and removes it at the end.

    Args:
        folder: An empty folder.
    """
    with own_namespace("strict") as name:
        rule = "pod-security.kubernetes.io/enforce=baseline"
        kubectl(["kubectl", "label", "namespace", name, rule])
        hard = {f"{kind}.{what}": "16" if what == "cpu" else "16Gi" for kind in _KINDS for what in ("cpu", "memory")}
        metadata = {"name": name, "namespace": name}
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}
        objects = [one for one in _own(name) if one["kind"] != "PersistentVolumeClaim"]
        kubectl(apply_command(dry_run=False), yaml_text.dump_all([quota, *objects]))
        yield _place(name, folder)


def _place(name: str, folder: Path) -> Place:
    for file in FOLDER.glob("*.*"):
        text = file.read_text(encoding="utf-8").replace(_NAME, name).replace(_IMAGE, os.environ[TRAIN])
        (folder / file.name).write_text(text, encoding="utf-8")
    return Place(name, folder)


def _shared(name: str) -> Iterator[dict[str, Any]]:
    """Yields what belongs to no namespace: classes, and volumes that belong to root."""
    yield {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 7}
    yield {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "runc"}
    for number in range(_VOLUMES):
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{name}-{number}"},
            "spec": {
                "capacity": {"storage": "1Mi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": name,
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": f"/tmp/{name}/{number}"},  # on the node
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [_NODES]}]}},
            },
        }


def _own(name: str) -> Iterator[dict[str, Any]]:
    """Yields what is in the namespace."""
    metadata = {"name": name, "namespace": name}
    yield {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"secret": "hidden"}}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"note": "noted"}}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    claim = {"storageClassName": name, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    yield {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim}
    yield artifact_secret(name)
    rights = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    group = "rbac.authorization.k8s.io"
    yield {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rights]}
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": name}],
    }


def _on_node(namespace: str, name: str, command: str) -> None:
    """Runs a command as root in a pod that has the node's /tmp at /node."""
    container = {
        "name": "main",
        "image": os.environ[TRAIN],
        "command": ["sh", "-c", command],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "node", "mountPath": "/node"}],
    }
    volumes = [{"name": "node", "hostPath": {"path": "/tmp"}}]  # on the node
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    wait_until("serviceaccounts", namespace, lambda found: len(found["items"]) > 1, SECONDS)
    kubectl(["kubectl", "create", "-f", "-"], yaml_text.dump(pod))
    wait_until(f"pod/{name}", namespace, lambda found: found["status"]["phase"] == "Succeeded", SECONDS)


# -- on Katib ----------------------------------------------------------------------------------------------------------


def experiment(place: Place, file: str, name: str, *changes: str) -> dict[str, Any]:
    """Returns the Experiment of a study.

    Args:
        place: Where it runs.
        file: The study.
        name: The Experiment's name.
        changes: What differs from the study.
    """
    command = f"step.command={json.dumps(['python', '-c', LOOK])}"
    overrides = [f"name={name}", command, f"targets.katib.namespace={place.namespace}", *changes]
    (document,) = render(load_study(place.folder / file, overrides)).documents
    return document


def on_katib(place: Place, document: dict[str, Any]) -> Seen:
    """Runs an Experiment of one trial to its end.

    Args:
        place: Where it runs.
        document: The Experiment.
    """
    kubectl(apply_command(dry_run=False), yaml_text.dump(document))
    name = document["metadata"]["name"]
    ended = wait_until(f"experiment/{name}", place.namespace, _last_condition, SECONDS)
    pod = trial_pod(place, name, bool)
    log = ["kubectl", "logs", pod["metadata"]["name"], f"--namespace={place.namespace}", f"--container={COLLECTOR}"]
    return Seen(str(_last_condition(ended)), given_in(said(log)), pod)


def trial_pod(place: Place, name: str, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Returns the pod of the only trial of an Experiment as soon as a condition holds for it.

    Args:
        place: Where it runs.
        name: The Experiment's name.
        holds: The condition.
    """
    label = f"pods -l katib.kubeflow.org/experiment={name},katib.kubeflow.org/trial"
    found = wait_until(label, place.namespace, lambda pods: pods["items"] and holds(pods["items"][0]), SECONDS)
    pod: dict[str, Any] = found["items"][0]
    return pod


def _last_condition(found: dict[str, Any]) -> str | None:
    conditions = [one["type"] for one in found.get("status", {}).get("conditions", ()) if one["status"] == "True"]
    return conditions[-1] if conditions and conditions[-1] in _ENDED else None


def collector_of(pod: dict[str, Any]) -> dict[str, Any]:
    """Returns the container that Katib adds to a pod."""
    (found,) = (one for one in pod["spec"]["containers"] if one["name"] == COLLECTOR)
    container: dict[str, Any] = found
    return container


# -- on Argo -----------------------------------------------------------------------------------------------------------


def start_on_argo(place: Place, name: str, settings: dict[str, Any]) -> None:
    """Starts a pipeline of one step.

    Args:
        place: Where it runs.
        name: The pipeline's name.
        settings: The settings of the step.
    """
    given = {"service_account": place.namespace, **settings}
    step = {**given, "kind": "container", "command": ["python", "-c", LOOK]}
    target = {"version": "4.0", "namespace": place.namespace}
    content = {"name": name, "steps": {"look": step}, "targets": {"argo": target}}
    file = place.folder / f"{name}.pipeline.yaml"
    file.write_text(yaml_text.dump(content), encoding="utf-8")
    documents = render_pipeline(load_pipeline(file), "argo").documents
    metadata = {"name": name, "namespace": place.namespace}
    run = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata}
    run |= {"spec": {"workflowTemplateRef": {"name": name}}}
    kubectl(apply_command(dry_run=False), yaml_text.dump_all([*documents, run]))


def on_argo(place: Place, name: str, settings: dict[str, Any]) -> Seen:
    """Runs a pipeline of one step to its end.

    Args:
        place: Where it runs.
        name: The pipeline's name.
        settings: The settings of the step.
    """
    start_on_argo(place, name, settings)
    ended = wait_until(f"workflow/{name}", place.namespace, _phase_at_end, SECONDS)
    label = f"pods -l workflows.argoproj.io/workflow={name}"
    (pod,) = read_object(label, place.namespace)["items"]
    log = ["kubectl", "logs", pod["metadata"]["name"], f"--namespace={place.namespace}", "--container=main"]
    return Seen(str(_phase_at_end(ended)), given_in(said(log)), pod)


def _phase_at_end(found: dict[str, Any]) -> str | None:
    phase = found.get("status", {}).get("phase")
    return phase if phase in _ENDED else None


def settings_of(place: Place, file: str) -> dict[str, Any]:
    """Returns the settings of a study's step, for the step of a pipeline."""
    content: Any = yaml_text.load_file(place.folder / file)
    return {name: value for name, value in content["step"].items() if name != "command"}
