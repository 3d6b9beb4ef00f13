"""The steps around a training that reads numbers: what an evaluation measures, and what is registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from kftune import yaml_text
from kftune.errors import HparamsError
from kftune.hparams.models.ocr import OcrHparams
from kftune.training.__main__ import main
from kftune.training.digits.dataset import Recipe, generate, read_split
from kftune.training.ocr import load_trained
from kftune.training.ocr.scores import Scores


def call(step: str, **values: object) -> int:
    return main([step, *(f"--{name}={value}" for name, value in values.items())])


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and a small model that has learned a little of them."""
    folder = tmp_path_factory.mktemp("ocr")
    generate(folder / "data" / "metadata.yaml", Recipe(train=40, val=8, test=12))
    sizes = {"models": {"small": {"channels": [2, 2, 2], "hidden": 4}}}
    (folder / "sizes.yaml").write_text(yaml_text.dump(sizes), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KFTUNE_DEVICE", "cpu")
        names = ("metrics", "val_loss", "val_seq_accuracy", "report", "executor-output")
        outputs = {name: folder / "outputs" / name for name in names}
        status = call(
            "ocr",
            model_name="small",
            model_config_path=folder / "sizes.yaml",
            data=folder / "data",
            model=folder / "model",
            num_epochs=2,
            num_workers=0,
            use_tensorboard="false",
            experiment_name="tiny",
            **outputs,
        )
    assert status == 0
    (folder / "sizes.yaml").unlink()
    return folder


def test_a_training_writes_each_output_that_it_is_given_a_path_for(trained: Path):
    best = read_json(trained / "model" / "summary.json")["best"]
    outputs = trained / "outputs"
    metrics = read_json(outputs / "metrics")
    assert metrics == {name: value for name, value in best.items() if name != "epoch"}
    assert float((outputs / "val_seq_accuracy").read_text()) == best["val_seq_accuracy"]
    assert read_json(outputs / "executor-output") == {"artifacts": {"metrics": {"artifacts": [{"metadata": metrics}]}}}
    page = (outputs / "report").read_text(encoding="utf-8")
    assert "<h1>Training of tiny</h1>" in page
    assert page.count("<polyline") == 4
    assert page.count('class="best"') == 2


def test_an_evaluation_reads_the_pictures_of_the_split_test(trained: Path, tmp_path: Path):
    names = ("metrics", "test_loss", "test_char_accuracy", "test_seq_accuracy", "report")
    paths = {name: tmp_path / name for name in names}
    assert call("evaluate", model=trained / "model", data=trained / "data", **paths) == 0
    found = read_json(paths["metrics"])
    hparams, model = load_trained(trained / "model")
    pictures = read_split(trained / "data" / "metadata.yaml", "test", vocab_size=13, max_length=9)
    scores = Scores()
    with torch.inference_mode():
        scores.add(model.read(pictures.ink_BHW.float() / 255), pictures.texts)
    assert hparams.experiment_name == "tiny"
    assert found["test_char_accuracy"] == pytest.approx(scores.char_accuracy)
    assert {name: float(paths[name].read_text()) for name in found} == found
    assert "the split test" in paths["report"].read_text(encoding="utf-8")


def test_an_evaluation_of_pictures_for_validation_finds_what_training_reported(trained: Path, tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    for path in (trained / "data").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    metadata: Any = yaml_text.load_file(folder / "metadata.yaml")
    metadata["splits"]["test"] = metadata["splits"]["val"]
    (folder / "metadata.yaml").write_text(yaml_text.dump(metadata), encoding="utf-8")
    assert call("evaluate", model=trained / "model", data=folder, metrics=tmp_path / "metrics") == 0
    best, found = read_json(trained / "model" / "summary.json")["best"], read_json(tmp_path / "metrics")
    assert found["test_loss"] == pytest.approx(best["val_loss"])
    assert found["test_seq_accuracy"] == best["val_seq_accuracy"]


def test_a_model_of_another_size_than_its_file_says_now_is_loaded(trained: Path):
    _, model = load_trained(trained / "model")
    assert model.head.in_features == 2 * 4


def test_a_registered_model_is_complete_and_has_no_checkpoints(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    paths = {name: tmp_path / name for name in ("card", "manifest", "registered")}
    assert call("register", model=trained / "model", title="numbers", **paths) == 0
    assert capsys.readouterr().out == "numbers: 3 files, without checkpoints/\n"
    assert sorted(read_json(paths["manifest"])["files"]) == ["hparams.json", "model.pt", "summary.json"]
    hparams, _ = load_trained(paths["registered"])
    assert isinstance(hparams, OcrHparams)
    assert not (paths["registered"] / "checkpoints").exists()
    card = paths["card"].read_text(encoding="utf-8")
    assert "Reads numbers in Khmer digits from pictures. Trained for 2 epochs on 40 pictures." in card


@pytest.mark.parametrize(
    ("further", "message"),
    [
        ({"val_mae": "x"}, "--val_mae must be a metric of this model, which has: test_loss"),
        ({"data": "nowhere"}, "there is no data set at nowhere"),
        ({"data": "generated_data/metadata.yaml"}, "there is no data set at generated_data/metadata.yaml"),
        ({"test_los": "x"}, "did you mean 'test_loss'"),
    ],
)
def test_a_mistake_in_an_evaluation_gives_one_message(
    further: dict[str, str], message: str, trained: Path, capsys: pytest.CaptureFixture[str]
):
    assert call("evaluate", **{"model": trained / "model", "data": trained / "data", **further}) == 2
    assert message in capsys.readouterr().err


def test_a_model_that_kftune_does_not_know_is_not_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    summary = {"model_type": "other", "epochs": 1, "best": {"epoch": 1}, "history": [{}], "versions": {"a": "1"}}
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (tmp_path / "model.pt").write_bytes(b"")
    assert call("evaluate", model=tmp_path, data="x") == 2
    assert "evaluate knows the models lstm, ocr" in capsys.readouterr().err


def test_weights_that_do_not_fit_the_hyperparameters_are_an_error(trained: Path, tmp_path: Path):
    for name in ("model.pt", "summary.json"):
        (tmp_path / name).write_bytes((trained / "model" / name).read_bytes())
    values = {**read_json(trained / "model" / "hparams.json"), "model_name": "ctc"}
    (tmp_path / "hparams.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(HparamsError, match=r"model\.pt must contain the weights for hparams\.json"):
        load_trained(tmp_path)
