"""`kftune import` over examples in the forms that each system documents.

The examples were written for these tests, unless their first line names the file that they are from.

tests/snapshots/imports.txt has what is printed and written for each; `KFTUNE_SNAPSHOTS=write` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from foreign_files import EXAMPLES, NAMES, imported, system_of
from mistake_texts import REMEDY, printed, record, recorded

from kftune import yaml_text
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


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_study_has_no_finding_but_advice_and_what_is_to_fill_in(
    name: str, texts: dict[str, str], folders: dict[str, Path]
):
    found = json.loads(printed(["lint", "study.yaml", "--format", "json"], folders[name]).partition("\n")[2])
    findings = [each for part in (*found["documents"], *found["studies"]) for each in part["findings"]]
    grave = {each["code"] for each in findings if each["severity"] != "advice"}
    # The only one is of images that run as root, and the report says what allows it.
    assert grave == ({"KT280"} if "step.security: trials of a study do not run as root" in texts[name] else set())


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


def test_the_report_names_the_command_that_counts(tmp_path: Path):
    report = imported("azureml-hello-sweep.yaml", tmp_path, "--command", "python mine.py")
    assert "step.command: python mine.py (--command) in place of python src/hello-sweep.py" in report


def test_the_resource_of_hyperband_has_the_range_that_katib_gives_it(tmp_path: Path):
    text = (EXAMPLES / "katib-median-stop.yaml").read_text(encoding="utf-8")
    whole: Any = yaml_text.load(text)
    epochs = {"name": "num-epochs", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "1"}}
    settings = {"resource_name": "num-epochs", "r_l": "9", "eta": "3"}
    whole["metadata"]["name"] = "rungs"
    whole["spec"] |= {
        "algorithm": {
            "algorithmName": "hyperband",
            "algorithmSettings": [{"name": name, "value": value} for name, value in settings.items()],
        },
        "parameters": [*whole["spec"]["parameters"], epochs],
        "maxTrialCount": 9,
        "parallelTrialCount": 9,
    }
    del whole["spec"]["earlyStopping"]
    (tmp_path / "hyperband.yaml").write_text(yaml_text.dump(whole), encoding="utf-8")
    report = printed(["import", "katib", "hyperband.yaml", "-o", "study.yaml"], tmp_path)
    assert "num-epochs: {int: [1, 9]}, because hyperband sets it up to r_l" in report
    assert load_study(tmp_path / "study.yaml").algorithm.settings["resource_name"] == "num_epochs"


def test_arguments_of_an_image_with_its_own_command_are_arguments(tmp_path: Path):
    text = (EXAMPLES / "katib-median-stop.yaml").read_text(encoding="utf-8")
    whole: Any = yaml_text.load(text)
    whole["metadata"]["name"] = "own-command"
    (container,) = whole["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    container["args"] = ["--job=train", "--lr=${trialParameters.learningRate}"]
    del container["command"]
    (tmp_path / "own.yaml").write_text(yaml_text.dump(whole), encoding="utf-8")
    report = printed(["import", "katib", "own.yaml", "-o", "study.yaml"], tmp_path)
    assert "step.args: --job=train; the hyperparameters follow it" in report
    step = load_study(tmp_path / "study.yaml").step
    assert ([*(step.command or ())], [*step.args]) == (["python", "train.py"], ["--job=train"])


def test_a_space_of_hyperopt_is_answered_with_rays_own_functions(tmp_path: Path):
    (tmp_path / "space.py").write_text(
        "from hyperopt import hp\n\nspace = {'lr': hp.loguniform('lr', -5, -1), 'steps': 10}\n", encoding="utf-8"
    )
    assert (
        "loguniform with a name in front is of HyperOpt; kftune reads Ray's own functions: tune.loguniform("
        in printed(["import", "ray", "space.py", "-o", "study.yaml"], tmp_path)
    )
