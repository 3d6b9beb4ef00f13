"""A list as a Katib Experiment: the names are kept, `kftune run` and Katib's shell run the same experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from experiment_lists import LIST, project

from kftune.cli import main
from kftune.errors import RenderError
from kftune.experiments.file import load_list
from kftune.experiments.render import render_list
from kftune.results import open_results

COMMAND = "python train.py --config=/etc/kftune/experiments/${trialParameters.preset}.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rendered(folder: Path, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    assert main(["experiments", "--config", "list.yaml", "--render", "--out", "build", *arguments]) == 0
    config_map, experiment = yaml.safe_load_all((folder / "build" / "list.katib.yaml").read_text())
    return config_map, experiment


def test_names_are_the_choices_of_a_grid_and_the_files_of_a_config_map(folder: Path):
    config_map, experiment = rendered(folder, "--parallel", "2", "katib.namespace=team-a")
    spec = experiment["spec"]
    assert spec["algorithm"]["algorithmName"] == "grid"
    assert [each["feasibleSpace"]["list"] for each in spec["parameters"]] == [["slow_and_sure", "broken", "slow"]]
    assert (spec["maxTrialCount"], spec["parallelTrialCount"], spec["maxFailedTrialCount"]) == (3, 2, 3)
    assert list(config_map["data"]) == ["slow_and_sure.yaml", "broken.yaml", "slow.yaml"]
    assert yaml.safe_load(config_map["data"]["slow.yaml"]) == {
        "lr": 0.002,
        "optimizer": {"kind": "sgd", "momentum": 0.5},
    }
    assert config_map["metadata"] == {"name": "toys-experiments", "namespace": "team-a"}
    pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == [COMMAND]
    assert pod["volumes"][0]["configMap"]["name"] == "toys-experiments"


def test_chosen_experiments_only_are_rendered(folder: Path):
    config_map, experiment = rendered(folder, "--experiments", "slow", "broken")
    assert list(config_map["data"]) == ["slow.yaml", "broken.yaml"]
    assert experiment["spec"]["maxTrialCount"] == 2


def test_lint_finds_nothing_to_refuse(folder: Path, capsys: pytest.CaptureFixture[str]):
    rendered(folder)
    assert main(["lint", "build/list.katib.yaml"]) == 0
    assert "1 Experiment: 1 ok" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [pytest.param([], marks=pytest.mark.nightly), ["--strict-wrapper"]],
    ids=["as meant", "through Katib's shell"],
)
def test_the_rendered_experiment_runs_here_with_the_values_of_the_list(folder: Path, options: list[str]):
    rendered(folder, "--experiments", "slow_and_sure", "slow")
    assert main(["run", "build/list.katib.yaml", "--dir", "r", "--working-dir", ".", "--plain", *options]) == 0
    with open_results(folder / "r") as found:
        reached = {trial.point["preset"]: trial.objective for trial in found.trials()}
    assert reached == {"slow_and_sure": pytest.approx(0.001 + 1 / 3), "slow": pytest.approx(0.002 + 1 / 2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("broken:", "'an oops':"), r"letters, digits, '-', '_' and '.', but is 'an oops'"),
        (("step: {", "step: {arguments: {names: dashes}, "), r"a script with step.arguments does not"),
    ],
)
def test_what_katib_cannot_run_is_refused(folder: Path, change: tuple[str, str], message: str):
    (folder / "list.yaml").write_text(LIST.replace(*change))
    listed = load_list("list.yaml")
    with pytest.raises(RenderError, match=message):
        render_list(listed)


def test_a_grid_has_two_points_or_more(folder: Path):
    with pytest.raises(RenderError, match="two or more experiments"):
        render_list(load_list("list.yaml"), ["slow"])


def test_the_shipped_presets_render_with_an_image_only(capsys: pytest.CaptureFixture[str]):
    from places import ROOT

    presets = str(ROOT / "pipelines" / "ocr" / "experiments.yaml")
    assert main(["experiments", "--config", presets, "--render", "step.image=registry.example/ocr:1"]) == 0
    config_map, experiment = yaml.safe_load_all(capsys.readouterr().out)
    assert experiment["spec"]["objective"]["objectiveMetricName"] == "val_char_accuracy"
    assert yaml.safe_load(config_map["data"]["high_learning_rate.yaml"])["step_size"] == 8
