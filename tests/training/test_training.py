"""Training the LSTM: what it reports, keeps and repeats. Trains for real, a few epochs of a small model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from metric_parser import MetricParser, Observation

from kftune.errors import HparamsError, MetricError, UsageError
from kftune.hparams.models.lstm import LstmHparams
from kftune.hparams.registry import BUILT_IN, load_hparams, trainer_of
from kftune.training.__main__ import main
from kftune.training.data import load_circuit
from kftune.training.lstm import Forecaster, evaluate, load_trained, split_circuit, train
from kftune.training.models import Trainer
from kftune.training.process import Process

NAMES = ("train_loss", "val_loss", "val_mae")
SMALL: dict[str, Any] = {"lstm_units": 16, "epochs": 2, "batch_size": 64, "learning_rate": 0.005}


@pytest.fixture(autouse=True)
def output_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "output"
    monkeypatch.setenv("KFTUNE_OUTPUT_DIR", str(folder))
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder


def parse(text: str) -> list[Observation]:
    parser = MetricParser(NAMES)
    return [*parser.feed(text.encode()), *parser.close()]


def of(observations: list[Observation], name: str) -> list[float]:
    return [observation.value for observation in observations if observation.name == name]


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return found


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "kftune.training", *args]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*args), capture_output=True, text=True, timeout=120, check=False)


def test_every_built_in_model_has_a_trainer():
    for entry in BUILT_IN:
        hparams = load_hparams(entry["class_name"])
        assert trainer_of(hparams) == f"kftune.training.{entry['model_type']}:train"
        assert callable(Trainer(hparams))


def test_epochs_are_reported_and_train_loss_falls(capsys: pytest.CaptureFixture[str]):
    status = train(LstmHparams(**{**SMALL, "epochs": 3}))
    seen = parse(capsys.readouterr().out)
    assert status == 0
    assert [(item.name, item.step) for item in seen] == [(name, epoch) for epoch in (1, 2, 3) for name in NAMES]
    losses = of(seen, "train_loss")
    assert losses == sorted(losses, reverse=True)


def test_training_beats_the_baselines(output_dir: Path):
    train(LstmHparams(lstm_units=32, epochs=15, batch_size=32, learning_rate=0.005))
    found = summary(output_dir)
    to_beat = min(errors["loss"] for errors in found["baselines"].values())
    assert found["best"]["val_loss"] < 0.6 * to_beat
    assert found["status"] == "completed"


def test_the_same_seed_gives_the_same_numbers(capsys: pytest.CaptureFixture[str]):
    outputs = []
    for seed in (3, 3, 4):
        train(LstmHparams(**SMALL, seed=seed, dropout=0.2))
        outputs.append([item.text for item in parse(capsys.readouterr().out)])
    assert outputs[0] == outputs[1]
    assert outputs[0] != outputs[2]


def test_the_best_epoch_can_be_loaded_and_gives_the_same_val_loss(output_dir: Path):
    train(LstmHparams(**{**SMALL, "epochs": 6, "learning_rate": 0.02}))
    hparams, model, scale = load_trained(output_dir)
    parts = split_circuit(load_circuit(hparams.circuit), hparams)
    errors = evaluate(model, parts.val, scale)
    assert scale == parts.scale
    assert errors.loss == summary(output_dir)["best"]["val_loss"]
    assert errors.mae == summary(output_dir)["best"]["val_mae"]


def test_the_checkpoint_holds_no_code_and_its_hparams_lie_beside_it(output_dir: Path):
    hparams = LstmHparams(**SMALL)
    train(hparams)
    state = torch.load(output_dir / "model.pt", weights_only=True)
    assert set(state) == {"state_dict", "scale"}
    assert LstmHparams.from_dict(json.loads((output_dir / "hparams.json").read_text())) == hparams
    assert sorted(path.name for path in output_dir.iterdir()) == ["hparams.json", "model.pt", "summary.json"]


def test_a_new_training_leaves_nothing_of_the_last_one(output_dir: Path):
    train(LstmHparams(**SMALL))
    with pytest.raises(MetricError, match="losses must be finite"):
        train(LstmHparams(**{**SMALL, "learning_rate": 1e30, "clip_norm": 1e30}))
    assert not (output_dir / "model.pt").exists()
    with pytest.raises(HparamsError, match=r"model\.pt is missing"):
        load_trained(output_dir)


def test_patience_ends_training_early(output_dir: Path):
    train(LstmHparams(lstm_units=8, epochs=200, batch_size=64, learning_rate=0.1, patience=3))
    found = summary(output_dir)
    assert found["status"] == "out of patience"
    assert found["epochs"] == found["best"]["epoch"] + 3 < 200


def test_the_model_starts_from_the_last_reading():
    model = Forecaster(LstmHparams(horizon_hours=4))
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    seen = torch.randn(5, 24, 3)
    assert torch.equal(model(seen), seen[:, -1:, 0].expand(5, 4))


@pytest.mark.parametrize("layers", [1, 2])
def test_width_and_depth_are_those_asked_for(layers: int):
    model = Forecaster(LstmHparams(lstm_units=24, layers=layers, horizon_hours=5))
    assert model.lstm.hidden_size == 24
    assert model.lstm.num_layers == layers
    assert model(torch.zeros(2, 24, 3)).shape == (2, 5)


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KFTUNE_DEVICE", "abacus")
    with pytest.raises(UsageError, match="KFTUNE_DEVICE must be cpu, cuda or cuda:N, but is 'abacus'"):
        train(LstmHparams(**SMALL))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_a_cuda_device_too_many_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KFTUNE_DEVICE", "cuda")
    with pytest.raises(UsageError, match="torch finds 0"):
        train(LstmHparams(**SMALL))


@pytest.mark.gpu
def test_the_same_seed_gives_the_same_numbers_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("KFTUNE_DEVICE", "cuda")
    outputs = []
    for _ in range(2):
        train(LstmHparams(**SMALL, layers=2, dropout=0.2))
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_the_command_trains_and_prints_lines_that_the_parser_reads(output_dir: Path):
    done = run("LstmHparams", "--lstm-units=16", "--epochs=2", "--batch_size=64", "--circuit=PLANT002/CIRCUIT07")
    assert done.returncode == 0, done.stderr
    seen = parse(done.stdout)
    assert [item.name for item in seen] == [*NAMES, *NAMES]
    assert min(of(seen, "val_loss")) == summary(output_dir)["best"]["val_loss"]
    assert summary(output_dir)["circuit"] == "PLANT002/CIRCUIT07"
    assert done.stderr == ""


def test_own_readings_are_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output_dir: Path):
    circuit = load_circuit("PLANT009/CIRCUIT01")
    rows = [f"{time.isoformat()},{flow}" for time, flow in zip(circuit.times, circuit.flow, strict=True)]
    (tmp_path / "OWN.csv").write_text("\n".join(["time,flow", *rows[:400]]), encoding="utf-8")
    monkeypatch.setenv("KFTUNE_DATA", str(tmp_path))
    train(LstmHparams(**SMALL, circuit="OWN"))
    assert summary(output_dir)["windows"]["train"] < 300


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_signal_ends_training_with_the_best_model_kept(output_dir: Path, number: int, status: int):
    arguments = command("lstm", "--lstm_units=16", "--epochs=100000")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "step=3 " in line)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (status, "")
    found = summary(output_dir)
    assert found["status"] == "stopped"
    assert found["epochs"] >= 3
    assert len(of(parse(rest), "val_loss")) == found["epochs"] - 3
    hparams, model, scale = load_trained(output_dir)
    val = split_circuit(load_circuit(hparams.circuit), hparams).val
    assert evaluate(model, val, scale).loss == pytest.approx(found["best"]["val_loss"], rel=1e-6)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux to see that torch is being imported")
def test_a_stop_signal_while_torch_is_imported_ends_the_process(output_dir: Path):
    # The first process of a container is not ended by a signal without a handler; here that would give -15.
    with subprocess.Popen(command("lstm", "--epochs=100000"), stderr=subprocess.PIPE, text=True) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        until = time.monotonic() + 60
        while "libtorch" not in maps.read_text() and time.monotonic() < until:
            time.sleep(0.005)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, "")
    assert not output_dir.exists()


def test_torch_uses_the_threads_that_omp_num_threads_allows():
    code = (
        "import torch; from kftune.training.process import start_process\n"
        "with start_process(0): print(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.nightly  # the default run has two processes of a typed model
@pytest.mark.slow
def test_two_processes_learn_what_one_does(output_dir: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["lstm", "--lstm_units=16", "--epochs=2", "--batch_size=31"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    both = subprocess.run(
        [*torchrun, "-m", "kftune.training", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert both.returncode == 0, both.stderr
    assert summary(output_dir)["processes"] == 2
    train(LstmHparams.from_args(arguments[1:]))
    alone = parse(capsys.readouterr().out)
    together = parse(both.stdout)
    assert [(item.name, item.step) for item in together] == [(item.name, item.step) for item in alone]
    assert [item.value for item in together] == pytest.approx([item.value for item in alone], rel=1e-4)


def test_a_batch_must_give_each_process_a_window():
    process = Process(torch.device("cpu"), rank=0, world_size=4, output_dir=Path(), data_dir=None)
    process.check_batch_size(4)
    with pytest.raises(HparamsError, match="batch_size must be at least the number of processes"):
        process.check_batch_size(3)


MISTAKES = {
    "no model": (
        [],
        "the first argument must be the model to train (lstm, ocr, detector, yolo, or module:Class) or a step "
        "(data, ocr-data, detector-data, evaluate, register), but got nothing",
    ),
    "a flag first": (
        ["--epochs=3"],
        "the first argument must be the model to train (lstm, ocr, detector, yolo, or module:Class) or a step "
        "(data, ocr-data, detector-data, evaluate, register), but got --epochs=3",
    ),
    "a misspelt model": (["lsmt"], "did you mean 'lstm'?"),
    "a misspelt step": (["evalute"], "did you mean 'evaluate'?"),
    "a misspelt flag": (["lstm", "--learning_rat=0.1"], "did you mean 'learning_rate'?"),
    "a value out of bounds": (["lstm", "--learning_rate=0"], "learning_rate"),
    "a value of another type": (["lstm", "--epochs=many"], "epochs"),
    "a circuit that is none": (["lstm", "--circuit=CIRCUIT01"], "a name must be like PLANT001/CIRCUIT01"),
}


@pytest.mark.parametrize(("argv", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gives_one_message_and_exit_status_2(argv: list[str], text: str, capsys: pytest.CaptureFixture[str]):
    status = main(argv)
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.startswith("kftune.training: ")
    assert text in printed.err
    assert printed.err.count("\n") == 1


def test_a_mistake_on_a_real_command_line_shows_no_traceback():
    done = run("lstm", "--epoch=3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "epochs" in done.stderr


def test_losses_that_are_not_finite_fail_the_training(capsys: pytest.CaptureFixture[str]):
    status = main(["lstm", "--learning_rate=1e30", "--clip_norm=1e30", "--lstm_units=4", "--epochs=3"])
    printed = capsys.readouterr()
    assert status == 1
    assert "lower learning_rate" in printed.err


def test_an_output_folder_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("KFTUNE_OUTPUT_DIR", str(tmp_path / "file" / "output"))
    status = main(["lstm", "--epochs=1", "--lstm_units=4"])
    assert status == 1
    assert str(tmp_path / "file" / "output") in capsys.readouterr().err


def test_help_and_mistakes_need_no_torch():
    code = """
import sys
from kftune.training.__main__ import main
assert main(["--help"]) == 0 and main(["lstm", "--help"]) == 0 and main(["lstm", "--nonsense=1"]) == 2
assert "torch" not in sys.modules and "numpy" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    for expected in ("lstm  ", "--learning_rate", "Step size of Adam", "KFTUNE_OUTPUT_DIR"):
        assert expected in done.stdout


def test_without_torch_the_message_names_the_extra():
    code = """
import sys
sys.modules["torch"] = None
from kftune.training.__main__ import main
sys.exit(main(["lstm"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "pip install 'kftune[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_training_leaves_only_complete_files(output_dir: Path):
    arguments = command("lstm", "--lstm_units=16", "--epochs=100000", "--learning_rate=0.0001")
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (output_dir / "model.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
    hparams, _, _ = load_trained(output_dir)
    assert hparams.learning_rate == 0.0001
