"""`kftune import` over examples of each system's own documentation.

tests/snapshots/imports.txt has what is printed and written for each; `KFTUNE_SNAPSHOTS=write` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from foreign_files import NAMES, imported, system_of
from mistake_texts import REMEDY, printed, record, recorded

from kftune.importers import SYSTEMS
from kftune.render import render
from kftune.study import load_study

SNAPSHOTS = "imports.txt"


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    return {name: tmp_path_factory.mktemp("imported") for name in NAMES}


@pytest.fixture(scope="module")
def texts(folders: dict[str, Path]) -> dict[str, str]:
    found = {}
    for name, folder in folders.items():
        report = imported(name, folder)
        study = (folder / "study.yaml").read_text()
        found[name] = report + study[study.index("\nname: ") + 1 :]
    record(SNAPSHOTS, found)
    return found


def test_each_system_has_an_example():
    assert {system_of(name) for name in NAMES} | {"optuna"} == {*SYSTEMS}


@pytest.mark.parametrize("name", NAMES)
def test_an_import_is_as_recorded(name: str, texts: dict[str, str]):
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_study_loads_and_renders(name: str, texts: dict[str, str], folders: dict[str, Path]):
    assert texts[name].startswith("exit 0\n")
    study = load_study(folders[name] / "study.yaml")
    assert [each["kind"] for each in render(study, "katib").documents] == ["Experiment"]


def test_an_imported_study_has_no_finding_but_advice(texts: dict[str, str], folders: dict[str, Path]):
    assert texts
    printed_text = printed(["lint", "study.yaml"], folders["azureml-expressions.yaml"])
    assert printed_text.startswith("exit 0\n")


def test_the_report_for_programs_has_each_note_with_its_place(tmp_path: Path):
    text = imported("wandb-sweep.yaml", tmp_path, "--format", "json")
    report = json.loads(text.removeprefix("exit 0\n"))
    assert report["format"] == "kftune.import/1"
    assert report["counts"]["lost"] == sum(note["kind"] == "lost" for note in report["notes"])
    assert [note for note in report["notes"] if note["line"] is None] == []
    assert report["written"] == ["sweepdemo_hparams.py", "study.yaml"]
    assert {each["key"] for each in report["fill_in"]} == {"objective.metric", "step.image"}


def test_strict_writes_nothing_if_something_is_lost(tmp_path: Path):
    text = imported("wandb-sweep.yaml", tmp_path, "--strict")
    assert text.startswith("exit 1\n")
    assert text.endswith("nothing was written, because of --strict\n")
    assert [path.name for path in tmp_path.iterdir()] == ["wandb-sweep.yaml"]


def test_strict_accepts_what_has_an_equivalent(tmp_path: Path):
    assert imported("optuna-distributions.json", tmp_path, "--strict").startswith("exit 0\n")


def test_a_class_of_the_user_is_checked_and_not_written(tmp_path: Path):
    fields = "lr0: float = 0.1\n    batch: int = 2\n    optimizer: str = 'SGD'\n"
    (tmp_path / "yolo_fields.py").write_text(f"from kftune import Hparams\n\n\nclass Yolo(Hparams):\n    {fields}")
    assert imported("sagemaker-page.md", tmp_path, "--hparams", "yolo_fields:Yolo").startswith("exit 0\n")
    assert load_study(tmp_path / "study.yaml").hparams.__name__ == "Yolo"
    assert not list(tmp_path.glob("*_hparams.py"))


def test_command_and_image_replace_those_of_the_file(tmp_path: Path):
    options = ["--command", "python 'my train.py' --fast", "--image", "registry.example/other:2"]
    imported("azureml-hello-sweep.yaml", tmp_path, *options)
    step = load_study(tmp_path / "study.yaml").step
    assert [*(step.command or ())] == ["python", "my train.py", "--fast"]
    assert step.image == "registry.example/other:2"


def test_bounds_can_be_read_as_values(tmp_path: Path):
    imported("azureml-page.md", tmp_path, "--log-bounds", "values")
    domain = load_study(tmp_path / "study.yaml").space["learning_rate"]
    assert (domain.quantile(0), domain.quantile(1)) == (0.0001, 0.01)


def test_force_overwrites_and_without_it_nothing_is_written(tmp_path: Path):
    imported("ray-space.json", tmp_path)
    before = (tmp_path / "study.yaml").read_text()
    (tmp_path / "study.yaml").write_text("mine")
    assert "already exists; nothing was written" in imported("ray-space.json", tmp_path)
    assert (tmp_path / "study.yaml").read_text() == "mine"
    imported("ray-space.json", tmp_path, "--force")
    assert (tmp_path / "study.yaml").read_text() == before
