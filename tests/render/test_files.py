"""`kftune render`: which files it takes for which target, and what it writes where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kftune import yaml_text
from kftune.cli import main

PIPELINE = """\
name: toy
defaults: {image: registry.example/toy:1}
steps:
  data: {kind: data, module: toy}
  train: {kind: train, module: toy, inputs: {data: "${steps.data.outputs.data}"}}
"""
STUDY = """\
name: toy
hparams: LstmHparams
objective: {metric: val_loss, direction: minimize}
step: {module: toy, image: "registry.example/toy:1"}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in (("pipeline.yaml", PIPELINE), ("study.yaml", STUDY), ("other.yaml", "a: 1\n")):
        (tmp_path / "toy").mkdir(exist_ok=True)
        (tmp_path / "toy" / name).write_text(text)
    monkeypatch.chdir(tmp_path / "toy")
    return tmp_path / "toy"


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def documents_of(text: str) -> list[Any]:
    return list(yaml_text.load_all(text))


def test_what_is_applied_and_what_is_created_are_two_files(project, capsys):
    assert main(["render", "pipeline.yaml", "--target", "argo", "--out", "build"]) == 0
    assert written(project / "build") == ["pipeline.argo-run.yaml", "pipeline.argo.yaml"]
    assert documents_of((project / "build/pipeline.argo.yaml").read_text())[0]["kind"] == "WorkflowTemplate"
    assert documents_of((project / "build/pipeline.argo-run.yaml").read_text())[0]["kind"] == "Workflow"
    printed = capsys.readouterr()
    assert printed.out == "wrote build/pipeline.argo.yaml\nwrote build/pipeline.argo-run.yaml\n"
    assert "note: pipeline.yaml: a step's container must not run as root" in printed.err


def test_what_is_to_be_known_of_several_engines_is_told_once(project, capsys):
    tune = "  tune: {kind: tune, image: 'registry.example/launcher:1', study: study.yaml}\n"
    (project / "pipeline.yaml").write_text(f"{PIPELINE}{tune}")
    notes = [f"note: pipeline.yaml: {each}" for each in ("tune: ", "a step's container must not run as root")]
    for command in (["pipeline.yaml"], ["--all", "."]):
        assert main(["render", *command, "--out", "build"]) == 0
        printed = capsys.readouterr().err.splitlines()
        assert len(printed) == len({*printed})
        assert [note for note in notes if not any(line.startswith(note) for line in printed)] == []


def test_on_the_screen_and_in_one_file_they_stand_together(project, capsys):
    assert main(["render", "pipeline.yaml", "--target", "argo"]) == 0
    kinds = [document["kind"] for document in documents_of(capsys.readouterr().out)]
    assert kinds == ["WorkflowTemplate", "Workflow"]
    assert main(["render", "pipeline.yaml", "--target", "argo", "--out", "all.json", "--format", "json"]) == 0
    assert [document["kind"] for document in json.loads((project / "all.json").read_text())] == kinds


def test_a_file_is_rendered_for_the_targets_that_take_it(project):
    assert main(["render", "--all", ".", "--out", "../out"]) == 0
    assert {"study.katib.yaml", "pipeline.argo.yaml", "pipeline.argo-run.yaml"} <= set(written(project.parent / "out"))
    assert main(["render", "--all", ".", "--target", "katib", "--out", "../katib"]) == 0
    assert written(project.parent / "katib") == ["study.katib.yaml"]


def test_overrides_change_a_pipeline(project, capsys):
    assert main(["render", "pipeline.yaml", "parallel=3", "--target", "argo"]) == 0
    assert documents_of(capsys.readouterr().out)[0]["spec"]["parallelism"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study.yaml", "--target", "argo"], "study.yaml is a study, which is rendered for katib, not for argo"),
        (["pipeline.yaml", "--target", "katib"], "pipeline.yaml is a pipeline, which is rendered for"),
        (["--all", ".", "--target", "argo"], "kftune render --all needs --out DIR"),
        (["--all", "empty", "--out", "out"], "there is no study or pipeline file below empty"),
        (["--all", "empty", "--target", "argo", "--out", "out"], "there is no file for argo below empty"),
        ([], "kftune render takes a study or pipeline file, or --all DIR"),
        (["nowhere.yaml", "--target", "argo"], "nowhere.yaml"),
        (["pipeline.yaml", "~defaults", "--target", "argo"], "a cluster needs an image for step 'data'"),
    ],
)
def test_a_wrong_call_is_answered_with_what_would_be_right(project, capsys, arguments, message):
    (project / "empty").mkdir()
    assert main(["render", *arguments]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
