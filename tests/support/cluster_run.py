"""What tests need of a real cluster: a namespace, kubectl, waiting, and a small project to apply."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kftune import yaml_text
from kftune.katib.admission.cluster import INJECTION_LABEL

OVERLAY = "e2e"
TRAIN = "KFTUNE_E2E_TRAIN"
"""The variable that names an image with Python and kftune."""
LAUNCHER = "KFTUNE_E2E_LAUNCHER"
TORCH = "KFTUNE_E2E_TORCH"
PACKAGES = "KFTUNE_E2E_PACKAGES"
"""The variable that names a folder of the node with Python's packages, torch among them."""
ROOT_IMAGE = "KFTUNE_E2E_ROOT"
"""The variable that names an image with Python that runs as root."""
_IMAGES = "`make build-images` builds images/launcher for the first two, and images/train, which has torch"
TRIALS = 2
_BETWEEN_LOOKS = 1.0
_LAST_EVENTS = 25
_LAST_LINES = 15


def small_project(source: Path, folder: Path, namespace: str, images: Mapping[str, str]) -> Path:
    """Makes a copy of the circuits with one overlay: few trials, few epochs, a separate namespace.

    Args:
        source: ``pipelines/circuits``.
        folder: The folder for the copy.
        namespace: The namespace.
        images: The images of ``train`` and ``launcher``; a missing one is not changed.
    """
    project = Path(shutil.copytree(source, folder / source.name))
    content: Any = yaml_text.load_file(project / "project.yaml")
    search = 'search={"epochs": {"choice": [2, 3]}, "lstm_units": {"choice": [8, 16]}}'
    trials = [search, f"budget.max_trials={TRIALS}", f"budget.parallel={TRIALS}", "step.resources.cpu=1"]
    pipeline = ["parameters.max_val_loss.default=1000.0"]
    if "train" in images:
        trials.append(f"step.image={images['train']}")
        pipeline.append(f"defaults.image={images['train']}")
    if "launcher" in images:
        pipeline.append(f"steps.tune.image={images['launcher']}")
    pipeline.append(f"steps.tune.overrides={json.dumps(trials)}")
    content["overlays"] = {OVERLAY: {"namespace": namespace, "set": {"study.yaml": trials, "pipeline.yaml": pipeline}}}
    (project / "project.yaml").write_text(yaml_text.dump(content), encoding="utf-8")
    return project


def known(documents: Collection[dict[str, Any]], api_versions: Collection[str]) -> list[dict[str, Any]]:
    """Returns the objects of kinds that the cluster has."""
    return [document for document in documents if document["apiVersion"] in api_versions]


def apply_command(*, dry_run: bool) -> list[str]:
    """Returns a command that applies the objects on standard input, strictly. A dry run changes nothing."""
    further = ["--dry-run=server"] if dry_run else []
    return ["kubectl", "apply", "--server-side", "--field-manager=kftune-e2e", "--validate=strict", *further, "-f", "-"]


def missing_for_a_run(environment: Mapping[str, str], *images: str) -> str | None:
    """Returns why the tests cannot use a cluster; None if they can.

    Args:
        environment: The environment variables.
        images: Variables that must name images which the cluster can pull.
    """
    if not environment.get("KUBECONFIG"):
        return "there is no cluster: run `make cluster`, or set KUBECONFIG to a file that names one"
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
    unnamed = [name for name in images if not environment.get(name)]
    if unnamed:
        return f"{' and '.join(unnamed)} must name images that the cluster can pull: {_IMAGES}"
    return None


def missing_for_the_circuits(environment: Mapping[str, str]) -> str | None:
    """Returns what the cluster lacks to train the circuits; None if nothing. It asks the cluster."""
    if lacking := missing_for_a_run(environment, TORCH, LAUNCHER):
        return lacking
    if not said(["kubectl", "get", "storageclasses", "-o", "name"]).startswith("storageclass"):
        return "the cluster has no StorageClass for the claim that the pipeline's steps and trials share"
    return None


def wrong_results(experiment: Mapping[str, Any]) -> list[str]:
    """Returns the differences between a finished Experiment and the expected one."""
    status = experiment.get("status", {})
    optimal = status.get("currentOptimalTrial") or {}
    found = []
    if status.get("trialsSucceeded", 0) < TRIALS:
        found.append(f"{TRIALS} trials must succeed, but {status.get('trialsSucceeded', 0)} did")
    given = {one["name"]: one["value"] for one in optimal.get("parameterAssignments", [])}
    for parameter in experiment["spec"]["parameters"]:
        listed = parameter["feasibleSpace"].get("list")
        if parameter["name"] not in given:
            found.append(f"the best trial has no {parameter['name']}")
        elif listed is not None and given[parameter["name"]] not in listed:
            found.append(f"{parameter['name']}={given[parameter['name']]} is none of {listed}")
    metrics = {one["name"] for one in optimal.get("observation", {}).get("metrics", [])}
    if experiment["spec"]["objective"]["objectiveMetricName"] not in metrics:
        found.append("the best trial has no value of the objective")
    return found


def kubectl(command: list[str], text: str | None = None) -> str:
    """Returns the output of a command.

    Raises:
        AssertionError: The command fails.
    """
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def unused_name(part: str) -> str:
    """Returns the name of a namespace that nothing else uses.

    Args:
        part: What the namespace is for; part of its name.
    """
    return f"kftune-e2e-{part}-{uuid.uuid4().hex[:8]}"


@contextmanager
def removed_at_end(*namespaces: str) -> Iterator[None]:
    """Deletes namespaces when the block ends.

    Args:
        namespaces: Their names; they need not exist.
    """
    try:
        yield
    finally:
        kubectl(["kubectl", "delete", "namespace", *namespaces, "--ignore-not-found", "--wait=false"])


def refusal(command: list[str], text: str) -> str:
    """Returns what a command says when the server refuses what is on its standard input; empty if it does not.

    Args:
        command: The command.
        text: Its standard input.
    """
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


@contextmanager
def own_namespace(part: str) -> Iterator[str]:
    """Makes a namespace in which Katib's trials run, and deletes it at the end.

    Args:
        part: What the namespace is for; part of its name.
    """
    name = unused_name(part)
    metadata = {"name": name, "labels": {INJECTION_LABEL: "enabled"}}
    with removed_at_end(name):
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        kubectl(apply_command(dry_run=False), json.dumps(space))
        yield name


def read_object(what: str, namespace: str) -> Any:
    """Returns an object, or a list of objects, as the cluster has it now.

    Args:
        what: ``experiment/NAME``, or ``trials`` for all of a kind.
        namespace: Its namespace.
    """
    return json.loads(kubectl(["kubectl", "get", *what.split(), f"--namespace={namespace}", "-o", "json"]))


def wait_until(what: str, namespace: str, holds: Callable[[Any], object], seconds: float) -> Any:
    """Returns an object as soon as a condition holds for it.

    Args:
        what: As `read_object` takes it.
        namespace: Its namespace.
        holds: The condition.
        seconds: How long to wait.

    Raises:
        AssertionError: It does not hold in time; the message tells what the cluster says.
    """
    until = time.monotonic() + seconds
    while True:
        found = read_object(what, namespace)
        if holds(found):
            return found
        if time.monotonic() > until:
            status = json.dumps(found.get("status", {}), indent=1)
            said = cluster_says(namespace)
            raise AssertionError(f"{what} is not as expected after {seconds:g} s; its status:\n{status}\n{said}")
        time.sleep(_BETWEEN_LOOKS)


def has_condition(condition: str) -> Callable[[Any], bool]:
    """Makes the function that says whether an object has a condition with status True, such as ``Succeeded``."""
    return lambda found: condition in true_conditions(found)


def true_conditions(found: Mapping[str, Any]) -> list[str]:
    """Returns the types of an object's conditions with status True, in their order."""
    conditions = found.get("status", {}).get("conditions") or ()
    return [each["type"] for each in conditions if each["status"] == "True"]


def cluster_says(namespace: str) -> str:
    """Returns what explains a failure: the pods of a namespace, the end of their logs, and its latest events."""
    lines = [said(["kubectl", "get", "pods", f"--namespace={namespace}", "-o", "wide"])]
    for pod in said(["kubectl", "get", "pods", f"--namespace={namespace}", "-o", "name"]).split():
        logs = ["kubectl", "logs", pod, f"--namespace={namespace}", "--all-containers", f"--tail={_LAST_LINES}"]
        lines += [f"--- the log of {pod}", said(logs)]
    events = said(["kubectl", "get", "events", f"--namespace={namespace}", "--sort-by=.lastTimestamp"])
    return "\n".join([*lines, "--- events", *events.splitlines()[-_LAST_EVENTS:]])


def said(command: list[str]) -> str:
    """Returns all output of a command, whether it fails or not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
