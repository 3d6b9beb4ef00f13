"""`HyperparameterTuner` and what reads its results, also with the models that read Khmer numbers, trained for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from experiment_lists import LIST, project, started

from kftune import yaml_text
from kftune.errors import ConfigurationError, ExperimentFailedError, YamlError
from kftune.experiments import (
    HyperparameterTuner,
    create_training_config,
    get_best_hyperparameters,
    load_latest_results,
)
from kftune.training.digits.dataset import Recipe, generate
from kftune.training.ocr.sizes import SIZES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny data set and tiny models, at the places where they are looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    generate(tmp_path / "generated_data" / "metadata.yaml", Recipe(train=16, val=8, test=8))
    sizes = {name: {"channels": [2, 2, 2], "hidden": 4} for name in SIZES}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "model_config.yaml").write_text(yaml_text.dump({"models": sizes}), encoding="utf-8")
    return tmp_path


def test_results_are_returned_and_saved_after_each_experiment(folder: Path):
    tuner = HyperparameterTuner("list.yaml", output_dir="out")
    found = tuner.run_experiments(["slow", "broken"])
    assert [each["experiment_name"] for each in found["all_results"]] == ["slow", "broken"]
    assert json.loads(Path(tuner.save_results()).read_bytes()) == found == tuner.results
    assert load_latest_results() == found
    assert get_best_hyperparameters() == found["best_result"]["hyperparameters"]
    assert [each["status"] for each in tuner.run_experiments()["all_results"]] == ["completed", "failed", "completed"]
    assert started(folder) == ["slow", "broken", "slow_and_sure"]


def test_a_failed_experiment_is_an_error_only_if_asked_for(folder: Path):
    tuner = HyperparameterTuner(config_file="list.yaml", output_dir="out")
    with pytest.raises(
        ExperimentFailedError, match=r"1 of 3 experiments have failed, the first is broken: exit code 1"
    ):
        tuner.run_experiments(check=True)
    assert tuner.results["experiments_completed"] == 2


def test_a_single_experiment_need_not_be_in_the_file(folder: Path):
    tuner = HyperparameterTuner("list.yaml", output_dir="out")
    found = tuner.run_single_experiment("mine", {"lr": 0.5})
    assert (found["status"], found["best_val_loss"]) == ("completed", 1.0)
    with pytest.raises(ConfigurationError, match=r"experiments\.mine\.lr: must be greater than 0"):
        tuner.run_single_experiment("mine", {"lr": -1})


def test_a_list_elsewhere_has_its_script_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "toys").mkdir()
    project(tmp_path / "toys")
    monkeypatch.chdir(tmp_path)
    tuner = HyperparameterTuner("toys/list.yaml")
    tuner.validate_config(tuner.config)
    assert tuner.run_single_experiment("slow", {"lr": 0.5})["status"] == "completed"
    assert (tmp_path / "training_output" / "slow" / "weights.txt").exists()
    assert started(tmp_path / "toys") == ["slow"]


def test_a_file_that_is_missing_or_wrong_raises_what_its_readers_expect(folder: Path):
    with pytest.raises(FileNotFoundError):
        HyperparameterTuner("nowhere.yaml")
    with pytest.raises(FileNotFoundError, match="config/phase3_simple_configs"):
        HyperparameterTuner()
    (folder / "bad.yaml").write_text("experiments: {")
    for kind in (yaml.YAMLError, YamlError, ValueError):
        with pytest.raises(kind, match=r"bad\.yaml:2:1: expected a value"):
            HyperparameterTuner("bad.yaml")
    (folder / "bad.yaml").write_text(LIST.replace("lr: 0.01", "lr: 0"))
    with pytest.raises(ConfigurationError, match=r"bad.yaml:8:16: experiments.broken.lr"):
        HyperparameterTuner("bad.yaml")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "an experiment list is a mapping"),
        ({}, "needs 'experiments'"),
        ({"experiments": {"one": {"model": {"name": "tiny"}}}}, "experiments.one.model.name: must be 'small'"),
        ({"experiments": {"one": {}}, "targets": {"accuracy": 1}}, "unknown target 'accuracy'"),
    ],
)
def test_a_wrong_config_is_a_value_error(folder: Path, config: Any, message: str):
    with pytest.raises(ValueError, match=message):
        HyperparameterTuner("list.yaml").validate_config(config)


def test_a_config_is_the_content_of_the_file(folder: Path):
    tuner = HyperparameterTuner("list.yaml")
    assert tuner.load_config("list.yaml") == yaml.safe_load(LIST) == tuner.config
    tuner.validate_config(tuner.config)


def test_the_latest_results_are_those_with_the_latest_name_not_the_newest_file(folder: Path):
    assert load_latest_results() is None
    assert get_best_hyperparameters() is None
    for second, best in (("02", {"hyperparameters": {"lr": 2}}), ("01", {"hyperparameters": {"lr": 1}})):
        content = {"best_result": best}
        Path(f"hyperparameter_tuning_results_20300101_0000{second}.json").write_text(json.dumps(content))
    assert get_best_hyperparameters() == {"lr": 2}
    Path("hyperparameter_tuning_results_20300101_000003.json").write_text('{"best_result": null}')
    assert get_best_hyperparameters() is None
    Path("hyperparameter_tuning_results_20300101_000004.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"_000004.json: a results file holds JSON"):
        load_latest_results()


def test_a_config_of_groups_becomes_hyperparameters():
    config = {
        "training": {"batch_size": 64, "learning_rate": 0.002},
        "model": {"name": "medium"},
        "optimizer": {"type": "adamw"},
    }
    made = create_training_config(config)
    assert (made.batch_size, made.learning_rate, made.model_name, made.optimizer_type) == (64, 0.002, "medium", "adamw")


CUSTOM_SCRIPT = '''\
#!/usr/bin/env python3
"""Custom hyperparameter tuning script."""

import yaml
from kftune.experiments import HyperparameterTuner

def main():
    # Create custom configuration
    custom_config = {
        'experiments': {
            'my_experiment': {
                'experiment_name': 'my_experiment',
                'model': {'name': 'medium'},
                'training': {
                    'batch_size': 48,
                    'learning_rate': 0.0015,
                    'num_epochs': 35
                },
                'optimizer': {'type': 'adamw'},
                'scheduler': {'type': 'cosine', 'warmup_epochs': 2}
            }
        },
        'targets': {
            'character_accuracy': 0.85,
            'sequence_accuracy': 0.70
        }
    }

    # Save configuration
    with open('custom_config.yaml', 'w') as f:
        yaml.dump(custom_config, f)

    # Run experiments
    tuner = HyperparameterTuner('custom_config.yaml')
    results = tuner.run_experiments(['my_experiment'])

    print(f"Experiment completed: {results['best_result']['best_val_char_accuracy']:.4f}")

if __name__ == "__main__":
    main()
'''


def test_a_script_that_writes_a_list_and_runs_it_needs_only_its_import_changed(tiny: Path):
    (tiny / "custom.py").write_text(CUSTOM_SCRIPT)
    done = subprocess.run([sys.executable, "custom.py"], cwd=tiny, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Experiment completed: 0." in done.stdout
    best = (load_latest_results() or {})["best_result"]
    assert list(best)[:7] == [
        *("experiment_name", "status", "training_time", "best_val_char_accuracy", "best_val_seq_accuracy"),
        *("final_train_loss", "total_epochs"),
    ]
    assert best["hyperparameters"] == {
        **{"model_name": "medium", "batch_size": 48, "learning_rate": 0.0015, "weight_decay": 0.0001},
        **{"loss_type": "crossentropy", "scheduler_type": "cosine", "optimizer_type": "adamw"},
    }
    assert (tiny / "training_output" / "my_experiment" / "model.pt").exists()


@pytest.mark.nightly
def test_of_the_three_presets_one_fails_and_the_others_complete(tiny: Path):
    from places import ROOT

    presets = ROOT / "pipelines" / "ocr" / "experiments.yaml"
    names = ("conservative_small", "baseline_optimized", "high_learning_rate")
    changes = [f"experiments.{name}.training.num_epochs=2" for name in names]
    changes.append("experiments.baseline_optimized.data={metadata_path: nowhere/metadata.yaml}")
    command = [sys.executable, "-m", "kftune", "experiments", "--config", str(presets), *changes]
    done = subprocess.run(command, cwd=tiny, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 1, done.stdout + done.stderr
    results = load_latest_results() or {}
    assert {each["experiment_name"]: each["status"] for each in results["all_results"]} == {
        **dict.fromkeys(names, "completed"),
        "baseline_optimized": "failed",
    }
    assert "there is no data set at nowhere/metadata.yaml" in results["all_results"][1]["error_message"]
    assert results["all_results"][2]["hyperparameters"]["batch_size"] == 96
