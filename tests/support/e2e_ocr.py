"""The OCR study, made short for a node of two cores, and a volume with torch for its trials."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cluster_run import (
    PACKAGES,
    TORCH,
    TRAIN,
    apply_command,
    kubectl,
    missing_for_a_run,
    own_namespace,
    read_object,
    true_conditions,
    wait_until,
)
from places import ROOT

STUDY = ROOT / "pipelines" / "ocr" / "study.yaml"
SECONDS = 1500
_VOLUME = "packages"
_MOUNT = "/packages"
# Small requests, so that two trials fit beside Katib. The limit of memory has room for torch with CUDA's libraries.
_SHORT = (
    "~stopping",
    "values.num_epochs=2",
    'step.resources={cpu: 250m, cpu_limit: "1", memory: 768Mi, memory_limit: 2Gi}',
    "step.env={KFTUNE_OUTPUT_DIR: /tmp/output, OMP_NUM_THREADS: 1}",
    "targets.katib.retain=true",
)


class Place(NamedTuple):
    """Where the trials of a test run."""

    namespace: str
    changes: tuple[str, ...]
    """What the study needs there: the image, and where torch is."""


def missing_for_torch(environment: Mapping[str, str]) -> str | None:
    """Returns why no trial can import torch on the cluster; None if one can.

    Args:
        environment: The environment variables.
    """
    if environment.get(TORCH):
        return missing_for_a_run(environment, TORCH)
    if lacking := missing_for_a_run(environment, TRAIN):
        return lacking
    if not (Path(environment.get(PACKAGES, "")) / "torch").is_dir():
        return (
            f"{TORCH} names no image with torch, and {PACKAGES} no folder of the node in which torch is: "
            f"`make cluster` sets it, but not with KIND=1"
        )
    return None


@contextmanager
def place_with_torch(environment: Mapping[str, str]) -> Iterator[Place]:
    """Makes a namespace whose trials can import torch, and deletes it at the end.

    Without an image that has torch, they read the packages of the environment that runs the tests, from a volume.

    Args:
        environment: The environment variables.
    """
    with own_namespace("ocr") as namespace:
        if environment.get(TORCH):
            yield Place(namespace, (f"step.image={environment[TORCH]}",))
            return
        mounted = {"name": _VOLUME, "claim": _VOLUME, "mount": _MOUNT, "read_only": True}
        image = f"step.image={environment[TRAIN]}"
        try:
            kubectl(apply_command(dry_run=False), json.dumps(_volume(namespace, environment[PACKAGES])))
            yield Place(namespace, (image, f"step.env.PYTHONPATH={_MOUNT}", f"step.volumes={json.dumps([mounted])}"))
        finally:
            kubectl(["kubectl", "delete", "persistentvolume", namespace, "--ignore-not-found", "--wait=false"])


def run_study(place: Place, name: str, *changes: str) -> Any:
    """Renders the study with ``kftune render``, applies it, and returns the Experiment once it has ended.

    Args:
        place: Where it runs.
        name: The name of the Experiment.
        changes: Further changes of the study.

    Raises:
        AssertionError: The render fails, or the Experiment does not end in time.
    """
    set_here = (f"name={name}", f"targets.katib.namespace={place.namespace}", *_SHORT, *place.changes, *changes)
    render = [sys.executable, "-m", "kftune", "render", str(STUDY), *set_here]
    done = subprocess.run(render, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kubectl(apply_command(dry_run=False), done.stdout)
    return wait_until(f"experiment/{name}", place.namespace, _has_ended, SECONDS)


def trials_of(place: Place, name: str) -> list[Any]:
    """Returns the trials of an Experiment.

    Args:
        place: Where they are.
        name: The name of the Experiment.
    """
    found: list[Any] = read_object(f"trials -l katib.kubeflow.org/experiment={name}", place.namespace)["items"]
    return found


def _has_ended(experiment: Any) -> bool:
    return not {"Succeeded", "Failed"}.isdisjoint(true_conditions(experiment))


def _volume(namespace: str, folder: str) -> dict[str, object]:
    """Returns a volume that is a folder of the node, and the claim of the namespace on it. Pods may not write there."""
    shared = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    size = {"storage": "1Mi"}  # must be given, and limits nothing
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": namespace},
        "spec": {
            **shared,
            "capacity": size,
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": _VOLUME},
            "hostPath": {"path": folder, "type": "Directory"},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": _VOLUME, "namespace": namespace},
        "spec": {**shared, "volumeName": namespace, "resources": {"requests": size}},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [volume, claim]}
