"""A small pipeline on a cluster's Argo: rendered as a project, applied, run, and compared with the local run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cluster_run import apply_command, known, kubectl, read_object, removed_at_end, unused_name, wait_until
from places import DATA

from kftune import yaml_text
from kftune.pipeline import load_pipeline

SOURCE = DATA / "e2e_argo"
ACCOUNT = "runner"
PATH = "(a path)"
"""What a step writes down in place of a path, which is another one on each machine."""
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


def write_project(folder: Path, namespace: str, images: Mapping[str, str], source: Path = SOURCE, **tune: Any) -> Path:
    """Writes the project. The steps' scripts become texts in their commands, because the image does not hold them.

    Args:
        folder: An empty folder.
        namespace: The namespace of all objects.
        images: The images of ``train`` and ``launcher``.
        source: The folder of the study, the pipeline and their scripts.
        tune: Further fields of the tune step.
    """
    project = Path(shutil.copytree(source, folder / "tour"))
    for name, script in _PROGRAMS.items():
        text = (source / name).read_text(encoding="utf-8")
        for image, reference in images.items():
            text = text.replace(f"registry.example/e2e/{image}:1", reference)
        content: Any = yaml_text.load(text)
        program = (source / script).read_text(encoding="utf-8")
        if "steps" in content:
            content["steps"]["tune"] |= tune
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
def applied_tour(folder: Path, images: Mapping[str, str], source: Path = SOURCE, **tune: Any) -> Iterator[Tour]:
    """Renders the project and applies it in a namespace of its own, which is deleted at the end.

    Args:
        folder: An empty folder.
        images: The images of ``train`` and ``launcher``.
        source: The folder of the study, the pipeline and their scripts.
        tune: Further fields of the tune step.
    """
    namespace = unused_name("argo")
    project = write_project(folder, namespace, images, source, **tune)
    # In a process of its own: two tours have a module of one name.
    render = [sys.executable, "-m", "kftune", "render", str(project), "--out", str(folder / "out")]
    done = subprocess.run(render, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built: Any = [*yaml_text.load_all(kubectl(["kubectl", "kustomize", str(folder / "out")]))]
    documents = known(built, kubectl(["kubectl", "api-versions"]).split())
    spaces = [document for document in documents if document["kind"] == "Namespace"]
    with removed_at_end(namespace):
        kubectl(apply_command(dry_run=False), yaml_text.dump_all(spaces))
        kubectl(apply_command(dry_run=False), yaml_text.dump_all([artifact_secret(namespace), *documents]))
        yield Tour(namespace, folder)


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


def launcher_pod(workflow: dict[str, Any]) -> str | None:
    """Returns the pod of a tune step that has not ended; Argo names it after workflow, template and node."""
    running = [
        node
        for node in workflow.get("status", {}).get("nodes", {}).values()
        if node["type"] == "Pod" and node["templateName"] == "tune" and node["phase"] in ("Pending", "Running")
    ]
    return "-".join([workflow["metadata"]["name"], "tune", running[0]["id"].rpartition("-")[2]]) if running else None


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


def seen(outputs: Mapping[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """Returns what each step says that it got: one mapping for each pod, in an order that does not depend on time.

    Args:
        outputs: What the steps wrote, here or on Argo.
    """
    found = {step: [json.loads(one["seen"]) for one in each if "seen" in one] for step, each in outputs.items()}
    return {step: sorted(each, key=str) for step, each in found.items() if each}


def local_run(tour: Tour) -> Path:
    """Runs the pipeline on this machine. Returns the folder that holds a folder for each step."""
    command = [sys.executable, "-m", "kftune", "run", str(tour.pipeline), "--dir", str(tour.folder / "runs")]
    done = subprocess.run(command, cwd=tour.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (steps,) = tour.folder.glob("runs/*-*/steps")
    return steps


def experiments(tour: Tour) -> list[dict[str, Any]]:
    """Returns the Experiments of the namespace."""
    found: list[dict[str, Any]] = read_object("experiments", tour.namespace)["items"]
    return found


class Span(NamedTuple):
    """When a step ran: texts of one form, which sort as the times do."""

    step: str
    started: str
    ended: str


def spans_on_argo(workflow: Mapping[str, Any]) -> list[Span]:
    """Returns when the pods of a finished run started and ended."""
    pods = [node for node in nodes(workflow) if node["type"] == "Pod"]
    return [Span(pod["templateName"], pod["startedAt"], pod["finishedAt"]) for pod in pods]


def spans_locally(steps: Path) -> list[Span]:
    """Returns when the steps of a local run started and ended."""
    found = []
    for path in steps.glob("**/done.json"):
        done = json.loads(path.read_text(encoding="utf-8"))
        found.append(Span(path.parent.name, done["started"], done["ended"]))
    return found


def too_early(tour: Tour, spans: Collection[Span]) -> list[tuple[str, str]]:
    """Returns each step that starts before another one ends for which it must wait: the steps it depends on, or all."""
    nodes = load_pipeline(tour.pipeline).plan.nodes
    waits = {name: set(node.dependencies) for name, node in nodes.items()} | {"exit": set(nodes)}
    return [
        (one.step, other.step)
        for one in spans
        for other in spans
        if other.step in waits[one.step] and one.started < other.ended
    ]


def outputs_on_argo(workflow: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Returns the values that each step wrote, as texts: one mapping for each pod that succeeded."""
    found: dict[str, list[dict[str, str]]] = {}
    for node in nodes(workflow):
        parameters = node.get("outputs", {}).get("parameters", [])
        if node["phase"] == "Succeeded" and node["type"] == "Pod":
            texts = {one["name"]: one["value"] for one in parameters}
            found.setdefault(node["templateName"], []).append(texts)
    return {step: sorted(each, key=str) for step, each in found.items()}


def outputs_locally(steps: Path) -> dict[str, list[dict[str, str]]]:
    """Returns the values that each step of a local run wrote, as `outputs_on_argo` does."""
    found: dict[str, list[dict[str, str]]] = {}
    for path in steps.glob("**/done.json"):
        outputs = json.loads(path.read_text(encoding="utf-8"))["outputs"]
        values = [name for name, output in outputs.items() if "value" in output]
        folder = path.parent / "outputs"
        texts = {name.replace(".", "-"): (folder / name).read_text(encoding="utf-8") for name in values}
        found.setdefault(path.parent.name, []).append(texts)
    return {step: sorted(each, key=str) for step, each in found.items()}


def with_arguments(template: dict[str, Any], old: str, new: str) -> None:
    """Replaces a word of a template's command line."""
    for key in ("command", "args"):
        words = template["container"].get(key, [])
        template["container"][key] = [new if word == old else word for word in words]
