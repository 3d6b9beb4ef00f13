"""Where results are does not depend on the current folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mistake_texts import printed

STUDY = """\
name: toy
hparams: local_study:Tiny
objective: {metric: loss, direction: minimize}
algorithm: {name: random, seed: 1}
budget: {max_trials: 1}
step: {command: [sh, -c, "echo loss=0.5; echo 'kind: Experiment' > $KFTUNE_OUTPUT_DIR/x.yaml", sh]}
"""
PIPELINE = "name: pipe\nsteps:\n  one: {kind: container, command: [sh, -c, 'echo hi', sh]}\n"
EXPERIMENT = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: toy, namespace: team}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 1
  parameters:
  - {name: lr, parameterType: double, feasibleSpace: {min: "0.1", max: "1"}}
  trialTemplate:
    primaryContainerName: main
    trialParameters: [{name: lr, reference: lr}]
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            restartPolicy: Never
            containers:
            - {name: main, image: "registry.example/x:1", command: [sh, -c, "echo loss=${trialParameters.lr}"]}
"""
COMMANDS = [["best"], ["results"], ["status"], ["logs"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a study in a folder of its own, and two other folders."""
    for name in ("project/tune", "project/sub", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    tune = tmp_path / "project" / "tune"
    (tune / "study.yaml").write_text(STUDY)
    (tune / "pipeline.yaml").write_text(PIPELINE)
    (tune / "experiment.yaml").write_text(EXPERIMENT)
    return tmp_path


def asked(command: list[str], study: str, place: Path) -> str:
    return printed([*command, study, *(["1", "--path"] if command == ["logs"] else [])], place)


@pytest.mark.parametrize(
    ("place", "given"),
    [("project", "tune"), ("project/tune", "."), ("project/sub", "../tune"), ("elsewhere", "../project/tune")],
)
@pytest.mark.parametrize("file", ["study.yaml", "experiment.yaml"])
def test_results_are_beside_the_file_and_found_from_everywhere(folder: Path, file: str, place: str, given: str):
    assert printed(["run", f"{given}/{file}", "--plain"], folder / place).startswith("exit 0\n")
    assert [path.relative_to(folder) for path in folder.rglob("runs")] == [Path("project/tune/runs")]
    for command in COMMANDS:
        for here, path in ((folder / place, f"{given}/{file}"), (folder, f"project/tune/{file}")):
            assert asked(command, path, here).startswith("exit 0\n"), (command, here)
    assert printed(["run", f"tune/{file}", "--plain"], folder / "project").count("trial") >= 1
    assert len(list(folder.rglob("*.log"))) == 1, "the second run goes on with the same results"


def test_runs_of_a_pipeline_are_beside_its_file(folder: Path):
    assert printed(["run", "../tune/pipeline.yaml", "--plain"], folder / "project" / "sub").startswith("exit 0\n")
    assert [path.relative_to(folder) for path in folder.rglob("runs")] == [Path("project/tune/runs")]


def test_a_link_to_a_study_has_its_results(folder: Path):
    (folder / "elsewhere" / "link.yaml").symlink_to(folder / "project" / "tune" / "study.yaml")
    assert printed(["run", "link.yaml", "--plain"], folder / "elsewhere").startswith("exit 0\n")
    assert printed(["best", "project/tune/study.yaml"], folder).startswith("exit 0\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_message_names_the_folder_that_was_looked_in(folder: Path, command: list[str]):
    missing = "there are no results here; kftune run creates them"
    assert asked(command, "tune/study.yaml", folder / "project") == f"exit 2\nkftune: tune/runs/toy: {missing}\n"
    there = folder / "project" / "tune" / "runs" / "toy"
    assert asked(command, "../tune/study.yaml", folder / "project" / "sub") == f"exit 2\nkftune: {there}: {missing}\n"


def test_results_that_an_earlier_version_left_in_the_current_folder_are_named(folder: Path):
    printed(["run", "tune/study.yaml", "--dir", "runs/toy", "--plain"], folder / "project")
    assert printed(["best", "tune/study.yaml"], folder / "project") == (
        "exit 2\nkftune: tune/runs/toy: there are no results here, but the current folder has some of that name: give "
        "runs/toy\n"
    )
    assert printed(["best", "runs/toy"], folder / "project").startswith("exit 0\n")
    out = printed(["run", "tune/study.yaml", "--plain"], folder / "project")
    assert (
        "note: results go to tune/runs/toy, beside the file; the current folder has some of that name: to go on with "
        "these, give --dir runs/toy\n"
    ) in out
    assert "note: results go to" not in printed(["run", "tune/study.yaml", "--plain"], folder / "project")


def test_git_and_a_search_for_files_pass_over_results(folder: Path):
    tune = folder / "project" / "tune"
    for name in ("pipeline.yaml", "experiment.yaml"):
        (tune / name).unlink()
    before = printed(["lint", "tune"], folder / "project")
    printed(["run", "tune/study.yaml", "--plain"], folder / "project")
    assert list(tune.rglob("x.yaml")), "a trial wrote a file that is like an Experiment"
    assert printed(["lint", "tune"], folder / "project") == before
    subprocess.run(["git", "init", "-q", folder], check=True)
    seen = subprocess.run(["git", "-C", folder, "status", "--porcelain", "-uall"], capture_output=True, text=True)
    assert seen.stdout.split() == ["??", "project/tune/study.yaml"]


def test_a_place_where_no_folder_can_be_made_is_told_with_what_to_do(folder: Path):
    (folder / "project" / "tune" / "runs").touch()
    assert printed(["run", "tune/study.yaml", "--plain"], folder / "project") == (
        "exit 2\nkftune: PROJECT/tune/runs/toy: results go here, but this folder cannot be made: Not a directory; give "
        "another one (--dir)\n"
    )


def test_a_folder_of_that_name_that_kftune_did_not_make_stays_as_it_is(folder: Path):
    runs = folder / "project" / "tune" / "runs"
    runs.mkdir()
    shutil.move(folder / "project" / "tune" / "experiment.yaml", runs / "experiment.yaml")
    printed(["run", "tune/study.yaml", "--plain"], folder / "project")
    assert sorted(path.name for path in runs.iterdir()) == ["experiment.yaml", "toy"]
    assert "runs/experiment.yaml" in printed(["lint", "tune", "--format", "json"], folder / "project")


def test_files_beside_a_study_do_not_shadow_what_kftune_imports(tmp_path: Path):
    names = ("optuna", "cuda", "rich", "sqlite3", "sqlalchemy", "statistics", "psutil")
    for name in names:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a file of the study')\n")
    study = STUDY.replace("local_study:Tiny", "hp:Mine").replace("random, seed: 1", "tpe").replace("1}", "12}")
    (tmp_path / "study.yaml").write_text(study)
    (tmp_path / "hp.py").write_text(
        "from kftune import Hparam, Hparams, Uniform\n\nclass Mine(Hparams):\n"
        "    lr: float = Hparam(0.5, search=Uniform(0, 1))\n"
    )
    (tmp_path / "pipeline.yaml").write_text("name: pipe\nsteps:\n  tune: {kind: tune, study: study.yaml}\n")
    for file in ("study.yaml", "pipeline.yaml"):
        command = [sys.executable, "-m", "kftune", "run", file, "--plain"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
