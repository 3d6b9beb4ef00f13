"""Training the detector: what is reported, kept, resumed and stopped. Trains for real, mostly a tiny model."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from metric_parser import MetricParser, Observation
from places import ROOT

from kftune.errors import HparamsError, MetricError
from kftune.hparams.models.detector import DetectorHparams
from kftune.study import load_study
from kftune.training.__main__ import main
from kftune.training.detector import train
from kftune.training.detector.canvases import draw_canvas
from kftune.training.detector.loss import losses
from kftune.training.detector.model import Detector, cell_centers, find

METRICS = (
    *("train_loss", "train_cls_loss", "val_loss", "val_cls_loss"),
    *("precision", "recall", "mAP_0.5", "mAP_0.5_0.95"),
)
TINY: dict[str, Any] = {"epochs": 2, "width": 2, "train_images": 8, "val_images": 4, "imgsz": 32, "max_digits": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The output folder of trainings on one thread: another number of threads adds up in another order."""
    monkeypatch.setenv("KFTUNE_OUTPUT_DIR", str(tmp_path / "output"))
    monkeypatch.setenv("KFTUNE_DEVICE", "cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path / "output"
    torch.set_num_threads(threads)


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return found


def parse(text: str) -> list[Observation]:
    parser = MetricParser(METRICS)
    return [*parser.feed(text.encode()), *parser.close()]


def run(**changes: Any) -> int:
    return train(DetectorHparams(**{**TINY, **changes}))


def test_each_epoch_is_reported(capsys: pytest.CaptureFixture[str]):
    assert run() == 0
    seen = parse(capsys.readouterr().out)
    assert [(item.name, item.step) for item in seen] == [(name, epoch) for epoch in (1, 2) for name in METRICS]


# The names and regexes of SageMaker's metric definitions for YOLO, as a script of its users has them.
DEFINITIONS = {
    "yolo:recall": r"recall: ([0-9]*\.?[0-9]+)",
    "yolo:mAP_0.5": r"mAP@0\.5: ([0-9\.]+)",
    "yolo:mAP_0.5_0.95": r"mAP@0\.5:0\.95: ([0-9\.]+)",
    "yolo:precision": r"precision: ([0-9\.]+)",
    "yolo:train_loss": r"train/box_loss: ([0-9\.]+)",
    "yolo:val_loss": r"val/box_loss: ([0-9\.]+)",
}


def test_the_metric_definitions_of_sagemaker_read_the_log(folder: Path, capsys: pytest.CaptureFixture[str]):
    run()
    log = capsys.readouterr().out
    history = summary(folder)["history"]
    for name, regex in DEFINITIONS.items():
        found = [float(text) for text in re.findall(regex, log)]
        assert found == pytest.approx([epoch[name.removeprefix("yolo:")] for epoch in history], rel=1e-4)


@pytest.mark.parametrize("file", ["study", "ultralytics"])
def test_the_study_reads_the_same_metrics_and_numbers_with_an_exponent_too(file: str):
    study = load_study(ROOT / "pipelines" / "yolo" / f"{file}.yaml")
    assert {each.name for each in study.metric_definitions} == set(DEFINITIONS)
    for each in study.metric_definitions:
        text = each.regex.partition("(")[0].replace("\\", "")
        found = each.pattern.search(f"epoch 3 of 9, {text}1.5e-05, next: 2")
        assert found is not None
        assert found.group(1) == "1.5e-05"


def test_a_detector_learns_from_what_it_sees(folder: Path):
    run(epochs=6, width=4, train_images=40, batch=4, augment=False)
    losses = [epoch["train_loss"] for epoch in summary(folder)["history"]]
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.nightly
def test_the_defaults_reach_a_useful_score(folder: Path):
    """A minute on two idle cores."""
    assert train(DetectorHparams()) == 0
    assert summary(folder)["best"]["mAP_0.5"] >= 0.8


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW"])
def test_every_optimizer_trains_with_the_values_of_the_study(optimizer: str):
    assert run(optimizer=optimizer, lr0=0.2, batch=2) == 0


def test_the_same_seed_gives_the_same_numbers(folder: Path):
    curves = []
    for change in ({}, {}, {"seed": 1}, {"data_seed": 1}):
        run(**change)
        curves.append(summary(folder)["history"])
    assert curves[0] == curves[1]
    assert curves[2] != curves[0] != curves[3]


def test_the_learning_rate_rises_and_then_falls():
    hparams = DetectorHparams(epochs=10, warmup_epochs=2, lr0=0.1, lrf=0.1)
    assert [round(hparams.learning_rate_after(epochs), 4) for epochs in (0, 1, 10)] == [0, 0.0489, 0.01]
    rates = [hparams.learning_rate_after(epochs) for epochs in range(2, 11)]
    assert rates == sorted(rates, reverse=True)
    assert DetectorHparams(warmup_epochs=0, lr0=0.1).learning_rate_after(0) == 0.1


def test_the_output_folder_has_the_model_the_state_and_a_picture(folder: Path):
    run()
    names = ["hparams.json", "last.pt", "model.pt", "predictions.png", "summary.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    state = torch.load(folder / "model.pt", weights_only=True)
    Detector(DetectorHparams(**TINY)).load_state_dict(state["state_dict"])
    assert (folder / "predictions.png").read_bytes().startswith(b"\x89PNG")
    assert summary(folder)["best"]["epoch"] in (1, 2)


def test_a_training_writes_the_metrics_of_its_best_epoch_for_a_pipeline(folder: Path, tmp_path: Path):
    hparams = DetectorHparams(**TINY)
    assert main(["detector", *hparams.to_args(), f"--model={folder}", f"--metrics={tmp_path}/m.json"]) == 0
    best = {name: value for name, value in summary(folder)["best"].items() if name != "epoch"}
    assert json.loads((tmp_path / "m.json").read_text()) == best


def test_a_resumed_training_has_the_curve_of_an_uninterrupted_one(folder: Path):
    run(epochs=4, optimizer="Adam")
    whole, weights = summary(folder)["history"], torch.load(folder / "model.pt", weights_only=True)["state_dict"]
    command = [sys.executable, "-m", "kftune.training", "detector"]
    hparams = DetectorHparams(**{**TINY, "epochs": 4, "optimizer": "Adam"})
    with subprocess.Popen([*command, *hparams.to_args()], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        next(line for line in child.stdout if "step=2" in line)
        child.kill()
    assert not (folder / "summary.json").exists()
    run(epochs=4, optimizer="Adam", resume=True)
    assert summary(folder)["history"] == whole
    again = torch.load(folder / "model.pt", weights_only=True)["state_dict"]
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_resume_without_a_state_starts_from_the_beginning(folder: Path):
    assert run(resume=True) == 0
    assert summary(folder)["epochs"] == 2


def test_resume_of_a_finished_training_trains_nothing(folder: Path, capsys: pytest.CaptureFixture[str]):
    run()
    before = (folder / "model.pt").read_bytes()
    assert run(resume=True) == 0
    assert "continues after epoch 2" in capsys.readouterr().out
    assert (folder / "model.pt").read_bytes() == before


def test_resume_with_other_hyperparameters_is_refused():
    run()
    with pytest.raises(HparamsError, match=r"resume continues only with the same .* batch is 2 and was 4"):
        run(batch=2, resume=True)


def test_a_new_training_leaves_nothing_of_the_last_one(folder: Path):
    run()
    with pytest.raises(MetricError, match="losses must be finite"):
        run(lr0=1e30, clip_norm=1e30)
    assert sorted(path.name for path in folder.iterdir()) == ["hparams.json"]


def test_training_ends_without_a_better_score_for_long(folder: Path):
    run(epochs=50, patience=1, lr0=1e-9)
    found = summary(folder)
    assert found["status"] == "out of patience"
    assert found["epochs"] == found["best"]["epoch"] + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)])
def test_a_signal_ends_training_and_the_state_is_that_of_the_last_epoch(folder: Path, number: signal.Signals):
    hparams = DetectorHparams(**{**TINY, "epochs": 10_000})
    command = [sys.executable, "-m", "kftune.training", "detector", *hparams.to_args()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        next(line for line in child.stdout if "step=1" in line)
        child.send_signal(number)
        rest = child.stdout.read()
    assert child.returncode == 128 + number
    assert "stopped after" in rest
    done = summary(folder)
    assert done["status"] == "stopped"
    assert torch.load(folder / "last.pt", weights_only=True)["summary"]["epochs"] == done["epochs"] >= 1


def test_data_of_ones_own_and_several_processes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(HparamsError, match="detector draws its canvases itself, but --data is"):
        train(DetectorHparams(**TINY), tmp_path / "data.yaml")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(HparamsError, match="trains in one process, but WORLD_SIZE is 2"):
        run()


def test_a_side_that_has_no_whole_cells_is_refused():
    with pytest.raises(HparamsError, match="imgsz must be a multiple of 8, but is 100; take 96"):
        DetectorHparams(imgsz=100)


# -- model and loss ------------------------------------------------------------------------------------------------


def perfect(hparams: DetectorHparams) -> Any:
    """A canvas, the cells, and outputs that say exactly what is on it."""
    canvas = draw_canvas("val", 0, side=hparams.imgsz, max_digits=3, seed=0)
    cells = hparams.imgsz // 4
    centers = cell_centers(cells, cells, torch.device("cpu"))
    logits, at = torch.full((1, cells * cells, 10), -20.0), torch.zeros(1, cells * cells, 4)
    for box, label in zip(canvas.boxes_N4, canvas.labels_N, strict=True):
        inside = ((centers > box[:2]) & (centers < box[2:])).all(dim=1)
        logits[0, inside, label] = 20.0
        at[0, inside] = box
    return canvas, centers, logits, at


def test_perfect_outputs_are_found_and_have_no_loss_of_boxes():
    hparams = DetectorHparams()
    canvas, centers, logits, at = perfect(hparams)
    (found,) = find(logits, at, hparams)
    order = found.labels_N.argsort()
    assert found.labels_N[order].tolist() == sorted(canvas.labels_N.tolist())
    assert len(found.boxes_N4) == len(canvas.boxes_N4)
    assert losses(logits, at, centers, [canvas]).box.item() == pytest.approx(0, abs=1e-6)


def test_worse_boxes_and_worse_classes_have_larger_losses():
    canvas, centers, logits, at = perfect(DetectorHparams())
    good = losses(logits, at, centers, [canvas])
    assert losses(logits, at + 2, centers, [canvas]).box > good.box
    assert losses(-logits, at, centers, [canvas]).cls > good.cls


def test_what_is_not_confident_is_not_found():
    hparams = DetectorHparams(conf=0.5)
    logits = torch.full((1, 256, 10), -1.0)
    assert len(find(logits, torch.rand(1, 256, 4), hparams)[0].boxes_N4) == 0


def test_a_canvas_has_at_most_max_det_boxes():
    hparams = DetectorHparams(max_det=7)
    corners = torch.arange(256.0)[None, :, None] * 20 + torch.tensor([0.0, 0.0, 10.0, 10.0])
    (found,) = find(torch.zeros(1, 256, 10), corners, hparams)
    assert len(found.boxes_N4) == 7


def test_the_centers_of_cells_are_row_by_row():
    assert cell_centers(2, 3, torch.device("cpu")).tolist() == [[2, 2], [6, 2], [10, 2], [2, 6], [6, 6], [10, 6]]
