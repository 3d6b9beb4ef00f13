"""Studies that run to their end on a cluster, and again on this machine with the same assignments."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cluster_run import (
    TRAIN,
    apply_command,
    cluster_says,
    kubectl,
    read_object,
    said,
    true_conditions,
    wait_until,
)
from places import DATA

from kftune import yaml_text
from kftune.katib.engines.sampling import engine_parameters
from kftune.katib.go.experiment_fields import TRIAL_STATES
from kftune.local.experiment.parameters import ParameterSpace
from kftune.local.samplers import make_sampler
from kftune.metrics.values import UNAVAILABLE
from kftune.render.katib import render_katib
from kftune.results import FINISHED, Meta, Origin, RunFolder, Trial, TrialStart, open_results, slug
from kftune.results.store import Store
from kftune.study import Algorithm, load_study

FOLDER = DATA / "e2e"
SCRIPT = FOLDER / "e2e_trial.py"
CONFIG_MAP = "e2e-trial"
COLLECTOR = "metrics-logger-and-collector"
SECONDS_FOR_A_STUDY = 420

STUDIES: Mapping[str, tuple[str, Sequence[str]]] = {
    "plain": ("plain", ()),
    "behaving": ("behaving", ()),
    "hostile": ("hostile", ()),
    "encoded": ("encoded", ()),
    "reduced-min": ("reduced", ("objective.reduce=min",)),
    "reduced-max": ("reduced", ("objective.direction=maximize", "objective.reduce=max")),
    "reduced-latest": ("reduced", ("objective.direction=maximize", "objective.reduce=latest")),
}
"""Name of a study -> its file, and what is changed in it."""

STOPPED: Mapping[str, tuple[str, Sequence[str]]] = {
    "stopped": ("stopped", ()),
    "stopped-pytorchjob": ("stopped", ("targets.katib.trial_kind=PyTorchJob",)),
    "stopped-trainjob": ("stopped", ("targets.katib.trial_kind=TrainJob",)),
}
"""The studies whose trials are stopped early, in the same form."""

_COUNTS = frozenset(count for _, count in TRIAL_STATES.values()) | {"trials"}


class SeenTrial(NamedTuple):
    """A trial as the cluster, or the local run, tells of it."""

    assignment: dict[str, str]
    state: str
    metrics: dict[str, tuple[str, str, str]]
    """Metric -> its min, max and latest value, as texts."""
    given: dict[str, Any] | None
    """What the script received; None where no log is left."""


class SeenExperiment(NamedTuple):
    """An Experiment that has ended."""

    trials: list[SeenTrial]
    """In the order in which they began."""
    status: dict[str, Any]
    """The counts, the conditions and the best trial. Trials are numbers."""


def documents(name: str, namespace: str, image: str) -> list[dict[str, Any]]:
    """Returns a study's Experiment and the ConfigMap with its script.

    Args:
        name: The study, of `STUDIES` or `STOPPED`.
        namespace: The namespace of both.
        image: The image of its trials.
    """
    file, changes = {**STUDIES, **STOPPED}[name]
    given = [f"name={name}", f"step.image={image}", f"targets.katib.namespace={namespace}", *changes]
    experiment = render_katib(load_study(FOLDER / f"{file}.yaml", given)).documents
    metadata = {"name": CONFIG_MAP, "namespace": namespace}
    script = {SCRIPT.name: SCRIPT.read_text(encoding="utf-8")}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": script}, *experiment]


# -- on the cluster ----------------------------------------------------------------------------------------------------


def run_on_cluster(name: str, namespace: str, image: str) -> SeenExperiment:
    """Runs a study to its end on the cluster.

    Args:
        name: The study, of `STUDIES`.
        namespace: The namespace, which is there.
        image: The image of its trials.

    Raises:
        AssertionError: It does not end in time; the message tells what the cluster says.
    """
    kubectl(apply_command(dry_run=False), yaml_text.dump_all(documents(name, namespace, image)))
    ended = wait_until(f"experiment/{name}", namespace, _has_ended, SECONDS_FOR_A_STUDY)
    found = read_object(f"trials -l katib.kubeflow.org/experiment={name}", namespace)["items"]
    assert found, f"experiment/{name} has no trials\n{cluster_says(namespace)}"
    found.sort(key=lambda trial: (trial["metadata"]["creationTimestamp"], trial["metadata"]["name"]))
    numbers = {trial["metadata"]["name"]: number for number, trial in enumerate(found, 1)}
    states = _states(ended["status"])
    trials = [_trial_on_cluster(trial, states, namespace) for trial in found]
    return SeenExperiment(trials, _comparable(ended["status"], numbers))


def _has_ended(experiment: Mapping[str, Any]) -> bool:
    return not {"Succeeded", "Failed"}.isdisjoint(true_conditions(experiment))


def _states(status: Mapping[str, Any]) -> dict[str, str]:
    return {name: state for state, (names, _) in TRIAL_STATES.items() for name in status.get(names) or ()}


def _trial_on_cluster(trial: Mapping[str, Any], states: Mapping[str, str], namespace: str) -> SeenTrial:
    name = trial["metadata"]["name"]
    metrics = (trial["status"].get("observation") or {}).get("metrics") or ()
    pod = ["kubectl", "logs", f"--namespace={namespace}", f"--selector=job-name={name}"]
    return SeenTrial(
        {each["name"]: each.get("value", "") for each in trial["spec"]["parameterAssignments"]},
        states.get(name, "none"),
        {each["name"]: (each["min"], each["max"], each["latest"]) for each in metrics},
        given_in(said([*pod, f"--container={COLLECTOR}", "--tail=-1"])),
    )


# -- on this machine ---------------------------------------------------------------------------------------------------


def run_here(
    name: str, folder: Path, assignments: Sequence[Mapping[str, str]], parallel: int | None = None
) -> SeenExperiment:
    """Runs the same Experiment by ``kftune run``, with assignments that were drawn elsewhere.

    They are stored as the trials of a run that was interrupted. ``kftune run`` starts such trials again. The algorithm
    draws nothing here, so it is the simplest one.

    Args:
        name: The study, of `STUDIES`.
        folder: An empty folder.
        assignments: Parameter -> text, of each trial.
        parallel: How many trials run at once; None for all.
    """
    file, results = folder / f"{name}.yaml", folder / name
    script, experiment = documents(name, "here", "registry.example/e2e:1")
    experiment["spec"]["algorithm"] = {"algorithmName": "random"}
    file.write_text(yaml_text.dump_all([script, experiment]), encoding="utf-8")
    interrupted(results, experiment["metadata"]["name"], assignments)
    options = [
        "--dir",
        str(results),
        "--plain",
        "--env",
        "E2E_SECONDS=0",
        f"parallelTrialCount={parallel or len(assignments)}",
    ]
    _kftune(folder, "run", str(file), *options)
    experiment = json.loads(_kftune(folder, "status", str(results), "-o", "json"))
    with open_results(results) as found:
        trials = found.trials()
    assert {trial.state for trial in trials} <= set(FINISHED), [(trial.name, trial.message) for trial in trials]
    numbers = {trial.name: trial.number for trial in trials}
    objective = experiment["spec"]["objective"]
    metrics = [objective["objectiveMetricName"], *objective.get("additionalMetricNames", ())]
    seen = [_trial_here(trial, RunFolder(results), metrics) for trial in trials]
    return SeenExperiment(seen, _comparable(experiment["status"], numbers))


def interrupted(results: Path, name: str, assignments: Iterable[Mapping[str, str]]) -> None:
    """Writes the results of a run that was interrupted before any trial had ended.

    Args:
        results: Where they go.
        name: The name of the Experiment.
        assignments: Parameter -> text, of each trial.
    """
    results.mkdir(parents=True)
    origin = Origin("random", {}, 0)
    # It compares nothing, so the Experiment goes on with it.
    study = Meta(
        name=name,
        slug=slug(name),
        direction="minimize",
        metrics=(),
        goal=None,
        algorithm=origin.algorithm,
        settings={},
        seed=0,
        max_trials=0,
        parallel=1,
        fixed={},
        space={},
        identity="",
        compared={},
        created="2026-01-01T00:00:00.000Z",
        version="",
    )
    with Store(results, study) as store:
        for number, assignment in enumerate(assignments, 1):
            given = dict(assignment)
            store.start(TrialStart(number, 1, given, given, "2026-01-01T00:00:00.000Z", origin))
            store.run_again(number, given, "")


def _kftune(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "kftune", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _trial_here(trial: Trial, folder: RunFolder, metrics: Iterable[str]) -> SeenTrial:
    log = folder.log(trial.name)
    found = {name: (values.min, values.max, values.latest) for name, values in trial.metrics.items()}
    return SeenTrial(
        trial.assignment,
        trial.state,
        {name: found.get(name, (UNAVAILABLE,) * 3) for name in metrics} if found else {},
        given_in(log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""),
    )


# -- what is compared --------------------------------------------------------------------------------------------------


def given_in(log: str) -> dict[str, Any] | None:
    """Returns what the script says in a log that it was given; None where it says nothing."""
    told = re.search(r"(?m)(?:^|\] )given ([0-9a-f]+)$", log)
    if told is None:
        return None
    found: dict[str, Any] = json.loads(bytes.fromhex(told[1]))
    return found


def _comparable(status: Mapping[str, Any], numbers: Mapping[str, int]) -> dict[str, Any]:
    """Returns the parts of a status that do not depend on times and names."""
    found: dict[str, Any] = {name: status[name] for name in sorted(_COUNTS) if status.get(name)}
    for names, _ in TRIAL_STATES.values():
        if status.get(names):
            found[names] = sorted(numbers[name] for name in status[names])
    conditions = [(each["type"], each["status"], each["reason"], each["message"]) for each in status["conditions"]]
    best = status.get("currentOptimalTrial") or {}
    metrics = (best.get("observation") or {}).get("metrics") or ()
    return {
        **found,
        "conditions": sorted(conditions),
        "best": numbers.get(best.get("bestTrialName", "")),
        "assignment": {each["name"]: each.get("value", "") for each in best.get("parameterAssignments") or ()},
        "observation": {each["name"]: (each["min"], each["max"], each["latest"]) for each in metrics},
    }


def image() -> str:
    """Returns the image of the trials."""
    return os.environ.get(TRAIN, "registry.example/e2e:1")


def sobol_assignments(name: str) -> list[dict[str, str]]:
    """Returns what kftune says that Katib's sobol draws, in its order.

    Args:
        name: The study, of `STUDIES`.
    """
    spec = documents(name, "here", "registry.example/e2e:1")[1]["spec"]
    space = ParameterSpace(engine_parameters(spec, "sobol"))
    sampler = make_sampler(space, Algorithm(name="sobol"), "minimize", 0, as_katib=True)
    asked = [sampler.ask(number) for number in range(1, spec["maxTrialCount"] + 1)]
    return [each.assignment for each in asked if each is not None]
