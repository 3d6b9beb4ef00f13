"""Training the models that read Khmer numbers: what is reported, kept, resumed and stopped. Trains for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from metric_parser import MetricParser, Observation
from ocr_training import one_torch_thread

from kftune import yaml_text
from kftune.errors import (
    DataLoaderError,
    HparamsError,
    MetricError,
    ModelCreationError,
    UnknownNameError,
    UsageError,
)
from kftune.hparams.models.ocr import OcrHparams
from kftune.katib.trial.event_files import scalars
from kftune.training.digits.dataset import Recipe, generate
from kftune.training.ocr import create_data_loaders, create_model_from_config, setup_training_environment, train
from kftune.training.ocr.batches import Order
from kftune.training.ocr.sizes import SIZES, size_of

METRICS = (
    "train_loss",
    "val_loss",
    "train_char_accuracy",
    "val_char_accuracy",
    "train_seq_accuracy",
    "val_seq_accuracy",
    "lr",
    "epoch_seconds",
)
REPEATED = [name for name in METRICS if name != "epoch_seconds"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "metadata.yaml"
    generate(path, Recipe(train=32, val=8, test=8))
    return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


@pytest.fixture
def values(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> dict[str, Any]:
    """A tiny training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("KFTUNE_DEVICE", raising=False)
    monkeypatch.delenv("KFTUNE_OUTPUT_DIR", raising=False)
    sizes = {name: {"channels": [2, 2, 2], "hidden": 4} for name in SIZES}
    (tmp_path / "sizes.yaml").write_text(yaml_text.dump({"models": sizes}), encoding="utf-8")
    return {
        "model_name": "small",
        "model_config_path": "sizes.yaml",
        "metadata_path": str(data),
        "batch_size": 8,
        "num_epochs": 3,
        "num_workers": 0,
        "device": "cpu",
        "use_tensorboard": False,
        "experiment_name": "tiny",
    }


def folder() -> Path:
    return Path("training_output/tiny")


def summary(path: Path | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(((path or folder()) / "summary.json").read_text(encoding="utf-8"))
    return found


def curve(path: Path | None = None) -> list[list[float]]:
    return [[epoch[name] for name in REPEATED] for epoch in summary(path)["history"]]


def parse(text: str) -> list[Observation]:
    parser = MetricParser(METRICS)
    return [*parser.feed(text.encode()), *parser.close()]


def saved() -> list[str]:
    return sorted(path.name for path in (folder() / "checkpoints").iterdir())


@pytest.mark.parametrize("model", list(SIZES))
def test_every_model_trains_and_reports_each_epoch(
    values: dict[str, Any], model: str, capsys: pytest.CaptureFixture[str]
):
    assert train(OcrHparams(**{**values, "model_name": model, "num_epochs": 2, "log_every_n_steps": 1})) == 0
    seen = parse(capsys.readouterr().out)
    assert [(item.name, item.step) for item in seen] == [(name, epoch) for epoch in (1, 2) for name in METRICS]


@pytest.mark.parametrize("model", ["small", "ctc"])
def test_a_model_learns_from_what_it_sees(values: dict[str, Any], model: str):
    hparams = OcrHparams(
        **{
            **values,
            "model_name": model,
            "model_config_path": "config/model_config.yaml",
            "augmentation": False,
            "num_epochs": 4,
            "learning_rate": 0.003,
        }
    )
    train(hparams)
    history = summary()["history"]
    assert history[-1]["train_loss"] < 0.95 * history[0]["train_loss"]


def test_the_same_seed_gives_the_same_numbers_and_any_number_of_workers_too(values: dict[str, Any]):
    curves = []
    for change in ({}, {"num_workers": 1}, {"seed": 1}):
        train(OcrHparams(**{**values, "num_epochs": 2, **change}))
        curves.append(curve())
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]


def test_the_output_folder_is_that_of_the_experiment(values: dict[str, Any]):
    train(OcrHparams(**{**values, "num_epochs": 1}))
    assert sorted(path.name for path in folder().iterdir()) == [
        "checkpoints",
        "hparams.json",
        "model.pt",
        "summary.json",
    ]
    assert summary()["experiment_name"] == "tiny"


def test_the_output_folder_is_in_the_folder_of_the_environment(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("KFTUNE_OUTPUT_DIR", str(tmp_path / "trial"))
    train(OcrHparams(**{**values, "num_epochs": 1, "output_dir": "out"}))
    assert (tmp_path / "trial" / "out" / "tiny" / "model.pt").is_file()


def test_the_best_model_and_the_checkpoints_hold_no_code(values: dict[str, Any]):
    hparams = OcrHparams(**values)
    train(hparams)
    state = torch.load(folder() / "model.pt", weights_only=True)
    create_model_from_config(hparams).load_state_dict(state["state_dict"])
    assert torch.load(folder() / "checkpoints" / saved()[-1], weights_only=True)["summary"]["epochs"] == 3


def test_checkpoints_are_saved_every_n_epochs_and_the_newest_are_kept(values: dict[str, Any]):
    train(OcrHparams(**{**values, "num_epochs": 7, "save_every_n_epochs": 2, "keep_n_checkpoints": 3}))
    assert saved() == ["epoch-0004.pt", "epoch-0006.pt", "epoch-0007.pt"]


@pytest.mark.parametrize("scheduler", ["cosine", "steplr", "plateau"])
def test_a_resumed_training_has_the_curve_of_an_uninterrupted_one(values: dict[str, Any], scheduler: str):
    values |= {"scheduler_type": scheduler, "step_size": 2, "warmup_epochs": 1, "patience": 0, "num_epochs": 5}
    train(OcrHparams(**values))
    whole, weights = curve(), torch.load(folder() / "model.pt", weights_only=True)["state_dict"]
    # Only the newest checkpoint is used, so the older one stands for an interruption.
    train(OcrHparams(**{**values, "save_every_n_epochs": 2, "keep_n_checkpoints": 9}))
    (folder() / "checkpoints" / "epoch-0005.pt").unlink()
    (folder() / "checkpoints" / "epoch-0004.pt").unlink()
    train(OcrHparams(**{**values, "resume": True}))
    assert curve() == whole
    again = torch.load(folder() / "model.pt", weights_only=True)["state_dict"]
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_resume_without_a_checkpoint_starts_from_the_beginning(values: dict[str, Any]):
    assert train(OcrHparams(**{**values, "num_epochs": 1, "resume": True})) == 0
    assert summary()["epochs"] == 1


def test_resume_with_other_hyperparameters_is_refused(values: dict[str, Any]):
    train(OcrHparams(**{**values, "num_epochs": 1}))
    with pytest.raises(HparamsError, match=r"resume goes on only with the same .* batch_size is 4 and was 8"):
        train(OcrHparams(**{**values, "batch_size": 4, "resume": True}))


def test_more_epochs_go_on_after_the_last_one(values: dict[str, Any]):
    values |= {"scheduler_type": "steplr"}
    train(OcrHparams(**{**values, "num_epochs": 2}))
    train(OcrHparams(**{**values, "num_epochs": 4, "resume": True}))
    assert [epoch["epoch"] for epoch in summary()["history"]] == [1, 2, 3, 4]


def test_a_new_training_leaves_nothing_of_the_last_one(values: dict[str, Any]):
    train(OcrHparams(**values))
    with pytest.raises(MetricError, match="losses must be finite"):
        train(OcrHparams(**{**values, "learning_rate": 1e30, "gradient_clip_norm": 1e30}))
    assert sorted(path.name for path in folder().iterdir()) == ["checkpoints", "hparams.json"]
    assert saved() == []


def test_training_ends_without_a_better_value_for_long(values: dict[str, Any]):
    train(OcrHparams(**{**values, "num_epochs": 9, "early_stopping_patience": 2, "early_stopping_min_delta": 1e9}))
    assert (summary()["status"], summary()["epochs"], summary()["best"]["epoch"]) == ("out of patience", 3, 1)


def test_the_best_epoch_is_that_of_the_monitored_metric(values: dict[str, Any]):
    monitor = {"early_stopping_monitor": "train_loss", "early_stopping_mode": "min", "early_stopping_min_delta": 0.0}
    train(OcrHparams(**{**values, **monitor}))
    losses = [epoch["train_loss"] for epoch in summary()["history"]]
    assert summary()["best"]["train_loss"] == min(losses)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)])
def test_a_signal_saves_a_checkpoint_and_a_resumed_training_ends_the_same(
    values: dict[str, Any], number: signal.Signals
):
    values |= {"num_epochs": 6, "save_every_n_epochs": 100}
    train(OcrHparams(**values))
    whole = curve()
    slow = OcrHparams(**{**values, "num_epochs": 10_000, "early_stopping_patience": None, "output_dir": "stopped"})
    command = [sys.executable, "-m", "kftune.training", "ocr", *slow.to_args()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = next(line for line in child.stdout if "val_loss" in line)
        child.send_signal(number)
        rest = child.stdout.read()
    assert child.returncode == 128 + number
    assert "step=1 " in first
    assert "stopped after" in rest
    path = Path("stopped/tiny")
    done = summary(path)["epochs"]
    assert [file.name for file in (path / "checkpoints").iterdir()] == [f"epoch-{done:04}.pt"]
    train(OcrHparams(**{**values, "output_dir": "stopped", "num_epochs": max(6, done), "resume": True}))
    assert curve(path)[:6] == whole[: len(curve(path))]


def test_mixed_precision_trains(values: dict[str, Any]):
    train(OcrHparams(**{**values, "num_epochs": 1}))
    exact = curve()
    train(OcrHparams(**{**values, "num_epochs": 1, "mixed_precision": True}))
    assert curve() != exact
    assert curve()[0][0] == pytest.approx(exact[0][0], rel=0.05)


def test_augmentation_changes_the_pictures_to_train_on_in_each_epoch_only(values: dict[str, Any]):
    for is_on in (True, False):
        train_loader, val_loader = create_data_loaders(OcrHparams(**{**values, "augmentation": is_on}))
        order = train_loader.sampler
        assert isinstance(order, Order)
        epochs = []
        for order.epoch in (1, 2):
            batches = list(train_loader)
            epochs.append(sorted(ink.sum().item() for pictures, _ in batches for ink in pictures))
        assert (epochs[0] != epochs[1]) == is_on
        assert all(torch.equal(a, b) for (a, _), (b, _) in zip(val_loader, val_loader, strict=True))


def test_more_workers_than_cores_are_not_started(values: dict[str, Any], capsys: pytest.CaptureFixture[str]):
    train_loader, _ = create_data_loaders(OcrHparams(**{**values, "num_workers": 10_000}))
    assert train_loader.num_workers < 10_000
    assert "num_workers is 10000, but there are" in capsys.readouterr().out


def test_tensorboard_gets_the_metrics_of_the_latest_training(values: dict[str, Any], tmp_path: Path):
    hparams = OcrHparams(**{**values, "num_epochs": 2, "use_tensorboard": True})
    for _ in range(2):
        train(hparams, output=tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    (file,) = (tmp_path / "out" / "tensorboard").iterdir()
    written = [float(each.text) for each in scalars(file) if each.tag == "val_loss"]
    assert written == pytest.approx([epoch["val_loss"] for epoch in summary["history"]], rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model_name": "ctc"}, "loss_type has no effect"),
        ({"model_name": "ctc", "loss_type": "ctc", "label_smoothing": 0.1}, "the CTC loss has no label_smoothing"),
        ({"scheduler_type": "plateau", "warmup_epochs": 2}, "warmup_epochs is for scheduler_type=cosine"),
    ],
)
def test_what_has_no_effect_is_named(
    values: dict[str, Any], changes: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
):
    train(OcrHparams(**{**values, "num_epochs": 1, **changes}))
    assert sentence in capsys.readouterr().out


def test_the_device_must_agree_with_the_environment(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KFTUNE_DEVICE", "cuda")
    with pytest.raises(UsageError, match="device is cpu and KFTUNE_DEVICE is cuda"):
        train(OcrHparams(**values))


def test_auto_takes_the_device_of_the_environment(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    device, use_amp = setup_training_environment(OcrHparams(**{**values, "device": "auto", "mixed_precision": True}))
    assert (device, use_amp) == (torch.device("cpu"), True)


def test_several_processes_are_refused(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(HparamsError, match="trains in one process, but WORLD_SIZE is 2"):
        train(OcrHparams(**values))


def test_without_a_file_of_sizes_those_of_kftune_count(values: dict[str, Any]):
    hparams = OcrHparams(**{**values, "model_config_path": "config/model_config.yaml", "model_name": "large"})
    assert size_of(hparams) == SIZES["large"]
    assert size_of(OcrHparams(**values)).channels == (2, 2, 2)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("[]", HparamsError, "must have the sizes of models under the key models"),
        ("models: {smal: {}}", UnknownNameError, "did you mean 'small'"),
        ("models: {small: {chanels: [1, 2, 3]}}", UnknownNameError, "did you mean 'channels'"),
        ("models: {small: 3}", HparamsError, "must be a mapping, but is 3"),
        ("models: {small: {channels: [1, 2]}}", HparamsError, "must have three channels"),
        ("models: {small: {channels: 3}}", HparamsError, "must have three channels"),
        ("models: {small: {hidden: 0}}", HparamsError, "hidden above 0"),
        ("models: {small: {hidden: true}}", HparamsError, "hidden above 0"),
        ("models: {small: {dropout: 1}}", HparamsError, "dropout from 0 to below 1"),
    ],
)
def test_a_wrong_file_of_sizes_is_an_error(values: dict[str, Any], content: str, error: type[Exception], message: str):
    Path("sizes.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(error, match=message):
        size_of(OcrHparams(**values))


def test_what_makes_the_model_and_the_batches_names_itself_in_its_errors(values: dict[str, Any]):
    Path("sizes.yaml").write_text("models: {smal: {}}", encoding="utf-8")
    with pytest.raises(ModelCreationError, match="did you mean 'small'"):
        create_model_from_config(OcrHparams(**values))
    with pytest.raises(DataLoaderError, match="there is no data set at nowhere"):
        create_data_loaders(OcrHparams(**{**values, "metadata_path": "nowhere.yaml"}))
    with pytest.raises(DataLoaderError, match="did you mean 'val'"):
        create_data_loaders(OcrHparams(**{**values, "val_split": "vall"}))


def test_a_training_does_not_go_on_with_a_model_of_another_size(values: dict[str, Any]):
    train(OcrHparams(**{**values, "num_epochs": 1}))
    sizes = {"models": {"small": {"channels": [2, 2, 2], "hidden": 6}}}
    Path("sizes.yaml").write_text(yaml_text.dump(sizes), encoding="utf-8")
    with pytest.raises(HparamsError, match=r"a model of the same size, but the checkpoint in .* does not fit"):
        train(OcrHparams(**{**values, "resume": True}))


@pytest.mark.nightly  # the default run kills a training of the LSTM
def test_killed_at_any_moment_a_training_leaves_whole_files(values: dict[str, Any]):
    hparams = OcrHparams(**{**values, "num_epochs": 10_000, "save_every_n_epochs": 1, "early_stopping_patience": None})
    child = subprocess.Popen(
        [sys.executable, "-m", "kftune.training", "ocr", *hparams.to_args()], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    next(line for line in child.stdout if b"val_loss" in line)
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    for name in saved():
        torch.load(folder() / "checkpoints" / name, weights_only=True)
    assert train(OcrHparams(**{**hparams.to_dict(), "resume": True, "num_epochs": 1})) == 0
