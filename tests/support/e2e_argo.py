"""A small pipeline on a cluster's Argo: rendered as a project, applied, run, and compared with the local run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cluster_run import apply_command, kubectl, read_object, unused_name, wait_until
from places import DATA

from kftune import yaml_text
from kftune.cli import main

SOURCE = DATA / "e2e_argo"
ACCOUNT = "runner"
_ENDED = ("Succeeded", "Failed", "Error")
_PROGRAMS = {"study.yaml": "trial.py", "pipeline.yaml": "step.py"}


class Tour(NamedTuple):
    """The pipeline as files, and where it is on the cluster."""

    namespace: str
    folder: Path

    @property
    def pipeline(self) -> Path:
        return self.folder / "tour" / "pipeline.yaml"

    @property
    def run_file(self) -> Path:
        return self.folder / "out" / "pipeline.argo-run.yaml"


def write_project(folder: Path, namespace: str, images: Mapping[str, str]) -> Path:
    """Writes the project. The steps' scripts become texts in their commands, because the image does not hold them.

    Args:
        folder: An empty folder.
        namespace: The namespace of all objects.
        images: The images of ``train`` and ``launcher``.
    """
    project = folder / "tour"
    project.mkdir(parents=True)
    (project / "tune_hparams.py").write_bytes((SOURCE / "tune_hparams.py").read_bytes())
    for name, script in _PROGRAMS.items():
        text = (SOURCE / name).read_text(encoding="utf-8")
        for image, reference in images.items():
            text = text.replace(f"registry.example/e2e/{image}:1", reference)
        content: Any = yaml_text.load(text)
        program = (SOURCE / script).read_text(encoding="utf-8")
        for step in _with_commands(content):
            step["command"] = ["python", "-c", program, *(word for word in step["command"] if word != "trial")]
        (project / name).write_text(yaml_text.dump(content), encoding="utf-8")
    settings = {"name": "tour", "namespace": namespace, "files": ["pipeline.yaml"]}
    (project / "project.yaml").write_text(yaml_text.dump(settings), encoding="utf-8")
    return project


def _with_commands(content: Any) -> Iterator[dict[str, Any]]:
    steps = [content.get("step"), content.get("exit"), *content.get("steps", {}).values()]
    yield from (step for step in steps if step and "command" in step)


@contextmanager
def applied_tour(folder: Path, images: Mapping[str, str]) -> Iterator[Tour]:
    """Renders the project and applies it in a namespace of its own, which is deleted at the end.

    Args:
        folder: An empty folder.
        images: The images of ``train`` and ``launcher``.
    """
    namespace = unused_name("argo")
    project = write_project(folder, namespace, images)
    assert main(["render", str(project), "--out", str(folder / "out")]) == 0
    built: Any = [*yaml_text.load_all(kubectl(["kubectl", "kustomize", str(folder / "out")]))]
    served = kubectl(["kubectl", "api-versions"]).split()
    documents = [document for document in built if document["apiVersion"] in served]
    spaces = [document for document in documents if document["kind"] == "Namespace"]
    try:
        kubectl(apply_command(dry_run=False), yaml_text.dump_all(spaces))
        kubectl(apply_command(dry_run=False), yaml_text.dump_all([artifact_secret(namespace), *documents]))
        yield Tour(namespace, folder)
    finally:
        kubectl(["kubectl", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false"])


def artifact_secret(namespace: str) -> dict[str, Any]:
    """Returns the secret that the cluster's artifact repository asks for."""
    keys = {"accesskey": "kftune", "secretkey": "kftune-e2e"}
    metadata = {"name": "artifact-store", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys}


def start(tour: Tour, change: Callable[[dict[str, Any]], object] = lambda _: None) -> str:
    """Creates a run and returns its name.

    Args:
        tour: The applied pipeline.
        change: Changes the Workflow before it is created.
    """
    workflow: Any = yaml_text.load(tour.run_file.read_text(encoding="utf-8"))
    change(workflow)
    made = kubectl(["kubectl", "create", "-f", "-", "-o", "name"], yaml_text.dump(workflow))
    return made.strip().partition("/")[2]


def finished(tour: Tour, name: str, seconds: float) -> dict[str, Any]:
    """Returns a run when it has ended, whether well or badly."""
    found: dict[str, Any] = wait_until(
        f"workflow/{name}", tour.namespace, lambda one: one.get("status", {}).get("phase") in _ENDED, seconds
    )
    return found


def phases(workflow: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns the phases of each step's pods or of the node that says that it was skipped."""
    found: dict[str, list[str]] = {}
    for node in nodes(workflow):
        found.setdefault(node["templateName"], []).append(node["phase"])
    return found


def nodes(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the nodes of steps, in the order in which they started."""
    found = [node for node in workflow["status"]["nodes"].values() if node["type"] in ("Pod", "Skipped")]
    return sorted(found, key=lambda node: (node.get("startedAt") or "", node["name"]))


def seen_on_argo(workflow: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Returns what each step says that it got: one mapping for each pod, in an order that does not depend on time."""
    found: dict[str, list[dict[str, str]]] = {}
    for node in nodes(workflow):
        for output in node.get("outputs", {}).get("parameters", []):
            if output["name"].endswith("seen") and "value" in output:
                found.setdefault(node["templateName"], []).append(json.loads(output["value"]))
    return {step: sorted(each, key=str) for step, each in found.items()}


def local_run(tour: Tour) -> Path:
    """Runs the pipeline on this machine. Returns the folder of the run."""
    command = [sys.executable, "-m", "kftune", "run", str(tour.pipeline), "--dir", str(tour.folder / "runs")]
    done = subprocess.run(command, cwd=tour.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return tour.folder / "runs"


def experiments(tour: Tour) -> list[dict[str, Any]]:
    """Returns the Experiments of the namespace."""
    found: list[dict[str, Any]] = read_object("experiments", tour.namespace)["items"]
    return found


def seen_locally(runs: Path) -> dict[str, list[dict[str, str]]]:
    """Returns what each step of a local run says that it got, as `seen_on_argo` does."""
    found: dict[str, list[dict[str, str]]] = {}
    for path in runs.glob("*-*/steps/**/outputs/seen"):
        step = path.parents[1].name
        found.setdefault(step, []).append(json.loads(path.read_text(encoding="utf-8")))
    return {step: sorted(each, key=str) for step, each in found.items()}


def with_arguments(template: dict[str, Any], old: str, new: str) -> None:
    """Replaces a word of a template's command line."""
    for key in ("command", "args"):
        words = template["container"].get(key, [])
        template["container"][key] = [new if word == old else word for word in words]
