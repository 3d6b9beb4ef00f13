"""A set on a real cluster: the project made small, in a namespace of its own, and the kubectl commands that run it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from kftune import yaml_text

OVERLAY = "e2e"
TRIALS = 2


def small_project(source: Path, folder: Path, namespace: str, images: Mapping[str, str]) -> Path:
    """A copy of the circuits with one overlay: few trials, few epochs, a namespace of its own.

    Args:
        source: ``pipelines/circuits``.
        folder: Where the copy goes.
        namespace: The namespace.
        images: Image of ``train`` and of ``launcher``; those that are left out stay.
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
    """The objects of kinds that the cluster has."""
    return [document for document in documents if document["apiVersion"] in api_versions]


def apply_command(*, dry_run: bool) -> list[str]:
    """Applies the objects on standard input, strictly; a dry run asks the server and changes nothing."""
    further = ["--dry-run=server"] if dry_run else []
    return ["kubectl", "apply", "--server-side", "--field-manager=kftune-e2e", "--validate=strict", *further, "-f", "-"]


def wait_command(what: str, condition: str, namespace: str, minutes: int) -> list[str]:
    """Waits until an object is in a state, or fails."""
    return ["kubectl", "wait", what, f"--for={condition}", f"--namespace={namespace}", f"--timeout={minutes}m"]


def missing_for_a_run(environment: Mapping[str, str]) -> str | None:
    """Why nothing can run on a cluster here; None when it can."""
    if not environment.get("KUBECONFIG"):
        return "there is no cluster: set KUBECONFIG to a file that names one"
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
    return None


def wrong_results(experiment: Mapping[str, Any]) -> list[str]:
    """What a finished Experiment should have and has not."""
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
    """What a command prints.

    Raises:
        AssertionError: It fails.
    """
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
