"""`kftune list` finds all results below a folder; `kftune prune` removes what can be made again, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kept_results
import pytest
from kept_results import all_files
from mistake_texts import REMEDY, printed, record, recorded

from kftune.results.lock import take_lock
from kftune.results.pipeline_names import RUN_FILE

SNAPSHOTS = "kept_mistakes.txt"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run: a study twice (the second time with --fresh), a pipeline twice, a list of experiments."""
    folder = tmp_path_factory.mktemp("kept")
    kept_results.write(folder)
    kept_results.run(folder, "study.yaml")
    (folder / "tiny-0002.tried").unlink()
    kept_results.run(folder, "study.yaml", "--fresh")
    kept_results.run(folder, "pipeline.yaml")
    time.sleep(1)  # the names of runs, and so their order, have seconds
    kept_results.run(folder, "pipeline.yaml", "text=b")
    kept_results.make_lists(folder / "lists")
    return folder


@pytest.fixture
def project(ran: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(ran, tmp_path / "project", symlinks=True)


def listed(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    text = printed(["list", *arguments, "--format", "json"], folder)
    assert text.startswith("exit 0\n")
    rows: list[dict[str, Any]] = json.loads(text.partition("\n")[2])["results"]
    return rows


def pipeline_runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"runs/pipe/*/{RUN_FILE}"))


def removed(folder: Path, *arguments: str) -> set[str]:
    """What `prune --yes` removes; the dry run before has said the same, and has removed nothing."""
    before = all_files(folder)
    would = printed(["prune", *arguments], folder)
    assert all_files(folder) == before
    text = printed(["prune", *arguments, "--yes"], folder)
    assert would.splitlines()[:-1] == text.splitlines()[:-1]
    after = all_files(folder)
    assert {name: before[name] for name in after} == after
    return before.keys() - after.keys()


def test_list_finds_studies_lists_and_runs_of_pipelines(project: Path):
    rows = listed(project)
    found = [(row["what"], row["name"], row["state"], sum(row["counts"].values())) for row in rows]
    assert found == [
        ("experiment list", "toys", "MaxTrialsReached", 3),
        ("pipeline run", "pipe", "Succeeded", 2),
        ("study", "tiny", "MaxTrialsReached", 2),
        ("pipeline run", "pipe", "Succeeded", 2),
        ("study", "tiny", "MaxTrialsReached", 4),
        ("study", "tiny", "MaxTrialsReached", 4),
    ]
    last = rows[-2]
    assert last["best"] == {"trial": "tiny-0001", "metric": "loss", "value": "1"}
    assert last["bytes"] >= 5 * kept_results.SIZE
    assert rows[-1]["path"].startswith("runs/tiny.old-")
    assert rows[-1]["changed"] <= last["changed"]
    assert [row["path"] for row in listed(project, "runs/tiny")] == ["runs/tiny"]


def test_the_table_of_list_has_a_line_for_each(project: Path):
    head, *lines = printed(["list", "runs/pipe"], project).splitlines()[1:]
    assert head.split() == ["path", "what", "state", "trials", "best", "changed", "size"]
    assert [line.split("  ")[0].count("/") for line in lines] == [2, 5, 2]
    assert "steps: 1 Cached, 1 Succeeded" in lines[2] or "steps: 1 Succeeded, 1 Cached" in lines[2]


def test_list_does_not_follow_links_or_look_into_hidden_folders(project: Path):
    before = listed(project)
    (project / "link").symlink_to(project / "runs")
    (project / "loop").symlink_to(project)
    shutil.copytree(project / "runs" / "tiny", project / ".hidden" / "tiny")
    assert listed(project) == before


def test_list_imports_nothing_heavy(project: Path):
    code = (
        "import sys; from kftune.cli import main; assert main(['list']) == 0; "
        "print([name for name in ('pydantic', 'yaml', 'optuna', 'torch', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads all")
def test_list_names_folders_that_it_may_not_read(project: Path):
    (project / "runs" / "pipe").chmod(0)
    text = printed(["list"], project)
    (project / "runs" / "pipe").chmod(0o755)
    assert text.startswith("exit 1\n")
    assert "cannot be read: runs/pipe: Permission denied" in text
    assert "runs/tiny" in text


def test_prune_keeps_the_best_and_every_database(project: Path):
    gone = removed(project, "runs/tiny", "--keep-best", "2")
    assert gone == {
        *(f"runs/tiny/logs/tiny-000{number}.log" for number in (3, 4)),
        *(f"runs/tiny/trials/tiny-000{number}/weights" for number in (3, 4)),
        "runs/tiny/logs/tiny-0002.log.attempt1",
        "runs/tiny/trials/tiny-0002.attempt1/weights",
    }
    assert printed(["best", "study.yaml"], project).startswith("exit 0\n")
    assert printed(["results", "study.yaml"], project).count("Succeeded") == 4


def test_prune_of_a_file_also_removes_what_its_fresh_run_moved_aside(project: Path):
    gone = removed(project, "study.yaml", "--keep-best", "4")
    assert {name.partition("/")[2].partition(".old-")[0].partition("/")[0] for name in gone} == {"tiny"}
    assert any(".old-" in name and name.endswith("trials.db") for name in gone)
    assert [path.name for path in (project / "runs").iterdir() if path.name.startswith("tiny")] == ["tiny"]


def test_a_study_goes_on_after_its_files_were_pruned(project: Path):
    removed(project, ".", "--keep-best", "1")
    kept_results.run(project, "study.yaml", "budget.max_trials=5")
    assert [path.name for path in sorted((project / "runs/tiny/logs").iterdir())] == ["tiny-0001.log", "tiny-0005.log"]


def test_trials_of_the_pareto_set_stay(project: Path):
    kept_results.run(project, "both.yaml")
    assert removed(project, "both.yaml", "--keep-best", "1") == set()


def test_prune_removes_old_runs_of_a_pipeline_with_their_cache(project: Path):
    first, second = pipeline_runs(project)
    (project / "runs" / "pipe" / "cache" / "notes.json").write_text("{}")
    gone = removed(project, "pipeline.yaml", "--keep-runs", "1")
    assert pipeline_runs(project) == [second]
    cached = [name for name in gone if "/cache/" in name]
    assert len(cached) == 2
    assert {name for name in gone if name not in cached and first.name not in name} == set()
    kept_results.run(project, "pipeline.yaml", "text=b")
    assert len(pipeline_runs(project)) == 2


def test_prune_removes_the_cache_of_runs_that_someone_has_deleted(project: Path):
    for run in pipeline_runs(project):
        shutil.rmtree(run)
    assert len(removed(project, ".")) > 3
    assert [*(project / "runs" / "pipe" / "cache").iterdir()] == []


def test_prune_of_one_run_leaves_the_others_and_the_cache(project: Path):
    first, _ = pipeline_runs(project)
    gone = removed(project, str(first.relative_to(project)), "--keep-best", "1", "--keep-runs", "1")
    assert {Path(name).name for name in gone} == {"tiny-0002.log", "weights"}


def test_prune_of_a_list_keeps_its_database_and_the_best(project: Path):
    gone = removed(project, "lists", "--keep-best", "1")
    names = {"logs/broken.log", "logs/slow.log", "slow/weights.txt", "broken/weights.txt"}
    assert gone == {f"lists/out/{name}" for name in names}


def test_prune_does_not_follow_links(project: Path, tmp_path: Path):
    outside = tmp_path / "outside"
    shutil.copytree(project / "runs" / "tiny", outside)
    trials = project / "runs" / "tiny" / "trials"
    shutil.rmtree(trials / "tiny-0004")
    (trials / "tiny-0004").symlink_to(outside)
    (trials / "tiny-0003" / "link").symlink_to(outside)
    (project / "runs" / "other").symlink_to(outside)
    before = all_files(outside)
    removed(project, "runs", "--keep-best", "1")
    assert not (trials / "tiny-0004").is_symlink()
    assert not (trials / "tiny-0003").exists()
    assert all_files(outside) == before
    trials.rename(tmp_path / "trials")
    trials.symlink_to(tmp_path / "trials")
    (trials / "tiny-0004").mkdir()
    assert "runs/tiny/trials: a link, which is not followed" in printed(["prune", "runs", "--yes"], project)
    assert (trials / "tiny-0004").exists()


def test_a_lock_that_is_a_link_is_not_written_to(project: Path, tmp_path: Path):
    (tmp_path / "precious").write_text("mine")
    lock = project / "runs" / "tiny" / "lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "precious")
    text = printed(["prune", "runs/tiny", "--yes"], project)
    assert text.startswith("exit 1\n")
    assert "not removed: runs/tiny/lock: a link, which is not followed" in text
    assert (tmp_path / "precious").read_text() == "mine"
    assert (project / "runs/tiny/trials/tiny-0004").exists()


def test_prune_leaves_files_of_others(project: Path):
    aside = next((project / "runs").glob("tiny.old-*"))
    (aside / "notes.txt").write_text("mine")
    for name in ("tiny-0004.txt", "notes", "tiny-0009"):
        (project / "runs" / "tiny" / "trials" / name).write_text("mine")
    gone = removed(project, ".", "--keep-best", "1")
    assert not any("notes" in name or "tiny-0009" in name or name.endswith("tiny-0004.txt") for name in gone)
    assert (aside / "trials.db").exists()
    assert f"stays: runs/{aside.name}: moved aside, but it has files of others: notes.txt" in printed(
        ["prune", "."], project
    )


def test_a_run_that_goes_on_is_listed_and_not_pruned(project: Path):
    process = kept_results.start_waiting(project)
    row = next(row for row in listed(project) if row["name"] == "waits")
    before = all_files(project / "runs" / "waits")
    text = printed(["prune", "runs", "--keep-best", "1", "--yes"], project)
    alone = printed(["prune", "waits.yaml", "--yes"], project)
    after = all_files(project / "runs" / "waits")
    (project / "go").touch()
    assert process.wait(60) == 0
    assert (row["state"], row["writer"]) == ("running", str(process.pid))
    assert before == after
    for each in (text, alone):
        assert f"stays: runs/waits: process {process.pid} writes here" in each
    assert listed(project, "runs/waits")[0]["state"] == "MaxTrialsReached"
    assert removed(project, "waits.yaml", "--keep-best", "1") == {"runs/waits/logs/waits-0002.log"}


def test_a_killed_run_is_listed_as_stopped_and_its_open_trial_stays(project: Path):
    process = kept_results.start_waiting(project)
    process.kill()
    process.wait(60)
    (project / "go").touch()
    assert [(row["state"], row["writer"]) for row in listed(project, "runs/waits")] == [
        ("stopped before its end", None)
    ]
    assert removed(project, "waits.yaml", "--keep-best", "1") == set()


def test_of_runs_that_were_cut_only_the_last_one_may_go_on(project: Path):
    runs = pipeline_runs(project)
    for run in runs:
        text = (run / RUN_FILE).read_text().replace('"state": "Succeeded"', '"state": "Running"')
        (run / RUN_FILE).write_text(text)
    os.utime(runs[1] / RUN_FILE, (1, 1))
    rows = {row["path"]: row["state"] for row in listed(project, "runs/pipe") if row["what"] == "pipeline run"}
    assert {*rows.values()} == {"stopped before its end"}
    lock = take_lock(project / "runs" / "pipe" / "lock")
    locked = [row["writer"] for row in listed(project, "runs/pipe") if row["what"] == "pipeline run"]
    before = all_files(project)
    text = printed(["prune", "runs/pipe", "--keep-runs", "1", "--yes"], project)
    os.close(lock)
    assert locked == [str(os.getpid()), None]
    assert f"stays: runs/pipe: process {os.getpid()} writes here" in text
    assert all_files(project) == before


def test_pipeline_status_has_the_steps_of_the_latest_run(project: Path):
    _, run = pipeline_runs(project)
    place = run.relative_to(project)
    said = f"exit 0\npipeline pipe: Succeeded\n  run  {place}\n  step  state\n  data  Succeeded\n  tune  Cached\n"
    for given in ("pipeline.yaml", "runs/pipe", str(place)):
        assert printed(["pipeline", "status", given], project) == f"{said}all steps are done\n"


def test_pipeline_status_of_a_run_that_was_resumed_and_cut_counts_what_is_done(project: Path):
    first, _ = pipeline_runs(project)
    (first / RUN_FILE).write_text((first / RUN_FILE).read_text().replace('"state": "Succeeded"', '"state": "Running"'))
    (first / "steps" / "tune" / "done.json").unlink()
    lines = printed(["pipeline", "status", str(first)], project).splitlines()
    assert lines[1] == "pipeline pipe: stopped before its end"
    assert lines[3:] == ["  step  state", "  data  Succeeded", "  tune  started"]


def test_pipeline_logs_prints_what_a_step_has_printed(project: Path):
    first, _ = pipeline_runs(project)
    command = [sys.executable, "-m", "kftune", "pipeline", "logs", str(first), "tune"]
    text = subprocess.run(command, cwd=project, capture_output=True, check=True).stdout
    assert text == (first / "steps" / "tune" / "log.txt").read_bytes()
    assert b"tiny-0002 Succeeded" in text


MISTAKES = {
    "list: no folder": ["list", "rusn"],
    "list: a file": ["list", "study.yaml"],
    "list: an unknown format": ["list", "--format", "csv"],
    "list: nothing there": ["list", "empty"],
    "list: a damaged database": ["list", "damaged"],
    "prune: nothing": ["prune"],
    "prune: no such file": ["prune", "study.yml"],
    "prune: no results": ["prune", "waits.yaml"],
    "prune: nothing there": ["prune", "empty"],
    "prune: both ways": ["prune", "runs", "--dry-run", "--yes"],
    "prune: keep none": ["prune", "runs", "--keep-best", "0"],
    "prune: keep text": ["prune", "runs", "--keep-runs", "all"],
    "prune: a list of experiments": ["prune", "lists/list.yaml"],
    "prune: a database": ["prune", "runs/tiny/trials.db"],
    "prune: a damaged database": ["prune", "damaged", "--yes"],
    "prune: an option of others": ["prune", "runs", "--force"],
    "logs: of a trial that was pruned": ["logs", "pruned", "4"],
    "pipeline status: of a study": ["pipeline", "status", "study.yaml"],
    "pipeline status: no runs": ["pipeline", "status", "runs/tiny"],
    "pipeline status: a parameter": ["pipeline", "status", "pipeline.yaml", "text=b"],
    "pipeline status: an option of run": ["pipeline", "status", "pipeline.yaml", "--plain"],
    "pipeline logs: no step": ["pipeline", "logs", "pipeline.yaml"],
    "pipeline logs: no such step": ["pipeline", "logs", "pipeline.yaml", "dta"],
    "clean": ["clean", "runs"],
    "ls": ["ls"],
}


@pytest.fixture(scope="module")
def texts(ran: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = shutil.copytree(ran, tmp_path_factory.mktemp("mistakes") / "project")
    (folder / "empty").mkdir()
    shutil.copytree(folder / "runs" / "tiny", folder / "pruned")
    removed(folder, "pruned")
    (folder / "damaged").mkdir()
    (folder / "damaged" / "trials.db").write_text("no database at all, but a text that is long enough\n" * 20)
    before = all_files(folder)
    found = {name: printed(command, folder) for name, command in MISTAKES.items()}
    assert all_files(folder) == before
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_no_snapshot_is_left_over(texts: dict[str, str]) -> None:
    assert set(recorded(SNAPSHOTS)) == set(texts)
