"""What kind of file lint takes a document for, on the real command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lint_examples import EXAMPLE, EXAMPLE_HPARAMS, EXAMPLE_STUDY

TRIAL = "apiVersion: kubeflow.org/v1beta1\nkind: Trial\nmetadata: {name: x}\n"
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"


def lint(folder: Path, *arguments: str) -> tuple[int, str]:
    argv = [sys.executable, "-m", "kftune", "lint", *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "toy_hparams.py").write_text(EXAMPLE_HPARAMS)
    return tmp_path


def test_a_study_with_a_misspelt_hparams_key_beside_a_good_one_is_an_error(folder: Path):
    (folder / "good.yaml").write_text(EXAMPLE_STUDY)
    (folder / "bad.yaml").write_text(EXAMPLE_STUDY.replace("hparams:", "hparam:"))
    code, text = lint(folder, ".", "--ignore", "KT3,KT406")
    assert code == 1
    assert "bad.yaml:2:1: KT400 refused: " in text
    assert "did you mean 'hparams'?" in text
    assert "2 studies: 1 refused, 1 ok; 1 Experiment: " in text


@pytest.mark.parametrize("argument", [".", "bad.yaml"])
@pytest.mark.parametrize(
    ("right", "wrong", "near"),
    [
        ("kind: Experiment", "kind: Experimant", "kind is 'Experimant'; did you mean 'Experiment'?"),
        ("kind: Experiment", "kind: experiment", "kind is 'experiment'; did you mean 'Experiment'?"),
        ("org/v1beta1", "org/v1beta", "apiVersion is 'kubeflow.org/v1beta'; did you mean 'kubeflow.org/v1beta1'?"),
        ("kubeflow.org/", "kubeflow.og/", "apiVersion is 'kubeflow.og/v1beta1'; did you mean 'kubeflow.org/v1beta1'?"),
    ],
)
def test_an_experiment_with_a_misspelt_header_is_an_error(
    right: str, wrong: str, near: str, argument: str, folder: Path
):
    (folder / "bad.yaml").write_text(EXAMPLE.replace(right, wrong, 1))
    code, text = lint(folder, argument)
    assert code == 1
    assert f"KT101 refused: this looks like a Katib Experiment, but {near}" in text


def test_a_file_with_only_a_trial_is_an_error_that_says_so(folder: Path):
    (folder / "trial.yaml").write_text(TRIAL)
    code, text = lint(folder, "trial.yaml")
    assert code == 1
    assert "trial.yaml:2:7: KT101 refused: this is a Katib Trial; lint checks Experiments, studies" in text


@pytest.mark.parametrize(
    ("text", "what", "advice"),
    [
        ("experiments: {small: {}}\n", "an experiment list", "kftune experiments --config FILE checks all of it"),
        ("name: mine\nnamespace: team-a\nregistry: [classes]\n", "a project", "give its folder, or one of its studies"),
    ],
)
def test_another_file_of_kftune_is_answered_with_what_to_give(folder: Path, text: str, what: str, advice: str):
    (folder / "other.yaml").write_text(text)
    code, said = lint(folder, "other.yaml")
    assert code == 1
    assert f"this is {what}; lint checks Experiments" in said
    assert f"    {advice}" in said
    assert "apiVersion" not in said


def test_a_trial_beside_an_experiment_is_no_error(folder: Path):
    (folder / "all.yaml").write_text(f"{EXAMPLE}---\n{TRIAL}")
    assert lint(folder, "all.yaml") == (0, "1 Experiment: 1 ok\n")


def test_a_python_file_is_not_read_as_yaml(folder: Path):
    code, text = lint(folder, "toy_hparams.py")
    assert code == 2
    assert text.startswith("kftune: toy_hparams.py is a Python script, not YAML; ")


def test_a_study_without_hparams_is_shown_what_a_study_needs(folder: Path):
    (folder / "bad.yaml").write_text(EXAMPLE_STUDY.replace("hparams: toy_hparams:ToyHparams\n", ""))
    code, text = lint(folder, "bad.yaml")
    assert code == 1
    assert "KT400 refused: hparams: Study needs 'hparams'" in text
    assert "apiVersion" not in text


def test_a_named_file_that_is_nothing_known_is_shown_what_each_kind_needs(folder: Path):
    (folder / "values.yaml").write_text("replicas: 3\n")
    code, text = lint(folder, "values.yaml")
    assert code == 1
    assert "neither a study (hparams, objective, step) nor a pipeline (steps), nor an Experiment (apiVersion: " in text


def test_a_study_in_a_folder_that_is_not_yaml_is_an_error(folder: Path):
    (folder / "bad.yaml").write_text(EXAMPLE_STUDY.replace("{metric", "{{metric"))
    code, text = lint(folder, ".")
    assert code == 1
    assert "bad.yaml:3:" in text
    assert "KT100 refused" in text


def test_other_objects_of_a_folder_are_passed_over_and_counted(folder: Path):
    (folder / "e.yaml").write_text(EXAMPLE)
    (folder / "deployment.yaml").write_text(DEPLOYMENT)
    (folder / "values.yaml").write_text("replicas: 3\n")
    assert lint(folder, ".") == (0, "1 Experiment: 1 ok; 2 other files passed over\n")
