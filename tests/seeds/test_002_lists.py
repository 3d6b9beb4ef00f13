"""Seed 002, a list of experiments: the command, the tuner and its results, as `docs/seeds.md` says that they work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from experiment_lists import project, results
from places import ROOT
from seed_project import kftune, write

from kftune import yaml_text
from kftune.errors import ConfigurationError, ExperimentFailedError
from kftune.experiments import HyperparameterTuner, get_best_hyperparameters, load_latest_results
from kftune.training.digits.dataset import Recipe, generate
from kftune.training.ocr.sizes import SIZES

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


@pytest.fixture
def project_of_ocr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny data set and tiny models, at the places where the document has them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    generate(tmp_path / "generated_data" / "metadata.yaml", Recipe(train=16, val=8, test=8))
    sizes = {name: {"channels": [2, 2, 2], "hidden": 4} for name in SIZES}
    write(tmp_path, {"config/model_config.yaml": yaml_text.dump({"models": sizes}), "custom.py": CUSTOM_SCRIPT})
    return tmp_path


def test_the_script_of_the_document_needs_only_its_import_changed(project_of_ocr: Path):
    done = subprocess.run(
        [sys.executable, "custom.py"], cwd=project_of_ocr, capture_output=True, text=True, check=False
    )
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
    met = {each["name"]: each["met"] for each in best["targets"]}
    assert met == {"character_accuracy": False, "sequence_accuracy": False}
    trained = project_of_ocr / "training_output" / "my_experiment"
    assert (trained / "model.pt").exists()
    assert len([*(trained / "tensorboard").iterdir()]) == 1


@pytest.mark.nightly
def test_of_the_three_presets_one_fails_and_the_others_complete(project_of_ocr: Path):
    presets = ROOT / "pipelines" / "ocr" / "experiments.yaml"
    names = ("conservative_small", "baseline_optimized", "high_learning_rate")
    changes = [f"experiments.{name}.training.num_epochs=2" for name in names]
    changes.append("experiments.baseline_optimized.data={metadata_path: nowhere/metadata.yaml}")
    kftune(project_of_ocr, "experiments", "--config", str(presets), *changes, status=1)
    found = load_latest_results() or {}
    assert {each["experiment_name"]: each["status"] for each in found["all_results"]} == {
        **dict.fromkeys(names, "completed"),
        "baseline_optimized": "failed",
    }
    assert "there is no data set at nowhere/metadata.yaml" in found["all_results"][1]["error_message"]
    assert found["all_results"][2]["hyperparameters"]["batch_size"] == 96


# -- the list, with a class and a script that take no time ---------------------------------------------------------


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a list of three experiments; the second one fails."""
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("toy", None)  # each test has this module in a folder of its own
    project(tmp_path)
    yield tmp_path
    sys.modules.pop("toy", None)


def test_the_command_has_the_flags_of_the_document_and_continues_after_a_failure(toys: Path):
    flags = ("--config", "list.yaml", "--output-dir", "mine", "--results-file", "results.json")
    kftune(toys, "experiments", *flags, "--experiments", "broken", "slow", status=1)
    found = results(toys)
    assert re.fullmatch(r"\d{8}_\d{6}", found["timestamp"])
    assert [(each["experiment_name"], each["status"]) for each in found["all_results"]] == [
        ("broken", "failed"),
        ("slow", "completed"),
    ]
    assert (found["experiments_completed"], found["best_result"]) == (1, found["all_results"][1])
    assert found["all_results"][0]["error_message"] == "exit code 1; its last lines:\n  the disk is on fire"
    assert "the disk is on fire" in (toys / "mine" / "logs" / "broken.log").read_text()
    assert {target["name"]: target["met"] for target in found["best_result"]["targets"]} == {
        **{"val_loss": False, "accuracy": True, "training_time_per_epoch": True, "convergence_epochs": True}
    }


def test_the_tuner_has_the_methods_of_the_document(toys: Path):
    tuner = HyperparameterTuner(config_file="list.yaml")
    config = tuner.load_config("list.yaml")
    tuner.validate_config(config)
    found = tuner.run_experiments(["slow"])
    assert [each["status"] for each in found["all_results"]] == ["completed"]
    assert json.loads(Path(tuner.save_results()).read_bytes()) == found
    assert tuner.run_single_experiment("mine", {"lr": 0.5})["status"] == "completed"
    assert (get_best_hyperparameters() or {})["lr"] == 0.5


def test_an_experiment_that_is_not_valid_is_found_before_any_runs(toys: Path):
    said = kftune(toys, "experiments", "--config", "list.yaml", "experiments.slow.lr=-1", status=2)
    assert "experiments.slow.lr: must be greater than 0" in said
    assert not (toys / "started.txt").exists()


def test_a_list_raises_what_the_document_names(toys: Path):
    with pytest.raises(FileNotFoundError, match="config/phase3_simple_configs"):
        HyperparameterTuner()
    (toys / "bad.yaml").write_text("experiments: {")
    with pytest.raises(yaml.YAMLError, match=r"bad.yaml:2:1"):
        HyperparameterTuner("bad.yaml")
    with pytest.raises(ValueError, match="needs 'experiments'") as raised:
        HyperparameterTuner("list.yaml").validate_config({})
    assert type(raised.value) is ConfigurationError
    with pytest.raises(ExperimentFailedError, match="broken: exit code 1"):
        HyperparameterTuner("list.yaml").run_experiments(["broken"], check=True)


def test_without_an_experiment_that_completed_the_best_result_is_null(toys: Path):
    assert get_best_hyperparameters() is None
    HyperparameterTuner("list.yaml").run_experiments(["broken"])
    found = load_latest_results() or {}
    assert (found["best_result"], found["experiments_completed"]) == (None, 0)
    assert get_best_hyperparameters() is None


def test_the_latest_results_are_those_with_the_latest_name_not_the_newest_file(toys: Path):
    for second in ("02", "01"):
        content = {"best_result": {"hyperparameters": {"lr": int(second)}}}
        Path(f"hyperparameter_tuning_results_20300101_0000{second}.json").write_text(json.dumps(content))
    assert get_best_hyperparameters() == {"lr": 2}
