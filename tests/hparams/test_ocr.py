"""The hyperparameters of the models that read Khmer numbers."""

from __future__ import annotations

from typing import Any

import pytest
from ocr_training import DEFAULTS
from places import ROOT

from kftune import yaml_text
from kftune.errors import HparamsError, UnknownNameError
from kftune.hparams.models.ocr import OcrHparams

EXPERIMENTS: Any = yaml_text.load_file(ROOT / "pipelines" / "ocr" / "experiments.yaml")

OWN = {"fallback", "resume", "seed"}


def test_every_field_has_the_default_that_experiment_files_expect():
    found = dict(OcrHparams())
    assert {name: found[name] for name in DEFAULTS} == {**DEFAULTS, "optimizer_betas": (0.9, 0.999)}
    assert set(found) - set(DEFAULTS) == OWN


def test_every_field_can_be_written_in_an_experiment():
    experiment: dict[str, Any] = {
        "experiment_name": "mine",
        "output_dir": "out",
        "model": {"name": "small", "config_path": "sizes.yaml", "vocab_size": 14, "max_sequence_length": 5},
        "data": {
            "metadata_path": "m.yaml",
            "train_split": "a",
            "val_split": "b",
            "num_workers": 1,
            "pin_memory": True,
            "augmentation": False,
        },
        "training": {
            "device": "cpu",
            "mixed_precision": True,
            "gradient_clip_norm": 2.0,
            "log_every_n_steps": 1,
            "save_every_n_epochs": 2,
            "keep_n_checkpoints": 4,
            "use_tensorboard": False,
            "batch_size": 8,
            "learning_rate": 0.1,
            "weight_decay": 0.2,
            "num_epochs": 3,
            "loss_type": "crossentropy",
            "label_smoothing": 0.1,
            "fallback": False,
            "resume": True,
            "seed": 5,
        },
        "optimizer": {"type": "adamw", "betas": [0.8, 0.9]},
        "scheduler": {
            "type": "cosine",
            "warmup_epochs": 1,
            "min_lr": 0.001,
            "step_size": 2,
            "gamma": 0.9,
            "patience": 1,
            "factor": 0.3,
        },
        "early_stopping": {"patience": 2, "min_delta": 0.5, "monitor": "val_loss", "mode": "min"},
    }
    found, default = OcrHparams.from_experiment(experiment), OcrHparams()
    assert [name for name in found if found[name] == default[name] and name != "loss_type"] == []


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay"])
def test_the_optimizer_takes_precedence_over_training_in_any_order(name: str):
    groups = {"optimizer": {name: 0.2}, "training": {name: 0.1}}
    for order in (groups, dict(reversed(groups.items()))):
        assert OcrHparams.from_experiment(order)[name] == 0.2
    assert OcrHparams.from_experiment({"training": {name: 0.1}})[name] == 0.1


def test_the_presets_are_the_three_that_are_documented():
    found = {name: OcrHparams.from_experiment(entry) for name, entry in EXPERIMENTS["experiments"].items()}
    fields = ("model_name", "batch_size", "learning_rate", "num_epochs", "optimizer_type", "scheduler_type")
    assert {name: tuple(entry[field] for field in fields) for name, entry in found.items()} == {
        "conservative_small": ("small", 32, 0.001, 40, "adam", "plateau"),
        "baseline_optimized": ("medium", 64, 0.002, 30, "adamw", "cosine"),
        "high_learning_rate": ("medium", 96, 0.003, 25, "adam", "steplr"),
    }
    assert (found["conservative_small"].patience, found["high_learning_rate"].step_size) == (5, 8)
    assert found["baseline_optimized"].warmup_epochs == 3
    assert all(entry.experiment_name == name for name, entry in found.items())


def test_arguments_give_the_same_hyperparameters():
    hparams = OcrHparams(optimizer_betas=(0.5, 0.6), early_stopping_patience=None, model_name="ctc", loss_type="ctc")
    assert OcrHparams.from_args(hparams.to_args()) == hparams


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss_type": "ctc"}, "loss_type=ctc needs model_name=ctc, but model_name is medium"),
        ({"early_stopping_monitor": "val_loss"}, "early_stopping_mode must be min for val_loss, but is max"),
        ({"early_stopping_mode": "min"}, "early_stopping_mode must be max for val_char_accuracy, but is min"),
        ({"optimizer_betas": (0.9, 1.0)}, "optimizer_betas must be at least 0 and less than 1"),
        ({"experiment_name": ".."}, "experiment_name must be the name of a folder"),
        ({"experiment_name": "a/b"}, "experiment_name must be the name of a folder"),
        ({"early_stopping_monitor": "val_acc"}, "early_stopping_monitor"),
        ({"keep_n_checkpoints": 0}, "keep_n_checkpoints"),
    ],
)
def test_values_that_do_not_go_together_are_refused(values: dict[str, Any], message: str):
    with pytest.raises(HparamsError, match=message):
        OcrHparams.from_dict(values)


@pytest.mark.parametrize(
    ("experiment", "error", "message"),
    [
        ({"trainning": {}}, UnknownNameError, "unknown group of an experiment 'trainning'; did you mean 'training'"),
        ({"training": {"lr": 1}}, UnknownNameError, "unknown key of training 'lr'"),
        ({"optimizer": {"momentum": 1}}, UnknownNameError, "unknown key of optimizer 'momentum'"),
        ({"training": None}, HparamsError, "training must be a mapping, but is None"),
        ({"training": {"num_epochs": "many"}}, HparamsError, "num_epochs"),
        ([], HparamsError, "an experiment must be a mapping of groups"),
    ],
)
def test_a_mistake_in_an_experiment_is_an_error(experiment: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        OcrHparams.from_experiment(experiment)
