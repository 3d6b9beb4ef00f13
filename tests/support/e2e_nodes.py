"""A pipeline with a step on several nodes, as a project, and the volume that its pods share on a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster_run import apply_command, known, kubectl, removed_at_end, unused_name, wait_until
from e2e_argo import Tour, artifact_secret

from kftune import yaml_text

# Stands in for PyTorch's torchrun, with one process on each node: the image has no PyTorch.
_TORCHRUN = """
import os, runpy, sys
while sys.argv[1].startswith("--"):
    del sys.argv[1]
os.environ["RANK"], os.environ["WORLD_SIZE"] = os.environ["PET_NODE_RANK"], os.environ["PET_NNODES"]
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
_TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
for name in ("data", "fail", "model", "loss"):
    parser.add_argument(f"--{name}")
given = parser.parse_args()
rank, data = int(os.environ["RANK"]), pathlib.Path(given.data, "x.txt").read_text()
print(f"rank {rank} of {os.environ['WORLD_SIZE']} has {data}", flush=True)
if str(rank) == given.fail:
    raise SystemExit(f"no such layer in rank {rank}")
if rank == 0:
    pathlib.Path(given.model).mkdir()
    pathlib.Path(given.model, "weights.txt").write_text(f"weights of {data}")
    pathlib.Path(given.loss).write_text("0.25")
"""
_DATA = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1].partition("=")[2])
folder.mkdir()
(folder / "x.txt").write_text("a $b")
"""
_EVALUATE = """
import pathlib, sys
given = dict(each[2:].split("=", 1) for each in sys.argv[1:])
text = pathlib.Path(given["model"], "weights.txt").read_text()
pathlib.Path(given["seen"]).write_text(f"{text} {given['loss']}")
"""


def write_project(folder: Path, namespace: str, image: str, kind: str) -> Path:
    """Writes the project.

    Args:
        folder: An empty folder.
        namespace: The namespace of all objects.
        image: An image with Python and kftune.
        kind: The kind of the step's job.
    """
    project = folder / "tour"
    project.mkdir(parents=True)
    (project / "run.py").write_text(_TORCHRUN, encoding="utf-8")
    (project / "train.py").write_text(_TRAIN, encoding="utf-8")
    shared = {"name": "shared", "claim": "shared", "mount": "/shared"}
    steps = {
        "data": {"kind": "data", "command": ["python", "-c", _DATA]},
        "train": {
            "kind": "train",
            "command": ["/usr/local/bin/python", "/program/train.py"],
            "inputs": {"data": "${steps.data.outputs.data}", "fail": "${parameters.fail}"},
            "outputs": {"model": "model", "loss": "float"},
            "env": {"PYTHONPATH": "/stub"},
            "resources": {"nodes": 2},
            "job": {"kind": kind, "launcher": image, "resources": {"cpu": "50m", "memory": "128Mi"}},
            "volumes": [
                shared,
                {"name": "program", "config_map": "program", "mount": "/program"},
                {"name": "torchrun", "config_map": "program", "mount": "/stub/torch/distributed"},
            ],
            "share": "shared",
        },
        "evaluate": {
            "kind": "container",
            "command": ["python", "-c", _EVALUATE],
            "inputs": {"model": "${steps.train.outputs.model}", "loss": "${steps.train.outputs.loss}"},
            "outputs": {"seen": "str"},
        },
    }
    content = {
        "name": "nodes",
        "parameters": {"fail": "none"},
        "defaults": {"image": image, "service_account": "runner", "resources": {"cpu": "50m", "memory": "128Mi"}},
        "steps": steps,
        "targets": {"argo": {"version": "4.0"}},
    }
    (project / "pipeline.yaml").write_text(yaml_text.dump(content), encoding="utf-8")
    settings = {
        "name": "nodes",
        "namespace": namespace,
        "files": ["pipeline.yaml"],
        "targets": ["argo"],
        "claims": {"shared": {"size": "1Mi", "access": ["ReadWriteMany"]}},
        "config_maps": {"program": ["run.py", "train.py"]},
    }
    (project / "project.yaml").write_text(yaml_text.dump(settings), encoding="utf-8")
    return project


def failing_in(rank: str) -> Callable[[dict[str, Any]], None]:
    """Returns a change of a Workflow: the training of one rank fails.

    Args:
        rank: The rank.
    """

    def change(workflow: dict[str, Any]) -> None:
        (parameter,) = workflow["spec"]["arguments"]["parameters"]
        parameter["value"] = rank

    return change


@contextmanager
def applied_nodes(folder: Path, image: str, kind: str) -> Iterator[Tour]:
    """Renders the project and applies it in a namespace of its own, which is deleted at the end.

    Args:
        folder: An empty folder.
        image: An image with Python and kftune.
        kind: The kind of the step's job.
    """
    namespace = unused_name("nodes")
    project = write_project(folder, namespace, image, kind)
    render = [sys.executable, "-m", "kftune", "render", str(project), "--out", str(folder / "out")]
    done = subprocess.run(render, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built: Any = [*yaml_text.load_all(kubectl(["kubectl", "kustomize", str(folder / "out")]))]
    documents = known(built, kubectl(["kubectl", "api-versions"]).split())
    try:
        with removed_at_end(namespace):
            spaces = [document for document in documents if document["kind"] == "Namespace"]
            kubectl(apply_command(dry_run=False), yaml_text.dump_all(spaces))
            kubectl(apply_command(dry_run=False), json.dumps(_volume(namespace)))
            kubectl(apply_command(dry_run=False), yaml_text.dump_all([artifact_secret(namespace), *documents]))
            kubectl(apply_command(dry_run=False), json.dumps(_opening(namespace, image)))
            wait_until("pod/opening", namespace, lambda pod: pod["status"].get("phase") == "Succeeded", 120)
            yield Tour(namespace, folder)
    finally:
        kubectl(["kubectl", "delete", "persistentvolume", namespace, "--ignore-not-found", "--wait=false"])


def _volume(namespace: str) -> dict[str, object]:
    """Returns a volume on the only node for the namespace's claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": namespace},
        "spec": {
            "capacity": {"storage": "1Mi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": "shared"},
            "hostPath": {"path": f"/tmp/{namespace}", "type": "DirectoryOrCreate"},  # on the node
        },
    }


def _opening(namespace: str, image: str) -> dict[str, object]:
    """Returns a pod that lets all users write to the volume."""
    container = {
        "name": "opening",
        "image": image,
        "command": ["chmod", "777", "/shared"],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }
    volume = {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "opening", "namespace": namespace},
        "spec": {"restartPolicy": "Never", "containers": [container], "volumes": [volume]},
    }
