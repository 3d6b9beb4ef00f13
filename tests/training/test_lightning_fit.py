"""Training typed models: what is reported and kept, going on after a stop, and trying again with less memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_net import Net, NetRun, sums, train
from metric_parser import MetricParser
from places import ROOT
from torch import Tensor

from kftune.errors import HparamsError, MetricError, MissingExtraError, UsageError
from kftune.katib.trial.event_files import scalars
from kftune.training import Data, FitResult, evaluate, fit
from kftune.training.lightning.fallback import Effort
from kftune.training.memory import memory_problem

SCRIPT = str(ROOT / "tests" / "support" / "lightning_net.py")
QUICK = ("trainer.max_epochs=4", "data.batch_size=20", "trainer.loggers=[]", "model.optimizer.kwargs.lr=0.01")


@pytest.fixture(autouse=True)
def output_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "output"
    monkeypatch.setenv("KFTUNE_OUTPUT_DIR", str(folder))
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder


def quick(*overrides: str) -> NetRun:
    return NetRun().override(*QUICK, *overrides)


def curve(found: FitResult) -> list[dict[str, float]]:
    return [{name: value for name, value in epoch.items() if "system" not in name} for epoch in found.history]


def child(*args: str, timeout: int = 150, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *args]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)


def stopped(command: list[str]) -> tuple[int, str]:
    """Sends SIGTERM to a training in its third epoch; returns its status and what it printed after that."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "step=2" in line)
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        return process.wait(60), rest


class Kill(pl.Callback):
    """Sends a signal to this process after a batch."""

    def __init__(self, epoch: int, batch: int, number: int = signal.SIGTERM) -> None:
        self.place = epoch, batch
        self.number = number

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if (trainer.current_epoch, args[-1]) == self.place:
            os.kill(os.getpid(), self.number)


def test_epochs_are_reported_and_the_best_are_kept(output_dir: Path, capsys: pytest.CaptureFixture[str]):
    found = train(quick("trainer.loggers=[console, tensorboard]"))
    names = ("train/loss", "train/mae", "validation/loss", "validation/mae", "system/examples_per_second")
    parser = MetricParser(names)
    seen = [*parser.feed(capsys.readouterr().out.encode()), *parser.close()]
    assert {(item.name, item.step) for item in seen} == {(name, step) for name in names for step in (1, 2, 3, 4)}
    losses = [epoch["validation/loss"] for epoch in found.history]
    assert losses == sorted(losses, reverse=True)
    assert found.best == {"epoch": 4, **found.metrics}
    kept = sorted(path.name.partition("-")[0] for path in (output_dir / "checkpoints").iterdir())
    assert kept == ["epoch=2", "epoch=3", "epoch=4", "last.ckpt"]
    assert found.best_checkpoint is not None
    assert f"validation_loss={losses[-1]:.2f}" in found.best_checkpoint.name
    (file,) = (output_dir / "tensorboard").iterdir()
    logged = [float(each.text) for each in scalars(file) if each.tag == "validation/loss"]
    assert logged == pytest.approx(losses, rel=1e-6)
    assert {each.tag for each in scalars(file)} > {"train/loss", "system/rss_mib"}


def test_the_summary_says_what_was_trained_and_what_it_cost(output_dir: Path):
    found = train(quick())
    summary = json.loads((output_dir / "summary.json").read_text())
    assert (summary["status"], summary["epochs"], summary["parameters"]) == ("completed", 4, 49)
    assert summary["history"] == found.history
    costs = {name for epoch in summary["history"] for name in epoch if name.startswith("system/")}
    assert costs == {f"system/{name}" for name in ("seconds", "examples_per_second", "cpu_percent", "rss_mib")}
    assert json.loads((output_dir / "hparams.json").read_text()) == quick().model.to_dict()


def test_metrics_go_out_for_a_pipeline(tmp_path: Path):
    paths = {"metrics": tmp_path / "metrics.json", "executor_output": tmp_path / "executor.json"}
    found = train(quick("trainer.max_epochs=1"), **paths)
    metrics = json.loads(paths["metrics"].read_text())
    shown = json.loads(paths["executor_output"].read_text())["artifacts"]["metrics"]["artifacts"][0]["metadata"]
    assert metrics == shown == {name: value for name, value in found.best.items() if name != "epoch"}


def test_the_page_of_kfp_needs_the_metrics_that_it_shows(tmp_path: Path):
    with pytest.raises(HparamsError, match="give both"):
        train(quick(), executor_output=tmp_path / "executor.json")


def test_a_checkpoint_holds_no_code_and_gives_the_model_back(output_dir: Path):
    found = train(quick("model.hidden=5"))
    assert found.best_checkpoint is not None
    state = torch.load(found.best_checkpoint, weights_only=True)
    assert state["hyper_parameters"] == quick("model.hidden=5").model.to_dict()
    again = Net.load_from_checkpoint(found.best_checkpoint, weights_only=True)
    assert again.thparams.hidden == 5
    assert all(torch.equal(value, state["state_dict"][name]) for name, value in again.state_dict().items())


def test_a_trained_model_is_measured_on_the_data_for_the_test(capsys: pytest.CaptureFixture[str]):
    found = train(quick())
    assert found.best_checkpoint is not None
    data = Data(sums(), quick().data)
    measured = evaluate(Net(), data, checkpoint=found.best_checkpoint)
    net = Net.load_from_checkpoint(found.best_checkpoint, weights_only=True).eval()
    inputs, targets = (torch.stack(parts) for parts in zip(*data.test, strict=True))
    assert measured["test/loss"] == pytest.approx((net(inputs) - targets).square().mean().item(), rel=1e-5)
    assert f"test/loss={measured['test/loss']!r}" in capsys.readouterr().out


SCHEDULES = {
    "none": [],
    "step": ["module_name=torch.optim.lr_scheduler.StepLR", "kwargs={step_size: 1, gamma: 0.5}"],
    "plateau": ["module_name=torch.optim.lr_scheduler.ReduceLROnPlateau", "kwargs={patience: 0, threshold: 0.5}"],
    "each step": ["module_name=torch.optim.lr_scheduler.CosineAnnealingLR", "kwargs={T_max: 32}", "interval=step"],
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("batches", [1, 3])
def test_an_interrupted_training_gives_the_same_curve(schedule: str, batches: int, tmp_path: Path):
    scheduler = [f"model.scheduler.{each}" for each in SCHEDULES[schedule]]
    hparams = quick(*scheduler, f"trainer.accumulate_grad_batches={batches}")
    whole = train(hparams, output=tmp_path / "whole")
    with pytest.raises(SystemExit) as stopped:
        train(hparams, callbacks=[Kill(epoch=1, batch=3)])
    assert stopped.value.code == 143
    rest = train(hparams)
    assert curve(rest) == curve(whole)
    weights = (torch.load(each.folder / "checkpoints/last.ckpt", weights_only=True) for each in (whole, rest))
    first, second = (each["state_dict"] for each in weights)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_longer_training_goes_on_from_the_last_epoch(schedule: str, tmp_path: Path):
    scheduler = [f"model.scheduler.{each}" for each in SCHEDULES[schedule]]
    hparams = quick(*scheduler)
    whole = train(hparams, output=tmp_path / "whole")
    half = train(hparams.override("trainer.max_epochs=2"))
    rest = train(hparams, resume=half.folder / "checkpoints" / "last.ckpt")
    assert curve(rest) == curve(whole)


class Fail(pl.Callback):
    """Raises an error in the third epoch."""

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if (trainer.current_epoch, args[-1]) == (2, 3):
            raise ConnectionError("the disk is gone")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_training_that_failed_goes_on_from_its_last_epoch(schedule: str, tmp_path: Path):
    hparams = quick(*(f"model.scheduler.{each}" for each in SCHEDULES[schedule]))
    whole = train(hparams, output=tmp_path / "whole")
    with pytest.raises(ConnectionError):
        train(hparams, callbacks=[Fail()])
    assert curve(train(hparams)) == curve(whole)


def test_a_signal_at_the_end_of_an_epoch_lets_it_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    whole = train(quick(), output=tmp_path / "whole")
    capsys.readouterr()
    with pytest.raises(SystemExit):
        train(quick(), callbacks=[Kill(epoch=0, batch=7)])
    assert "step=1 validation/loss" in capsys.readouterr().out
    assert curve(train(quick())) == curve(whole)


class KillEarly(pl.Callback):
    """Sends SIGTERM before the first batch, when Lightning has the handler."""

    def on_sanity_check_start(self, *args: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("batches", [1, 3])
def test_a_signal_before_the_first_batch_ends_with_143_too(batches: int, tmp_path: Path):
    hparams = quick(f"trainer.accumulate_grad_batches={batches}")
    whole = train(hparams, output=tmp_path / "whole")
    with pytest.raises(SystemExit) as stopped:
        train(hparams, callbacks=[KillEarly()])
    assert stopped.value.code == 143
    assert curve(train(hparams)) == curve(whole)


def test_a_signal_in_the_last_batch_of_all_lets_training_complete():
    assert train(quick(), callbacks=[Kill(epoch=3, batch=7)]).status == "completed"


def test_an_interrupted_training_with_other_hyperparameters_begins_anew(output_dir: Path):
    with pytest.raises(SystemExit):
        train(quick(), callbacks=[Kill(epoch=1, batch=3, number=signal.SIGINT)])
    assert (output_dir / "checkpoints" / "preempted.ckpt").is_file()
    found = train(quick("model.hidden=4", "trainer.max_epochs=1"))
    assert (found.epochs, found.parameters) == (1, 25)
    assert not (output_dir / "checkpoints" / "preempted.ckpt").exists()


def test_a_finished_training_begins_anew(output_dir: Path):
    train(quick())
    found = train(quick("trainer.max_epochs=1"))
    assert found.epochs == 1
    assert sorted(path.name[:7] for path in (output_dir / "checkpoints").iterdir()) == ["epoch=1", "last.ck"]


def test_sigterm_ends_a_process_with_143_and_the_same_command_goes_on(output_dir: Path):
    args = [f"--{each}" for each in ("trainer.max_epochs=100000", "data.batch_size=20")]
    status, rest = stopped([sys.executable, SCRIPT, *args])
    assert status == 143
    assert "stopped by signal 15; the same command goes on" in rest
    at = torch.load(output_dir / "checkpoints" / "preempted.ckpt", weights_only=True)["epoch"]
    done = child(f"--trainer.max_epochs={at + 1}", "--data.batch_size=20")
    assert done.returncode == 0, done.stderr
    assert f"step={at + 1} " in done.stdout
    assert "step=1 " not in done.stdout


@pytest.mark.slow
def test_a_process_that_runs_out_of_memory_tries_a_smaller_batch(output_dir: Path):
    done = child("--trainer.max_epochs=1", WIDE="2000000", LIMIT_MIB="450")
    assert done.returncode == 0, done.stderr
    assert "trying again with batch_size 64 to 32, accumulate 1 to 2" in done.stdout
    (change,) = json.loads((output_dir / "summary.json").read_text())["fallbacks"]
    assert (change["batch_size"], change["accumulate"]) == ([64, 32], [1, 2])


@pytest.mark.nightly
@pytest.mark.slow
def test_fallback_can_be_switched_off():
    done = child("--trainer.fallback.enabled=false", WIDE="2000000", LIMIT_MIB="450")
    assert done.returncode == 1
    assert "can't allocate memory" in done.stderr
    assert "trying again" not in done.stdout


class OutOfMemory(Net):
    """A net that has memory for batches of some size only, from an epoch on."""

    most, from_epoch = 20, 0

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if len(batch[0]) > self.most and self.current_epoch >= self.from_epoch:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return super().training_step(batch, batch_idx)


def train_with_less(*overrides: str, **options: Any) -> FitResult:
    torch.manual_seed(0)
    hparams = quick("model.dropout=0", "data.batch_size=40", *overrides)
    return fit(OutOfMemory(hparams.model), Data(sums(), hparams.data), hparams.trainer, **options)


def test_a_smaller_batch_with_more_accumulation_learns_the_same(tmp_path: Path):
    found = train_with_less()
    plain = train(quick("model.dropout=0", "data.batch_size=40"), output=tmp_path / "plain")
    losses = [epoch["validation/loss"] for epoch in found.history]
    assert losses == pytest.approx([epoch["validation/loss"] for epoch in plain.history], rel=1e-5)
    assert [change["batch_size"] for change in found.fallbacks] == [[40, 20]]


def test_memory_that_runs_out_later_costs_only_its_epoch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(OutOfMemory, "from_epoch", 2)
    found = train_with_less()
    assert [change["epoch"] for change in found.fallbacks] == [3]
    assert [epoch["epoch"] for epoch in found.history] == [1, 2, 3, 4]


def test_a_training_that_goes_on_keeps_its_smaller_batch(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        train_with_less(callbacks=[Kill(epoch=1, batch=3)])
    assert "trying again" in capsys.readouterr().out
    found = train_with_less()
    assert "trying again" not in capsys.readouterr().out
    assert [change["batch_size"] for change in found.fallbacks] == [[40, 20]]


@pytest.mark.parametrize(
    "limit", ["halvings=0", "min_batch_size=30", "order=[precision]", "enabled=false"], ids=lambda text: text
)
def test_the_limits_of_the_fallback_hold(limit: str):
    with pytest.raises((MemoryError, torch.OutOfMemoryError), match="20 GiB"):
        train_with_less(f"trainer.fallback.{limit}")


def test_what_is_tried_next_is_a_smaller_batch_and_then_fewer_bits():
    hparams = quick("trainer.fallback.halvings=1").trainer.fallback
    first = Effort(batch_size=40, accumulate=1, precision="32")
    second = first.smaller(hparams, 1)
    assert second == Effort(batch_size=20, accumulate=2, precision="32", halvings=1)
    third = second.smaller(hparams, 1)
    assert third == Effort(batch_size=20, accumulate=2, precision="bf16-mixed", halvings=1)
    assert third.smaller(hparams, 1) is None
    assert Effort(None, 1, "32").smaller(hparams, 1) == Effort(None, 1, "bf16-mixed")


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    assert memory_problem(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    assert memory_problem(KeyError("out of memory")) is None
    assert memory_problem(MemoryError()) == "MemoryError"


@pytest.mark.slow
def test_two_processes_learn_what_one_does(output_dir: Path):
    args = ["--trainer.max_epochs=2", "--data.batch_size=20", "--model.dropout=0"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", SCRIPT, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step=1 validation/loss") == 1
    both = json.loads((output_dir / "summary.json").read_text())
    alone = train(NetRun.from_args(args))
    assert both["processes"] == 2
    for name in ("train/loss", "validation/loss", "validation/mae"):
        assert [epoch[name] for epoch in both["history"]] == pytest.approx(
            [epoch[name] for epoch in alone.history], rel=1e-4
        )


@pytest.mark.nightly
def test_two_processes_stop_together_and_go_on(output_dir: Path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", SCRIPT, "--data.batch_size=4"]
    status, rest = stopped([*command, "--trainer.max_epochs=100000"])
    assert status != 0
    assert "stopped by signal 15" in rest
    at = torch.load(output_dir / "checkpoints" / "preempted.ckpt", weights_only=True)["epoch"]
    done = subprocess.run(
        [*command, f"--trainer.max_epochs={at + 1}"], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "step=1 " not in done.stdout


@pytest.mark.parametrize(
    "override",
    ["precision=bf16-mixed", "precision=64", "gradient_clip_val=0.1", "limit_train_batches=2", "deterministic=true"],
)
def test_settings_of_the_trainer_reach_the_training(override: str, tmp_path: Path):
    plain = train(quick("trainer.max_epochs=1", "model.optimizer.module_name=torch.optim.SGD"), output=tmp_path / "a")
    hparams = quick("trainer.max_epochs=1", "model.optimizer.module_name=torch.optim.SGD", f"trainer.{override}")
    found = train(hparams, output=tmp_path / "b")
    same = override == "deterministic=true"
    assert (curve(found) == curve(plain)) is same


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's, about its own code
@pytest.mark.nightly
def test_a_compiled_model_learns_the_same(tmp_path: Path):
    plain = train(quick("model.dropout=0"), output=tmp_path / "plain")
    found = train(quick("model.dropout=0", "trainer.compile=true"))
    assert found.metrics == pytest.approx(plain.metrics, rel=1e-4)


def test_training_stops_early():
    found = train(quick("model.optimizer.kwargs.lr=0", "model.early_stopping={patience: 1}", "trainer.max_epochs=9"))
    assert (found.status, found.epochs) == ("stopped early", 2)


def test_a_loss_that_is_not_finite_ends_training_with_advice():
    with pytest.raises(MetricError, match=r"train/loss is nan.*lower the learning rate"):
        train(quick("model.optimizer.module_name=torch.optim.SGD", "model.optimizer.kwargs={lr: 1e30}"))


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("model.checkpoint.filename='{epoch}-{val_loss:.2f}'", "no metric 'val_loss' is logged; did you mean"),
        ("model.checkpoint.monitor=validation/los", "checkpoint: no metric 'validation/los' is logged; did you mean"),
        ("model.early_stopping={monitor: val_loss}", "early_stopping: no metric 'val_loss' is logged; did you mean"),
        ("trainer.devices=2", "torchrun --nproc-per-node=2"),
        pytest.param(
            "data.split=[1, 0, 0]",
            "no metric 'validation/loss' is logged; there is no data for a validation",
            marks=pytest.mark.filterwarnings("ignore:Total length of"),
        ),
    ],
)
def test_what_nobody_logs_or_has_is_an_error(override: str, problem: str):
    with pytest.raises((HparamsError, UsageError), match=problem):
        train(quick(override))


@pytest.mark.parametrize("device", ["tpu", "cpu:1", "cuda:x"])
def test_an_unknown_device_is_refused(device: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KFTUNE_DEVICE", device)
    with pytest.raises(UsageError, match="KFTUNE_DEVICE must be"):
        train(quick())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(("device", "asked"), [("", "trainer.accelerator is gpu"), ("cuda", "KFTUNE_DEVICE is cuda")])
def test_a_gpu_that_is_not_there_is_refused(device: str, asked: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KFTUNE_DEVICE", device)
    with pytest.raises(UsageError, match=f"{asked}, but torch finds no GPU here"):
        train(quick("trainer.accelerator=gpu"))


def test_a_checkpoint_to_go_on_from_must_exist(tmp_path: Path):
    with pytest.raises(HparamsError, match="resume must be a checkpoint"):
        train(quick(), resume=tmp_path / "none.ckpt")
    with pytest.raises(HparamsError, match="there is no"):
        evaluate(Net(), sums(), checkpoint=tmp_path / "none.ckpt")


@pytest.mark.parametrize("content", [b"", b"text", b"PK"])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "some.ckpt"
    path.write_bytes(content)
    with pytest.raises(HparamsError, match=r"some\.ckpt must be a checkpoint"):
        train(quick(), resume=path)
    with pytest.raises(HparamsError, match=r"some\.ckpt must be a checkpoint"):
        evaluate(Net(), Data(sums()), checkpoint=path)


def test_a_limit_of_batches_holds_for_examples_when_the_batch_is_halved():
    found = train_with_less("trainer.limit_train_batches=2", "trainer.max_epochs=1", "model.optimizer.kwargs.lr=0")
    plain = train(
        quick(
            "model.dropout=0",
            "data.batch_size=40",
            "trainer.limit_train_batches=2",
            "trainer.max_epochs=1",
            "model.optimizer.kwargs.lr=0",
        ),
        resume=None,
    )
    assert found.metrics == pytest.approx(plain.metrics, rel=1e-5)


def test_data_modules_of_lightning_are_trained_too():
    class Plain(pl.LightningDataModule):
        def train_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(sums(), batch_size=50)

    hparams = quick("model.checkpoint.monitor=train/loss", "model.checkpoint.filename='{epoch}'")
    found = fit(Net(hparams.model), Plain(), hparams.trainer)
    assert found.epochs == 4
    assert found.history[0]["system/examples_per_second"] > 0


def test_a_training_of_another_folder_leaves_its_files_alone(tmp_path: Path):
    other = tmp_path / "shared" / "best.ckpt"
    other.parent.mkdir()
    other.touch()
    train(quick("trainer.max_epochs=1", f"model.checkpoint.dirpath={other.parent}"))
    assert other.exists()
    assert (other.parent / "last.ckpt").is_file()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of MLflow and SQLAlchemy
def test_mlflow_writes_a_database_without_a_server(output_dir: Path):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    found = train(quick("trainer.max_epochs=2", "trainer.loggers=[mlflow]", "trainer.experiment=sums"))
    client = mlflow.MlflowClient(f"sqlite:///{output_dir}/mlflow.db")
    (kept,) = client.search_runs([client.get_experiment_by_name("sums").experiment_id])
    assert kept.data.metrics["validation/loss"] == pytest.approx(found.metrics["validation/loss"])
    assert kept.data.params["model/optimizer/module_name"] == "torch.optim.Adam"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of wandb
def test_wandb_writes_files_without_a_key(output_dir: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    train(quick("trainer.max_epochs=1", "trainer.loggers=[wandb]"))
    assert [path.suffix for path in output_dir.glob("wandb/offline-run-*/*.wandb")] == [".wandb"]


@pytest.mark.parametrize("package", ["wandb", "mlflow"])
def test_a_logger_that_is_not_installed_names_its_extra(package: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"kftune\[{package}\]"):
        train(quick(f"trainer.loggers=[{package}]"))
