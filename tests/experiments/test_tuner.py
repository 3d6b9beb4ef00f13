"""`HyperparameterTuner` and what reads its results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from experiment_lists import LIST, project, started

from kftune.errors import ConfigurationError, ExperimentFailedError, YamlError
from kftune.experiments import (
    HyperparameterTuner,
    create_training_config,
    get_best_hyperparameters,
    load_latest_results,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
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


@pytest.mark.nightly  # tests/seeds has the same
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
