"""What lint says about a study that cannot be rendered, and what `kftune run` takes from it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lint_examples import EXAMPLE_HPARAMS, EXAMPLE_STUDY, script_text

from kftune.cli.call import call
from kftune.lint.rules.all import RULES

Lint = Callable[..., dict[str, Any]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "toy_hparams.py").write_text(EXAMPLE_HPARAMS)
    without_image = EXAMPLE_STUDY.replace(", image: registry.example/toy:1", "")
    assert without_image != EXAMPLE_STUDY
    (tmp_path / "study.yaml").write_text(without_image)
    (tmp_path / "train.py").write_text(script_text(RULES["KT402"].fails))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("toy_hparams", None)  # other tests have one too
    yield tmp_path
    sys.modules.pop("toy_hparams", None)


@pytest.fixture
def lint(capsys: pytest.CaptureFixture[str]) -> Lint:
    def run(*arguments: str) -> dict[str, Any]:
        call("lint", "", [*arguments, "--format", "json"])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return report

    return run


def test_a_study_without_an_image_is_compared_with_its_script_and_its_experiment_is_judged(lint: Lint, project: Path):
    report = lint("study.yaml")
    (study,) = report["studies"]
    assert [(each["code"], each["path"]) for each in study["findings"]] == [("KT402", "hparams"), ("KT400", "step")]
    assert (study["outcome"], study["unjudged"]) == ("refused", "")
    assert [each["outcome"] for each in report["documents"]] == ["ok"]


def test_an_image_of_the_project_that_is_not_built_hides_nothing_else(lint: Lint, project: Path):
    text = (project / "study.yaml").read_text().replace("train.py]}", "train.py], image: images/toy}")
    (project / "study.yaml").write_text(text)
    report = lint("study.yaml")
    (study,) = report["studies"]
    assert [each["code"] for each in study["findings"]] == ["KT400", "KT402"]
    assert "images/toy" in study["findings"][0]["message"]
    assert [each["outcome"] for each in report["documents"]] == ["ok"]


def test_the_sample_log_of_a_study_without_an_image_is_read(lint: Lint, project: Path):
    (project / "log.txt").write_text("val_loss=0.5\n")
    report = lint("study.yaml", "--sample-log", "log.txt")
    assert [each["value"] for each in report["studies"][0]["here"]] == ["0.5"]
    assert report["documents"][0]["sample"]["metrics"][0]["latest"] == "0.5"


def test_what_was_not_judged_is_said_whatever_is_selected(project: Path, capsys: pytest.CaptureFixture[str]):
    text = (project / "study.yaml").read_text().replace("minimize", "smaller")
    (project / "study.yaml").write_text(text)
    call("lint", "", ["study.yaml", "--select", "KT5"])
    assert capsys.readouterr().out.splitlines() == [
        "study.yaml: no Experiment was checked: the study is invalid",
        f"imported: toy_hparams ({project / 'toy_hparams.py'})",
        "1 study",
    ]


def test_a_run_says_before_its_first_trial_that_the_script_rejects_its_values(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    assert call("run", "", ["study.yaml", "budget.max_trials=1", "budget.parallel=1", "--plain"]) != 0
    lines = capsys.readouterr().out.splitlines()
    (note,) = [index for index, line in enumerate(lines) if "(KT402)" in line]
    (start,) = [index for index, line in enumerate(lines) if line.startswith("toy-0001 started")]
    assert lines[note].startswith("note: trials get --learning_rate=..., but train.py:5 takes --learning-rate")
    assert note < start


def test_a_strict_run_refuses_such_a_script(project: Path, capsys: pytest.CaptureFixture[str]):
    assert call("run", "", ["study.yaml", "budget.max_trials=1", "budget.parallel=1", "--strict"]) == 2
    assert "(KT402)" in capsys.readouterr().err


def test_a_command_in_one_text_is_found(lint: Lint, project: Path):
    text = (project / "study.yaml").read_text().replace("[python, train.py]", "[python train.py]")
    (project / "study.yaml").write_text(text)
    (study,) = lint("study.yaml", "--select", "KT408")["studies"]
    assert [(each["path"], each["message"]) for each in study["findings"]] == [
        ("step.command", "'python train.py' is taken for the name of one program; write [python, train.py]")
    ]
