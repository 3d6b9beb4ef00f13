"""Each trial keeps what proposed it and what it ran; a run says when its code differs from that of earlier trials."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import local_experiment
import pytest
from local_study import run, study, trials_in, wait_until

from kftune.cli import main
from kftune.local import Note
from kftune.results import open_results
from kftune.results.export import to_csv, to_json
from kftune.results.page import results_page

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.org")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script and a module that it imports, in no repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text("from helper import LOSS\nprint(f'loss={LOSS}')\n")
    (folder / "helper.py").write_text("LOSS = 0.5\n")
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *IDENTITY, "-C", folder, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(folder: Path) -> str:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "a commit")
    return git(folder, "rev-parse", "HEAD")


def notes(project: Path, trials: int, **parts: Any) -> list[str]:
    """Runs the project's study up to that number of trials; returns the notes on its code."""
    a_study = study(("python", "train.py"), trials=trials, **parts)
    _, events = run(a_study, project.parent / "results", study_path=project / "study.yaml")
    return [event.message for event in events if isinstance(event, Note) and "changed" in event.message]


def seen(project: Path, *parts: str) -> list[tuple[Any, ...]]:
    """Returns those parts of each trial's origin."""
    return [tuple(getattr(trial.origin, part) for part in parts) for trial in trials_in(project.parent / "results")]


def test_each_trial_keeps_the_algorithm_that_proposed_it_with_its_settings_and_seed(project):
    notes(project, 2, algorithm={"name": "sobol", "seed": 1})
    notes(project, 3, algorithm={"name": "tpe", "seed": 2, "settings": {"n_EI_candidates": 8}})
    notes(project, 4, algorithm={"name": "random", "seed": None})
    assert seen(project, "algorithm", "settings", "seed") == [
        ("sobol", {}, 1),
        ("sobol", {}, 1),
        ("tpe", {"n_EI_candidates": 8}, 2),
        ("random", {}, 2),
    ]


def test_a_trial_that_runs_again_keeps_what_proposed_it_and_has_the_code_of_its_last_attempt(project):
    waiting = project / "helper.py"
    waiting.write_text("import time\ntime.sleep(60)\n")
    pid = os.fork()
    if_child(pid, lambda: notes(project, 1, algorithm={"seed": 1}))
    wait_until(lambda: (project.parent / "results" / "logs" / "small-study-0001.log").exists())
    os.kill(pid, 2)
    os.waitpid(pid, 0)
    (before,) = seen(project, "seed", "code")
    waiting.write_text("LOSS = 0.5\n")
    assert notes(project, 1, algorithm={"seed": 2}) == []
    (after,) = seen(project, "seed", "code")
    assert (before[0], after[0]) == (1, 1)
    assert before[1] != after[1]


def if_child(pid: int, action: Any) -> None:
    """Runs an action in a forked process, which then ends."""
    if pid == 0:
        try:
            action()
        finally:
            os._exit(0)


@pytest.mark.parametrize("name", ["train.py", "helper.py"])
def test_a_run_says_when_the_script_or_a_file_beside_it_has_changed(project, name):
    assert notes(project, 2) == []
    assert notes(project, 3) == []
    with (project / name).open("a") as file:
        file.write("# another one\n")
    assert notes(project, 4) == [
        "the code has changed since 3 of 3 trials ran, the last of them small-study-0003: results may differ for that "
        "reason; to start over, run with --fresh"
    ]
    assert len({code for (code,) in seen(project, "code")}) == 2


def test_files_beside_a_script_in_another_folder_count_too(project):
    project.rename(project.with_name("src"))
    project.mkdir()
    shutil.move(project.with_name("src"), project / "src")
    a_study = study(("python", "src/train.py"), trials=1)
    run(a_study, project / "runs", study_path=project / "study.yaml")
    (project / "src" / "helper.py").write_text("LOSS = 0.25\n")
    more = a_study.model_copy(update={"budget": a_study.budget.model_copy(update={"max_trials": 2})})
    _, events = run(more, project / "runs", study_path=project / "study.yaml")
    assert any("the code has changed" in getattr(event, "message", "") for event in events)


def test_the_same_code_in_another_place_is_the_same(project):
    notes(project, 1)
    moved = project.with_name("moved")
    project.rename(moved)
    assert notes(moved, 2) == []


def test_without_git_the_revision_is_empty_and_nothing_is_said(project, monkeypatch):
    notes(project, 1)
    monkeypatch.setenv("PATH", "/nowhere")
    assert notes(project, 2) == []
    assert seen(project, "revision") == [("",), ("",)]


def test_a_trial_keeps_the_commit_and_says_when_tracked_files_differ_from_it(project):
    commit = committed(project)
    notes(project, 1)
    (project / "new.txt").touch()
    assert notes(project, 2) == []
    (project / "train.py").write_text("print('loss=0.4')\n")
    (note,) = notes(project, 3)
    assert f"(git: {commit[:12]} then, {commit[:12]}-dirty now)" in note
    assert seen(project, "revision") == [(commit,), (commit,), (f"{commit}-dirty",)]


def test_another_commit_with_the_same_code_is_said_as_such(project):
    (project / "README").touch()
    first = committed(project)
    notes(project, 1)
    (project / "README").write_text("text")
    second = committed(project)
    assert notes(project, 2) == [
        "the git revision has changed since 1 of 1 trials ran, the last of them small-study-0001 "
        f"(git: {first[:12]} then, {second[:12]} now)"
    ]


def test_other_code_does_not_refuse_a_strict_run(project):
    notes(project, 1)
    (project / "train.py").write_text("print('loss=0.4')\n")
    a_study = study(("python", "train.py"), trials=2)
    outcome, _ = run(a_study, project.parent / "results", study_path=project / "study.yaml", strict=True)
    assert outcome.state == "Succeeded"


def test_an_odd_file_beside_the_study_stops_nothing(project):
    (project / "folder.py").mkdir()
    (project / "broken.py").symlink_to("nowhere.py")
    (project / "not-\udcff-utf-8.py").touch()
    a_study = study(("sh", "-c", "echo loss=1", "x" * 5000), trials=1)
    outcome, _ = run(a_study, project / "runs", study_path=project / "study.yaml")
    assert outcome.state == "Succeeded"


def test_trials_of_an_experiment_have_an_origin_too(project):
    command = local_experiment.python("print('loss=0.5')")
    folder, place = project.parent / "results", project / "experiment.yaml"
    local_experiment.run(local_experiment.experiment(command, trials=1), folder, place=place)
    (project / "helper.py").write_text("LOSS = 1\n")
    _, events = local_experiment.run(local_experiment.experiment(command, trials=2), folder, place=place)
    assert any("the code has changed since 1 of 1" in event.message for event in events if isinstance(event, Note))
    assert seen(project, "algorithm", "seed") == [("random", 7), ("random", 7)]
    assert len({code for (code,) in seen(project, "code")}) == 2


# -- where it is shown --------------------------------------------------------------------------------------------


def test_every_form_of_the_results_says_what_proposed_a_trial(project, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    commit = committed(project)
    notes(project, 1, algorithm={"name": "sobol", "seed": 1})
    notes(project, 2, algorithm={"name": "random", "seed": 2})
    folder = str(project.parent / "results")
    with open_results(folder) as results:
        first, second = (trial["origin"] for trial in to_json(results)["trials"])
        lines, page = to_csv(results).splitlines(), results_page(results)
    assert (first["algorithm"], first["seed"], first["revision"]) == ("sobol", 1, commit)
    assert (second["algorithm"], second["seed"], second["code"]) == ("random", 2, first["code"])
    assert f",sobol,1,{first['code']},{commit}," in lines[1]
    assert "by sobol with seed 1 and random with seed 2" in page
    assert "<th>origin.algorithm</th><th>origin.seed</th></tr>" in page
    assert main(["results", folder]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert "origin.algorithm  origin.seed" in header
    assert "origin.code" not in header, "what is the same for all trials is not in the table"
    assert "sobol" in rows[0]
    assert main(["best", folder]) == 0
    assert f"origin  sobol with seed 1, code {first['code'][:12]}, git {commit[:12]}" in capsys.readouterr().out
