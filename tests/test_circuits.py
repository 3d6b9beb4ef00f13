"""The first workload's files: pipelines/circuits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from places import CIRCUITS

from kftune import yaml_text
from kftune.domains import Choice, LogUniform
from kftune.hparams.models.lstm import LstmHparams
from kftune.study import load_study
from kftune.training.data import MEASURED, load_circuit

PLANTS: Any = yaml_text.load_file(CIRCUITS / "circuits.yaml")
KEYS = [f"{plant}.{circuit}" for plant, circuits in PLANTS.items() for circuit in circuits]
STUDIES = ("study.yaml", "demo.yaml")


def test_the_circuits_are_four_of_one_plant():
    assert KEYS == [f"PLANT001.CIRCUIT{number:02d}" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("key", KEYS)
def test_every_circuit_has_hyperparameters_of_its_own(key: str):
    hparams = LstmHparams.from_yaml(CIRCUITS / "circuits.yaml", key=key)
    assert hparams.circuit == key.replace(".", "/")
    assert load_circuit(hparams.circuit).name == hparams.circuit


@pytest.mark.parametrize("key", KEYS)
def test_the_file_says_every_value_that_a_study_searches(key: str):
    plant, circuit = key.split(".")
    assert set(LstmHparams.space()) <= set(PLANTS[plant][circuit])


def test_the_study_searches_what_it_always_did():
    study = load_study(CIRCUITS / "study.yaml")
    assert study.space == {
        "lstm_units": Choice(32, 64, 128, 256),
        "learning_rate": LogUniform(1e-4, 1e-2),
        "epochs": Choice(30, 50, 100),
        "batch_size": Choice(16, 32, 64),
    }
    assert study.space == LstmHparams.space()
    assert study.algorithm.name == "random"
    assert (study.budget.max_trials, study.budget.parallel) == (20, 3)
    objective = study.objective
    assert (objective.metric, objective.direction, objective.reduce) == ("val_loss", "minimize", "min")
    assert study.fixed == {"circuit": MEASURED}


def test_the_demo_is_a_smaller_study_of_the_same():
    demo, study = (load_study(CIRCUITS / name) for name in ("demo.yaml", "study.yaml"))
    assert list(demo.space) == list(study.space)
    assert demo.objective == study.objective
    assert demo.step.image == study.step.image
    assert demo.budget.max_trials == 12


@pytest.mark.parametrize("name", STUDIES)
def test_the_step_of_a_study_is_a_command_line_that_training_takes(name: str):
    study = load_study(CIRCUITS / name)
    point = {field: domain.quantile(0.5) for field, domain in study.space.items()}
    tokens = study.step.command_line({**study.fixed, **study.encode(point)})
    assert tokens[:4] == ["python", "-m", "kftune.training", "lstm"]
    hparams = LstmHparams.from_args(tokens[4:])
    assert {field: hparams[field] for field in point} == point


def test_a_trial_of_the_demo_really_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KFTUNE_OUTPUT_DIR", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    study = load_study(CIRCUITS / "demo.yaml", overrides=["~search.epochs", "values.epochs=2"])
    point = {field: domain.quantile(0) for field, domain in study.space.items()}
    _, *arguments = study.step.command_line({**study.fixed, **study.encode(point)})
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for metric in study.reductions:
        assert done.stdout.count(f"{metric}=") == 2
