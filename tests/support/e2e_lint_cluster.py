"""Runs Experiments side by side on the cluster of KUBECONFIG, and says what became of each.

The Experiments that are expected to hang wait all together; of the others only a few run at a time.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster_run import apply_command, kubectl, refusal, true_conditions
from e2e_lint import SCRIPT_MAP, SCRIPTS, logged_arguments

from kftune import yaml_text

WINDOW = 180.0
"""How many seconds an Experiment is watched before it counts as hanging."""
DEADLINE = 540.0
AT_A_TIME = 4
_PAUSE = 3.0
_BAD = ("Failed", "MetricsUnavailable")


@dataclass
class Watched:
    """An Experiment on the cluster."""

    name: str
    manifest: dict[str, Any]
    waits: bool
    """Whether it runs beside the others, because it is expected to hang."""
    created: float = 0.0
    outcome: str = ""
    """fails, hangs, completes, or refused; empty while it is watched."""
    seconds: float = 0.0
    last: str = "not created"
    """What the cluster said last."""
    ended: bool = False
    """Whether it has been completed once."""
    arguments: list[str] | None = None
    """What the program got, where the log says so."""
    assignments: dict[str, str] = field(default_factory=dict)

    def settle(self, outcome: str) -> None:
        self.outcome, self.seconds = outcome, time.monotonic() - self.created


def add_scripts(namespace: str) -> None:
    """Creates the ConfigMap with the programs that trials start."""
    maps = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": SCRIPT_MAP, "namespace": namespace}}
    kubectl(apply_command(dry_run=False), yaml_text.dump({**maps, "data": SCRIPTS}))


def refused(manifests: Sequence[Mapping[str, Any]], namespace: str) -> str:
    """Returns what kubectl says of the objects that the server refuses; all have different names."""
    command = [*apply_command(dry_run=True), f"--namespace={namespace}", "-o", "name"]
    return refusal(command, yaml_text.dump_all(manifests))


def watch(watched: Sequence[Watched], namespace: str) -> None:
    """Creates all Experiments, few at a time, and watches them until each has an outcome."""
    start = time.monotonic()
    waiting = sorted(watched, key=lambda each: not each.waits)
    running: list[Watched] = []
    while (waiting or running) and time.monotonic() - start < DEADLINE:
        busy = sum(not each.waits for each in running)
        while waiting and (waiting[0].waits or busy < AT_A_TIME):
            each = waiting.pop(0)
            _create(each, namespace)
            busy += not each.waits
            running.append(each)
        time.sleep(_PAUSE)
        _look(running, namespace)
        running = [each for each in running if not each.outcome]
    for each in running:
        each.settle("hangs")
        each.last += "; the time for all was over"


def _create(each: Watched, namespace: str) -> None:
    each.created = time.monotonic()
    command = [*apply_command(dry_run=False), f"--namespace={namespace}"]
    said = refusal(command, yaml_text.dump(each.manifest))
    if said:
        each.last = said
        each.settle("refused")


def _look(running: Sequence[Watched], namespace: str) -> None:
    """Reads all Experiments and trials once, and gives an outcome to what has one."""
    kinds = "experiments.kubeflow.org,trials.kubeflow.org"
    listed = json.loads(kubectl(["kubectl", "get", kinds, f"--namespace={namespace}", "-o", "json"]))["items"]
    found = {each["metadata"]["name"]: each for each in listed if each["kind"] == "Experiment"}
    for each in running:
        mine = [one for one in listed if one["kind"] == "Trial" and _owner(one) == each.name]
        if each.name in found and not each.outcome:
            _judge(each, found[each.name], mine, namespace)


def _owner(trial: Mapping[str, Any]) -> str:
    return str(trial["metadata"].get("labels", {}).get("katib.kubeflow.org/experiment"))


def _judge(each: Watched, experiment: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], namespace: str) -> None:
    state = true_conditions(experiment)
    states = [true_conditions(trial) for trial in trials]
    each.last = f"{state}; trials {states}"
    age = time.monotonic() - each.created
    over = bool({"Succeeded", "Failed"} & set(state))
    if each.ended and not over:
        each.last += "; it was completed before"
        each.settle("hangs")
    elif over and (age >= WINDOW or "maxTrialCount" in experiment["spec"]):  # without, it may start again
        bad = "Failed" in state or any(set(_BAD) & set(one) for one in states)
        if trials and not bad:
            _read_arguments(each, trials[0], namespace)
        each.settle("fails" if bad else "completes")
    elif age >= WINDOW:
        each.last += f"; {events(namespace, [each.name, *(trial['metadata']['name'] for trial in trials)])}"
        each.settle("hangs")
    each.ended = each.ended or over


def _read_arguments(each: Watched, trial: Mapping[str, Any], namespace: str) -> None:
    each.assignments = {one["name"]: one["value"] for one in trial["spec"].get("parameterAssignments", [])}
    label = f"--selector=batch.kubernetes.io/job-name={trial['metadata']['name']}"
    command = ["kubectl", "logs", label, "--all-containers", "--tail=-1", f"--namespace={namespace}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    each.arguments = logged_arguments(done.stdout)


def events(namespace: str, names: Collection[str]) -> str:
    """Returns the last events of some objects and of their pods."""
    listed = json.loads(kubectl(["kubectl", "get", "events", f"--namespace={namespace}", "-o", "json"]))["items"]
    mine = [one for one in listed if any(one["involvedObject"]["name"].startswith(name) for name in names)]
    return "; ".join(f"{one['involvedObject']['kind']}: {one.get('message', '')[:200]}" for one in mine[-6:])
