"""Runs a kustomization on a real cluster: a small project in a new namespace, and the kubectl commands for it."""

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


def wait_command(what: str, condition: str, namespace: str, minutes: int) -> list[str]:
    """Returns a command that waits until an object is in a state, or fails."""
    return ["kubectl", "wait", what, f"--for={condition}", f"--namespace={namespace}", f"--timeout={minutes}m"]


def missing_for_a_run(environment: Mapping[str, str]) -> str | None:
    """Returns why the tests cannot use a cluster; None if they can."""
    if not environment.get("KUBECONFIG"):
        return "there is no cluster: set KUBECONFIG to a file that names one"
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
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
