"""The adapter for the program yolo of ultralytics: its command line, what is read, signals and the way on.

Ultralytics is not installed here because of its licence. A script stands in for the program; it writes what the real
one wrote. The last test runs the real one where it is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from local_study import wait_until
from metric_parser import MetricParser

from kftune.errors import HparamsError, UsageError
from kftune.hparams.models.yolo import YoloHparams
from kftune.training import yolo
from kftune.training.yolo import Rows, command_line, train

# results.csv of ultralytics 8.4.190, and how its program adds to it: a line after each epoch.
HEADER = (
    "epoch,time,train/box_loss,train/cls_loss,train/dfl_loss,metrics/precision(B),metrics/recall(B),metrics/mAP50(B),"
    "metrics/mAP50-95(B),val/box_loss,val/cls_loss,val/dfl_loss,lr/pg0,lr/pg1,lr/pg2"
)
RECORDED = [
    "1,2.04126,0.35719,0.56888,0.21114,0.5,0.25,0.125,0.0625,0.11232,1.42146,0.06455,0.009,0.009,0.019",
    "2,5.33429,0.55604,0.69977,0.33097,0.6,0.35,0.225,0.1625,0.10995,1.42288,1e-05,0.00505,0.00505,0.00505",
    "3,8.1,0.5,0.6,0.3,0.7,0.45,0.325,0.2625,nan,inf,0.06,0.001,0.001,0.001",
]
STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, sys, time
given = dict(token.split("=", 1) for token in sys.argv[3:])
if "resume" in given:
    folder = pathlib.Path(given["model"]).parents[1]
    done = len((folder / "results.csv").read_text().splitlines()) - 1
else:
    folder, done = pathlib.Path(given["project"]) / given["name"], 0
(folder / "weights").mkdir(parents=True, exist_ok=True)
(folder / "argv.json").write_text(json.dumps([sys.argv[1:], os.environ.get("YOLO_AUTOINSTALL")]))
print("Starting training", flush=True)
for row in {RECORDED!r}[done:]:
    with (folder / "results.csv").open("a") as file:
        file.write(row + "\\n" if file.tell() else {HEADER!r} + "\\n" + row + "\\n")
    (folder / "weights" / "last.pt").write_text("weights")
    print("\\r 50%\\r100%", flush=True)
    if row[0] == os.environ.get("STAND_IN_WAITS"):
        print("a bar without an end", end="", flush=True)
        (folder / "waits").touch()
        time.sleep(60)
print("Results saved")
sys.exit(int(os.environ.get("STAND_IN_STATUS", "0")))
"""
DATA = Path("digits/data.yaml")


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, in PATH; the current folder is empty."""
    path = tmp_path / "bin" / "yolo"
    path.parent.mkdir()
    path.write_text(STAND_IN)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("KFTUNE_OUTPUT_DIR", str(tmp_path / "output"))
    monkeypatch.delenv("KFTUNE_DEVICE", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.chdir(tmp_path)
    return path


def read(path: str) -> Any:
    return json.loads(Path("output", path).read_text())


def values(command: list[str]) -> dict[str, str]:
    return dict(token.split("=", 1) for token in command[3:])


def reported(text: str) -> list[tuple[str, int | None, str]]:
    parser = MetricParser(list(yolo.COLUMNS.values()))
    return [(item.name, item.step, item.text) for item in (*parser.feed(text.encode()), *parser.close())]


# -- the command line ----------------------------------------------------------------------------------------------


def test_a_training_is_a_command_line_of_yolo(tmp_path: Path):
    hparams = YoloHparams(lr0=0.15, batch=2, optimizer="Adam", epochs=3, cos_lr=True, cache="ram")
    command = command_line(hparams, DATA, tmp_path)
    assert command[:3] == ["yolo", "detect", "train"]
    assert values(command) == {
        "model": "yolo11n.yaml",
        "data": "digits/data.yaml",
        "project": str(tmp_path),
        "name": "yolo",
        "exist_ok": "true",
        **{"lr0": "0.15", "batch": "2", "optimizer": "Adam", "epochs": "3", "cos_lr": "true", "cache": "ram"},
    }


def test_defaults_are_left_out_so_that_other_versions_take_the_line(tmp_path: Path):
    assert set(values(command_line(YoloHparams(), DATA, tmp_path))) == {"model", "data", "project", "name", "exist_ok"}


def test_a_file_of_data_is_named_in_full_and_another_name_stays(tmp_path: Path):
    Path("mine.yaml").touch()
    assert values(command_line(YoloHparams(), Path("mine.yaml"), tmp_path))["data"] == str(tmp_path / "mine.yaml")
    assert values(command_line(YoloHparams(), Path("coco8.yaml"), tmp_path))["data"] == "coco8.yaml"


@pytest.mark.parametrize(
    ("variable", "field", "device"),
    [("cpu", None, "cpu"), ("cuda", None, "0"), ("cuda:1", None, "1"), ("cpu", "0,1", "0,1")],
)
def test_the_device_is_that_of_the_class_or_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, field: str | None, device: str
):
    monkeypatch.setenv("KFTUNE_DEVICE", variable)
    assert values(command_line(YoloHparams(device=field), DATA, tmp_path))["device"] == device


def test_continuing_takes_the_checkpoint_and_only_what_may_change(tmp_path: Path):
    last = tmp_path / "yolo" / "weights" / "last.pt"
    hparams = YoloHparams(lr0=0.15, optimizer="SGD", workers=0, resume=True)
    given = values(command_line(hparams, DATA, tmp_path, last=last))
    assert given == {"model": str(last), "data": "digits/data.yaml", "resume": "true", "workers": "0"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batch": 0}, "batch must be at least 1, or -1 for what fits, but is 0"),
        ({"lr0": 0.1}, "optimizer=auto chooses lr0 and momentum itself and ignores lr0=0.1; name an optimizer"),
        ({"optimiser": "SGD"}, "did you mean 'optimizer'"),
        ({"lr0": 2, "optimizer": "SGD"}, "less than or equal to 1|at most 1"),
    ],
)
def test_a_value_without_an_effect_or_out_of_range_is_refused(given: dict[str, Any], words: str):
    with pytest.raises(HparamsError, match=words):
        YoloHparams.from_dict(given)


# -- what is read --------------------------------------------------------------------------------------------------


def test_the_epochs_are_reported_once_each(capsys: pytest.CaptureFixture[str]):
    assert train(YoloHparams(epochs=3), DATA) == 0
    out = capsys.readouterr().out
    seen = reported(out)
    first = {name: text for name, step, text in seen if step == 1}
    assert first["mAP_0.5"] == "0.125"
    assert (first["train_loss"], first["val_loss"]) == ("0.35719", "0.11232")
    assert [(step, text) for name, step, text in seen if name == "mAP_0.5_0.95"] == [
        (1, "0.0625"),
        (2, "0.1625"),
        (3, "0.2625"),
    ]
    assert "epoch 2 of 3, train/box_loss: 0.55604" in out
    assert "mAP@0.5: 0.225, mAP@0.5:0.95: 0.1625" in out
    assert out.index("Starting training") < out.index("epoch 1 of 3") < out.index("Results saved")


def test_a_value_that_is_not_finite_is_named_and_not_reported(capsys: pytest.CaptureFixture[str]):
    train(YoloHparams(epochs=3), DATA)
    out = capsys.readouterr().out
    assert "epoch 3: val_loss is nan, which is not reported" in out
    assert [step for name, step, _ in reported(out) if name == "val_loss"] == [1, 2]


def test_the_output_folder_has_the_hyperparameters_and_the_epochs():
    hparams = YoloHparams(epochs=3, imgsz=64)
    train(hparams, DATA)
    assert YoloHparams.from_dict(read("hparams.json")) == hparams
    summary = read("summary.json")
    assert (summary["status"], summary["epochs"], summary["best"]["epoch"]) == ("completed", 3, 3)
    assert [epoch["epoch"] for epoch in summary["history"]] == [1, 2, 3]
    assert summary["command"][1:3] == ["detect", "train"]


def test_yolo_installs_nothing_unless_the_user_says_so(monkeypatch: pytest.MonkeyPatch):
    train(YoloHparams(), DATA)
    assert read("yolo/argv.json")[1] == "false"
    monkeypatch.setenv("YOLO_AUTOINSTALL", "true")
    train(YoloHparams(), DATA)
    assert read("yolo/argv.json")[1] == "true"


def test_only_whole_lines_of_the_results_are_read(tmp_path: Path):
    path = tmp_path / "results.csv"
    rows = Rows(path)
    assert list(rows.new()) == []
    path.write_text(f"{HEADER}\n{RECORDED[0]}\n{RECORDED[1][:20]}")
    assert [row["epoch"] for row in rows.new()] == [1]
    path.write_text(f"{HEADER}\n{RECORDED[0]}\n{RECORDED[1]}\n")
    assert [row["val_dfl_loss"] for row in rows.new()] == [1e-05]


# -- how it ends ---------------------------------------------------------------------------------------------------


def test_the_exit_status_is_that_of_yolo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("STAND_IN_STATUS", "3")
    assert train(YoloHparams(), DATA) == 3
    assert "yolo ended with exit status 3" in capsys.readouterr().out
    assert read("summary.json")["status"] == "failed"


def test_a_signal_is_passed_on_and_a_resumed_training_continues(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    command = [sys.executable, "-m", "kftune.training", "yolo", f"--data={DATA}", "--epochs=3"]
    environment = {**os.environ, "STAND_IN_WAITS": "2"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        next(line for line in child.stdout if "step=2" in line)
        wait_until(Path("output/yolo/waits").exists)
        child.send_signal(signal.SIGTERM)
        rest = child.stdout.read()
    assert child.returncode == 128 + signal.SIGTERM
    assert "a bar without an end\nyolo ended with exit status 143" in rest
    assert read("summary.json")["status"] == "stopped"
    assert train(YoloHparams(epochs=3, resume=True), DATA) == 0
    out = capsys.readouterr().out
    assert "continues after epoch 2" in out
    assert {step for _, step, _ in reported(out)} == {3}
    assert [epoch["epoch"] for epoch in read("summary.json")["history"]] == [1, 2, 3]
    assert train(YoloHparams(epochs=3, resume=True), DATA) == 0
    assert "has a finished training" in capsys.readouterr().out


def test_resume_with_other_hyperparameters_is_refused():
    train(YoloHparams(epochs=3), DATA)
    with pytest.raises(HparamsError, match=r"resume continues only with the same .* imgsz is 64 and was 640"):
        train(YoloHparams(epochs=3, imgsz=64, resume=True), DATA)


def test_a_new_training_leaves_nothing_of_the_last_one():
    train(YoloHparams(), DATA)
    Path("output/yolo/old").touch()
    train(YoloHparams(), DATA)
    assert not Path("output/yolo/old").exists()
    assert len(read("summary.json")["history"]) == 3


def test_without_a_data_set_or_with_several_processes_nothing_starts(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match="yolo needs the file that describes its data set: --data=digits/data"):
        train(YoloHparams())
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(HparamsError, match="yolo starts its own processes, but WORLD_SIZE is 2; set device=0,1"):
        train(YoloHparams(), DATA)


def test_without_the_program_the_user_is_told_to_install_it(program: Path, monkeypatch: pytest.MonkeyPatch):
    program.unlink()
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    with pytest.raises(UsageError, match=r"kftune does not install because its licence is AGPL-3\.0; install it your"):
        train(YoloHparams(), DATA)


def test_nothing_of_ultralytics_is_imported():
    for path in Path(yolo.__file__).parents[1].rglob("*.py"):
        assert "import ultralytics" not in path.read_text(encoding="utf-8")
        assert "from ultralytics" not in path.read_text(encoding="utf-8")


REAL = shutil.which("yolo")


@pytest.mark.nightly
@pytest.mark.skipif(REAL is None, reason="needs the program yolo: pip install ultralytics==8.4.190 torchvision==0.28.0")
def test_the_real_program_trains(program: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    program.unlink()
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(program.parent))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    made = [sys.executable, "-m", "kftune.training", "detector-data", f"--dataset={DATA}", "--train=16", "--val=8"]
    assert subprocess.run(made, check=False).returncode == 0
    hparams = YoloHparams(epochs=2, imgsz=64, batch=4, workers=0, optimizer="SGD", fliplr=0, plots=False)
    assert train(hparams, DATA) == 0
    assert {step for _, step, _ in reported(capfd.readouterr().out)} == {1, 2}
