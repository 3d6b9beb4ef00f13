"""Wrong words on a command line: each is answered with what to write instead."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kftune.cli import COMMANDS, main

CLASS = """
from kftune import Hparam, Hparams, LogUniform

class Toy(Hparams):
    lr: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
"""
STUDY = """
name: toy
hparams: toy_words:Toy
objective: {metric: loss, direction: minimize}
step: {command: [python, train.py]}
"""
PIPELINE = """
name: flow
parameters: {circuit: C1, factor: {type: int, default: 3}}
steps:
  one: {kind: container, command: [echo]}
"""
EXPERIMENT = """
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: e}
spec: {}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "toy_words", raising=False)
    (tmp_path / "toy_words.py").write_text(CLASS)
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "right"),
    [
        *[
            ("add", "new"),
            ("create", "new"),
            ("trials", "results"),
            ("resume", "run"),
            ("fit", "train"),
            ("sweep", "run"),
            ("tune", "run"),
        ],
        *[("start", "run"), ("TUNE", "run"), ("validate", "lint"), ("submit", "render"), ("describe", "show")],
        *[
            ("log", "logs"),
            ("ls", "list"),
            ("clean", "prune"),
            ("progress", "status"),
            ("build", "images build"),
            ("study.yaml", "run study.yaml"),
        ],
    ],
)
def test_a_word_of_other_tools_is_answered_with_the_command(capsys, word, right):
    said = refused(capsys, word)
    assert said.startswith(f"kftune: unknown command {word!r}; ")
    assert f"kftune {right}" in said
    assert right.split()[0] in COMMANDS


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["run", "study.yaml", "--n-trials", "5"], "budget.max_trials=5"),
        (["run", "study.yaml", "--n-trials=5"], "budget.max_trials=5"),
        (["run", "--trials", "5", "study.yaml"], "budget.max_trials=5"),
        (["run", "study.yaml", "--max-trials", "5"], "budget.max_trials=5"),
        (["run", "study.yaml", "--parallel", "2"], "budget.parallel=2"),
        (["run", "study.yaml", "--seed", "2"], "algorithm.seed=2"),
        (["run", "study.yaml", "--image", "toy:1"], "step.image=toy:1"),
        (["run", "study.yaml", "--name", "other"], "name=other"),
        (["run", "study.yaml", "--lr=0.1"], "values.lr=0.1"),
        (["show", "study.yaml", "--lr", "0.1"], "values.lr=0.1"),
        (["render", "study.yaml", "--namespace", "team-a"], "targets.katib.namespace=team-a"),
        (["run", "pipeline.yaml", "--circuit=C2"], "parameters.circuit=C2"),
        (["render", "pipeline.yaml", "--factor=2"], "parameters.factor.default=2"),
        (["run", "experiment.yaml", "--n-trials", "5"], "maxTrialCount=5"),
        (["run", "experiment.yaml", "n_trials=5"], "maxTrialCount"),
        (["run", "experiment.yaml", "--parallel", "5"], "parallelTrialCount=5"),
        (["show", "study.yaml", "--formt", "json"], "--format"),
        (["show", "study.yaml", "--json"], "--format json"),
        (["results", "study.yaml", "--csv"], "--format csv"),
        (["best", "study.yaml", "-o", "json"], "--format json"),
        (["show", "study.yaml", "--lr"], "values.lr=…"),
    ],
)
def test_an_option_that_is_none_is_answered_with_the_change_of_the_file(capsys, arguments, right):
    assert right in refused(capsys, *arguments).splitlines()[0]


@pytest.mark.parametrize("option", ["--out", "--output-dir", "--results-dir"])
def test_other_names_of_the_folder_of_results_are_answered_with_the_option(capsys, option):
    assert f"unknown option {option}; did you mean --dir?\n" in refused(capsys, "run", "study.yaml", option, "x")


def test_an_option_that_means_nothing_is_only_named(capsys):
    assert refused(capsys, "best", "study.yaml", "--zzz").startswith("kftune: unknown option --zzz\nusage: ")


def test_an_argument_too_many_is_named(capsys):
    assert refused(capsys, "best", "study.yaml", "3").startswith("kftune: unknown argument '3'\nusage: ")


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["render", "study.yaml", "--target", "kubeflow"], "'katib' or 'kfp'"),
        (["render", "study.yaml", "--target", "katib-v1"], "'katib'"),
        (["render", "study.yaml", "--target", "argo-workflows"], "'argo'"),
        (["run", "study.yaml", "--runtime", "docker"], "'container'"),
        (["schema", "studies"], "'study'"),
        (["registry", "ls"], "'list'"),
        (["results", "study.yaml", "--format", "table"], "'text'"),
    ],
)
def test_a_choice_that_is_none_is_answered_with_a_near_one(capsys, arguments, right):
    assert f"; did you mean {right}?" in refused(capsys, *arguments).splitlines()[0]


@pytest.mark.parametrize("command", ["run", "show", "render"])
def test_a_command_without_its_file_names_those_of_the_folder(capsys, folder, command):
    (folder / "notes.yaml").write_text("a: 1")
    said = refused(capsys, command)
    assert "in this folder: experiment.yaml, pipeline.yaml, study.yaml\n" in f"{said}\n"
    assert "key=value" not in said.partition("usage:")[0]


def test_a_command_without_its_study_names_studies_and_results(capsys, folder):
    (folder / "runs" / "toy").mkdir(parents=True)
    (folder / "runs" / "toy" / "trials.db").touch()
    said = refused(capsys, "best")
    assert said.startswith(
        "kftune: best needs study: study or Experiment file, the folder of its results, a file with "
    )
    assert "in this folder: experiment.yaml, study.yaml, runs/toy\n" in said


def test_a_command_in_an_empty_folder_names_how_to_begin(capsys, folder, monkeypatch):
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder / "empty")
    assert "there is none in this folder; kftune new hparams NAME creates a study" in refused(capsys, "run")


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["best", "runs/digit"], "runs/digits"),
        (["best", "run/digits"], "runs/digits"),
        (["best", "runs/Digits"], "runs/digits"),
        (["status", "digits"], "runs/digits"),
        (["logs", "digit", "best"], "runs/digits"),
        (["results", "study.yaml", "--dir", "runs/digit"], "runs/digits"),
        (["best", "studdy.yaml"], "study.yaml"),
        (["show", "study.yml"], "study.yaml"),
        (["show", "study"], "study.yaml"),
        (["run", "pipline/study.yml"], "pipelines/study.yaml"),
        (["lint", "pipeline"], "pipelines' or 'pipeline.yaml"),
        (["render", "--all", "pipelins", "--out", "build"], "pipelines"),
    ],
)
def test_a_path_that_is_not_there_is_answered_with_a_near_one(capsys, folder, arguments, right):
    (folder / "runs" / "digits").mkdir(parents=True)
    (folder / "runs" / "digits" / "trials.db").touch()
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "study.yaml").touch()
    assert refused(capsys, *arguments).endswith(f"; did you mean '{right}'?\n")


def test_the_folder_of_all_results_is_answered_with_those_in_it(capsys, folder):
    (folder / "runs" / "digits").mkdir(parents=True)
    (folder / "runs" / "digits" / "trials.db").touch()
    assert refused(capsys, "best", "runs").endswith("; there are some in runs/digits\n")


def test_a_run_of_a_pipeline_also_takes_the_keys_of_the_file(capsys, folder):
    assert "pipeline.yaml:2:1: parallel: must be greater than or equal to 1" in refused(
        capsys, "run", "pipeline.yaml", "parallel=0"
    )
    text = (folder / "pipeline.yaml").read_text()
    (folder / "pipeline.yaml").write_text(text.replace("{circuit: C1,", "{parallel: 2, circuit: C1,"))
    assert "the parameter parallel is of type int" in refused(capsys, "run", "pipeline.yaml", "parallel=x")
