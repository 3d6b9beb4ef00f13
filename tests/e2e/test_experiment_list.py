"""A list of experiments on a cluster: each runs under its name, and one that fails does not end the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_run import (
    TRAIN,
    apply_command,
    kubectl,
    missing_for_a_run,
    own_namespace,
    read_object,
    true_conditions,
    wait_until,
)
from e2e_admission import katib_config

LACKING = missing_for_a_run(os.environ, TRAIN)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(600),
]
CLASS = '''
from kftune import Hparam, Hparams


class Greenhouse(Hparams):
    """A model of the temperature in a greenhouse."""

    layers: int = Hparam(2, ge=1)
    data: str = "readings.csv"
'''
SCRIPT = """
import sys
import kftune
from greenhouse import Greenhouse

given = Greenhouse.from_args()
if given.data != "readings.csv":
    sys.exit(f"there is no file {given.data}")
kftune.report(val_loss=1 / given.layers)
"""
LIST = """
name: greenhouses
hparams: greenhouse:Greenhouse
objective: {metric: val_loss, direction: minimize}
step:
  command: [python, /program/train.py]
  resources: {cpu: 50m, cpu_limit: "1", memory: 64Mi, memory_limit: 256Mi}
  volumes: [{name: program, config_map: program, mount: /program}]
experiments:
  small: {layers: 1}
  deep.er: {layers: 4}
  other_data: {data: winter.csv}
katib: {min_runtime: 10s} # Katib's collector does not find a program that ends at once
"""
FILES = {"greenhouse.py": CLASS, "train.py": SCRIPT, "experiments.yaml": LIST}


@pytest.fixture
def needs_grid() -> None:
    if "grid" not in katib_config().algorithms:
        pytest.skip("the cluster's Katib has no service for the algorithm grid")


@pytest.mark.usefixtures("needs_grid")
def test_each_experiment_runs_under_its_name_and_one_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with own_namespace("list") as namespace:
        render = ["experiments", "--config=experiments.yaml", "--render", "--out=build"]
        changes = [f"step.image={os.environ[TRAIN]}", f"katib.namespace={namespace}"]
        subprocess.run([sys.executable, "-m", "kftune", *render, *changes], cwd=tmp_path, check=True)
        metadata = {"name": "program", "namespace": namespace}
        program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": FILES}
        kubectl(apply_command(dry_run=False), json.dumps(program))
        kubectl(apply_command(dry_run=False), (tmp_path / "build" / "experiments.katib.yaml").read_text())
        ended = wait_until(
            "experiment/greenhouses",
            namespace,
            lambda found: not {"Succeeded", "Failed"}.isdisjoint(true_conditions(found)),
            400,
        )
        trials = read_object("trials", namespace)["items"]
    states = {trial["spec"]["parameterAssignments"][0]["value"]: true_conditions(trial)[-1] for trial in trials}
    assert states == {"small": "Succeeded", "deep.er": "Succeeded", "other_data": "Failed"}
    assert true_conditions(ended)[-1] == "Succeeded"
    best = ended["status"]["currentOptimalTrial"]
    assert best["parameterAssignments"] == [{"name": "preset", "value": "deep.er"}]
    assert best["observation"]["metrics"][0]["min"] == "0.25"
