"""Seed 002, a list of experiments over OCR of Khmer digits: each item that `docs/seeds.md` says works.

Data and models are tiny, so that a real training takes a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ocr_training import DEFAULTS, one_torch_thread
from places import ROOT

from kftune import yaml_text
from kftune.errors import (
    DataLoaderError,
    HparamsError,
    KftuneError,
    ModelCreationError,
    UnknownNameError,
)
from kftune.experiments import (
    create_training_config,
)
from kftune.hparams.models.ocr import OcrHparams
from kftune.study import load_study
from kftune.training.digits.dataset import Recipe, generate
from kftune.training.ocr import (
    create_data_loaders,
    create_loss_function,
    create_model_from_config,
    create_optimizer,
    create_scheduler,
    setup_training_environment,
    train,
)
from kftune.training.ocr.batches import Batch
from kftune.training.ocr.loop import Training
from kftune.training.ocr.sizes import SIZES

# Every key of the schema, with a value other than its default.
EXPERIMENT: dict[str, Any] = {
    "experiment_name": "every_key",
    "model": {"name": "large", "config_path": "sizes.yaml"},
    "data": {
        "metadata_path": "data/metadata.yaml",
        "train_split": "val",
        "val_split": "test",
        "num_workers": 2,
        "pin_memory": True,
        "augmentation": False,
    },
    "training": {
        "device": "cpu",
        "mixed_precision": True,
        "gradient_clip_norm": 2.0,
        "log_every_n_steps": 5,
        "save_every_n_epochs": 2,
        "keep_n_checkpoints": 1,
        "use_tensorboard": False,
        "batch_size": 16,
        "learning_rate": 0.5,
        "weight_decay": 0.5,
        "num_epochs": 3,
        "loss_type": "crossentropy",
        "label_smoothing": 0.1,
    },
    "optimizer": {"type": "adamw", "learning_rate": 0.002, "weight_decay": 0.01, "betas": [0.8, 0.9]},
    "scheduler": {
        "type": "plateau",
        "warmup_epochs": 1,
        "min_lr": 1e-5,
        "step_size": 2,
        "gamma": 0.1,
        "patience": 2,
        "factor": 0.2,
    },
    "early_stopping": {"patience": 4, "min_delta": 0.01, "monitor": "val_loss", "mode": "min"},
}


def presets() -> dict[str, Any]:
    found: Any = yaml_text.load_file(ROOT / "pipelines" / "ocr" / "experiments.yaml")
    return dict(found)


@pytest.fixture
def one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> OcrHparams:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KFTUNE_DEVICE", raising=False)
    monkeypatch.delenv("KFTUNE_OUTPUT_DIR", raising=False)
    generate(tmp_path / "data" / "metadata.yaml", Recipe(train=32, val=8, test=8))
    sizes = {name: {"channels": [2, 2, 2], "hidden": 4} for name in SIZES}
    (tmp_path / "sizes.yaml").write_text(yaml_text.dump({"models": sizes}))
    changed = {"num_workers": 0, "pin_memory": False}
    return OcrHparams.from_experiment(
        {
            "experiment_name": "tiny",
            "model": {"name": "small", "config_path": "sizes.yaml"},
            "data": {"metadata_path": "data/metadata.yaml", **changed},
            "training": {"device": "cpu", "num_epochs": 2, "batch_size": 8, "use_tensorboard": False},
        }
    )


# -- TrainingConfig ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(DEFAULTS))
def test_each_field_has_its_name_and_default(name: str):
    assert OcrHparams().to_dict()[name] == DEFAULTS[name]


def test_each_key_of_the_schema_sets_its_field():
    made = create_training_config(EXPERIMENT).to_dict()
    assert made["experiment_name"] == "every_key"
    assert {name for name in DEFAULTS if made[name] == DEFAULTS[name]} == {
        *("vocab_size", "max_sequence_length", "output_dir"),  # the schema has no key for them
        "loss_type",  # ctc is for the model ctc
    }


def test_learning_rate_and_weight_decay_of_the_optimizer_come_first():
    made = OcrHparams.from_experiment(EXPERIMENT)
    assert (made.learning_rate, made.weight_decay) == (0.002, 0.01)
    part = {"training": EXPERIMENT["training"], "optimizer": {"type": "adam"}}
    assert OcrHparams.from_experiment(part).learning_rate == 0.5


def test_an_experiment_may_be_a_dict_of_a_script():
    experiment = {
        "experiment_name": "my_experiment",
        "model": {"name": "medium"},
        "training": {"batch_size": 48, "learning_rate": 0.0015, "num_epochs": 35},
        "optimizer": {"type": "adamw"},
        "scheduler": {"type": "cosine", "warmup_epochs": 2},
    }
    assert OcrHparams.from_experiment(experiment).diff(OcrHparams()) == {
        "batch_size": (48, 32),
        "num_epochs": (35, 40),
        "learning_rate": (0.0015, 0.001),
        "optimizer_type": ("adamw", "adam"),
        "scheduler_type": ("cosine", "steplr"),
        "warmup_epochs": (2, 0),
        "experiment_name": ("my_experiment", "hyperparameter_experiment"),
    }


@pytest.mark.parametrize(
    ("experiment", "error", "message"),
    [
        ({"modle": {"name": "small"}}, UnknownNameError, "did you mean 'model'"),
        ({"training": {"batchsize": 8}}, UnknownNameError, "did you mean 'batch_size'"),
        ({"model": {"name": "tiny"}}, HparamsError, "model_name"),
        ({"scheduler": {"type": "linear"}}, HparamsError, "scheduler_type"),
        ({"training": {"loss_type": "ctc"}}, HparamsError, "loss_type=ctc needs model_name=ctc"),
    ],
)
def test_what_the_schema_does_not_have_is_an_error(experiment: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        OcrHparams.from_experiment(experiment)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("conservative_small", ("small", 32, 0.001, 40, "adam", "plateau")),
        ("baseline_optimized", ("medium", 64, 0.002, 30, "adamw", "cosine")),
        ("high_learning_rate", ("medium", 96, 0.003, 25, "adam", "steplr")),
    ],
)
def test_the_presets_have_the_values_of_the_document(name: str, field: tuple[Any, ...]):
    made = OcrHparams.from_experiment(presets()["experiments"][name])
    found = (made.model_name, made.batch_size, made.learning_rate, made.num_epochs, made.optimizer_type)
    assert (*found, made.scheduler_type) == field
    assert (made.patience, made.experiment_name) == (5, name)


def test_what_a_preset_says_of_its_schedule_counts():
    made = {name: OcrHparams.from_experiment(each) for name, each in presets()["experiments"].items()}
    assert (made["baseline_optimized"].warmup_epochs, made["high_learning_rate"].step_size) == (3, 8)


# -- factories ---------------------------------------------------------------------------------------------------


def test_each_part_of_a_training_is_made_from_the_config(tiny: OcrHparams):
    device, use_amp = setup_training_environment(tiny)
    train_loader, val_loader = create_data_loaders(tiny)
    model = create_model_from_config(tiny)
    optimizer = create_optimizer(model, tiny)
    scheduler = create_scheduler(optimizer, tiny)
    assert (device, use_amp) == (torch.device("cpu"), False)
    assert (len(train_loader), len(val_loader)) == (4, 1)
    assert sum(weights.numel() for weights in model.parameters()) > 0
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert hasattr(scheduler, "step")
    assert isinstance(create_loss_function(tiny), torch.nn.Module)


@pytest.mark.parametrize(("kind", "wanted"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_both_optimizers_are_there(kind: str, wanted: type[torch.optim.Optimizer]):
    model = torch.nn.Linear(1, 1)
    config = OcrHparams.from_experiment({"optimizer": {"type": kind, "betas": [0.8, 0.9], "weight_decay": 0.01}})
    made = create_optimizer(model, config)
    assert type(made) is wanted
    assert (made.defaults["betas"], made.defaults["weight_decay"]) == ((0.8, 0.9), 0.01)


def test_each_scheduler_lowers_the_rate_as_its_fields_say():
    def rates(**fields: Any) -> list[float]:
        config = OcrHparams.from_dict({"learning_rate": 0.1, "num_epochs": 4, "min_lr": 0.001, **fields})
        optimizer = create_optimizer(torch.nn.Linear(1, 1), config)
        scheduler: Any = create_scheduler(optimizer, config)
        found = []
        for _ in range(4):
            found.append(round(optimizer.param_groups[0]["lr"], 4))
            optimizer.step()
            scheduler.step(*[1.0][: config.scheduler_type == "plateau"])
        return found

    assert rates(scheduler_type="steplr", step_size=2, gamma=0.5) == [0.1, 0.1, 0.05, 0.05]
    assert rates(scheduler_type="plateau", patience=1, factor=0.1) == [0.1, 0.1, 0.1, 0.01]
    cosine = rates(scheduler_type="cosine", warmup_epochs=1)
    assert cosine[0] < cosine[1] == max(cosine) == 0.1
    assert cosine[3] < cosine[2]


# -- what is tracked ---------------------------------------------------------------------------------------------


def test_a_training_tracks_losses_accuracies_rate_time_and_parameters(
    tiny: OcrHparams, capsys: pytest.CaptureFixture[str]
):
    assert train(tiny) == 0
    summary = json.loads(Path("training_output/tiny/summary.json").read_text())
    assert set(summary["history"][0]) >= {
        *("train_loss", "val_loss", "train_char_accuracy", "val_char_accuracy"),
        *("train_seq_accuracy", "val_seq_accuracy", "lr", "epoch_seconds"),
    }
    assert "val_char_accuracy=" in capsys.readouterr().out
    assert summary["parameters"] == sum(each.numel() for each in create_model_from_config(tiny).parameters())


def test_the_monitor_of_early_stopping_must_be_a_metric_and_fit_its_mode():
    with pytest.raises(HparamsError, match="early_stopping_monitor"):
        OcrHparams.from_experiment({"early_stopping": {"monitor": "val_acc"}})
    with pytest.raises(HparamsError, match="early_stopping_mode must be min for val_loss"):
        OcrHparams.from_experiment({"early_stopping": {"monitor": "val_loss", "mode": "max"}})


def test_errors_of_a_configuration_are_value_errors_and_errors_of_kftune():
    assert issubclass(HparamsError, ValueError)
    assert issubclass(HparamsError, KftuneError)


def test_the_targets_of_the_document_end_a_study():
    keys = presets()["targets"]
    metrics = {"val_char_accuracy": {"at_least": keys["character_accuracy"]}}
    target = {
        "metrics": {**metrics, "val_seq_accuracy": {"at_least": keys["sequence_accuracy"]}},
        "training_time_per_epoch": keys["training_time_per_epoch"],
        "convergence_epochs": keys["convergence_epochs"],
    }
    found = load_study(ROOT / "pipelines" / "ocr" / "study.yaml", [f"stopping.target={json.dumps(target)}"])
    assert [type(rule).__name__ for rule in found.stopping] == ["Asha", "Target"]


# -- errors and memory ---------------------------------------------------------------------------------------------


def test_a_model_or_data_that_cannot_be_made_have_their_own_errors(tiny: OcrHparams):
    with pytest.raises(DataLoaderError, match="there is no data set at nowhere"):
        create_data_loaders(tiny.override("metadata_path=nowhere/metadata.yaml"))
    Path("sizes.yaml").write_text("models: {small: {channels: []}}")
    with pytest.raises(ModelCreationError, match="small"):
        create_model_from_config(tiny)


class Scarce(Training):
    """A training that has memory for four pictures at a time."""

    def _gradients(self, piece: Batch, share: float) -> tuple[torch.Tensor, list[str]]:
        if len(piece[0]) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super()._gradients(piece, share)


def test_a_training_falls_back_to_smaller_pieces_when_memory_runs_out(
    tiny: OcrHparams, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kftune.training.ocr.loop.Training", Scarce)
    assert train(tiny.override("num_epochs=1")) == 0
    summary = json.loads(Path("training_output/tiny/summary.json").read_text())
    assert [each["batch_size"] for each in summary["fallbacks"]] == [[8, 4]]
