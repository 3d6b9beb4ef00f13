"""A new trial finds no files of another one, after a kill and after the loss of a file of results."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from experiment_lists import project
from local_experiment import experiment
from local_experiment import run as run_an_experiment
from local_experiment import sh as sh_in_pod
from local_study import Net, run, sh, study, trials_in

import kftune
from kftune.errors import StoreError
from kftune.experiments.file import load_list
from kftune.experiments.run import run_list
from kftune.results.kept.pruning import plan

# It fails where a checkpoint is, as a training resumes one.
SCRIPT = "[ ! -e $KFTUNE_OUTPUT_DIR/checkpoint ] || exit 9; echo mine > $KFTUNE_OUTPUT_DIR/checkpoint; echo loss=0.5"


def run_a_study(folder: Path) -> None:
    run(study(sh(SCRIPT), trials=2), folder)


def run_as_experiment(folder: Path) -> None:
    run_an_experiment(experiment(sh_in_pod(SCRIPT), trials=2), folder)


def ask(folder: Path) -> None:
    with kftune.ask_tell(Net, dir=folder, max_trials=2, objective="loss") as loop:
        for trial in loop:
            assert not (trial.folder / "checkpoint").exists()
            (trial.folder / "checkpoint").write_text("mine\n")
            loop.tell(trial, loss=0.5)


def names_of(use: Callable[[Path], None], folder: Path) -> list[str]:
    """The names that the trials have."""
    use(folder)
    return [trial.name for trial in trials_in(folder)]


@pytest.mark.parametrize("use", [run_a_study, run_as_experiment, ask])
def test_a_new_trial_gets_no_files_of_a_start_that_was_not_stored(tmp_path, use):
    names, folder = names_of(use, tmp_path / "a"), tmp_path / "b"
    (folder / "logs").mkdir(parents=True)
    stale = folder / "trials" / names[1]
    stale.mkdir(parents=True)
    (stale / "checkpoint").write_text("of other values\n")
    (folder / "logs" / f"{names[1]}.log").write_text("of other values\n")
    use(folder)
    assert [trial.state for trial in trials_in(folder)] == ["Succeeded"] * 2
    assert (stale / "checkpoint").read_text() == "mine\n"
    assert (folder / "trials" / f"{names[1]}.unstored1" / "checkpoint").read_text() == "of other values\n"
    assert (folder / "logs" / f"{names[1]}.log.unstored1").read_text() == "of other values\n"


def test_a_link_to_nothing_is_moved_aside_too(tmp_path):
    stale = tmp_path / "trials" / "small-study-0001"
    stale.mkdir(parents=True)
    (stale / "checkpoint").symlink_to(tmp_path / "nothing")
    run_a_study(tmp_path)
    assert [trial.state for trial in trials_in(tmp_path)] == ["Succeeded"] * 2
    assert (tmp_path / "trials" / "small-study-0001.unstored1" / "checkpoint").is_symlink()


def test_an_experiment_of_a_list_gets_no_files_of_a_start_that_was_not_stored(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "toy", raising=False)  # that of another folder
    listed, folder = load_list(project(tmp_path)), tmp_path / "results"
    (folder / "slow").mkdir(parents=True)
    (folder / "slow" / "weights.txt").write_text("of other values")
    (folder / "logs").mkdir()
    (folder / "logs" / "slow.log").write_text("of other values")
    run_list(listed, folder, keys=["slow"])
    assert [trial.state for trial in trials_in(folder)] == ["Succeeded"]
    assert (folder / "slow.unstored1" / "weights.txt").read_text() == "of other values"
    assert (folder / "logs" / "slow.log.unstored1").read_text() == "of other values"
    run_list(listed, folder, keys=["slow"], fresh=True)
    (aside,) = tmp_path.glob("results.old-*")
    assert (aside / "slow.unstored1").is_dir()


def test_an_empty_folder_is_used_as_it_is(tmp_path):
    (tmp_path / "trials" / "small-study-0001").mkdir(parents=True)
    run_a_study(tmp_path)
    names = sorted(path.name for path in (tmp_path / "trials").iterdir())
    assert names == ["small-study-0001", "small-study-0002"]


def test_without_the_file_of_trials_a_run_refuses_and_says_what_to_do(tmp_path):
    folder = tmp_path / "runs"
    run_a_study(folder)
    (folder / "trials.db").unlink()
    for use in (run_a_study, trials_in):
        with pytest.raises(StoreError, match=r"trials.db is gone; save .*--salvage\), or start again \(--fresh\)"):
            use(folder)
    run(study(sh(SCRIPT), trials=2), folder, fresh=True)
    assert [trial.state for trial in trials_in(folder)] == ["Succeeded"] * 2
    (aside,) = tmp_path.glob("runs.old-*")
    assert (aside / "trials" / "small-study-0002" / "checkpoint").exists()


def test_with_neither_copy_of_the_trials_old_folders_are_moved_aside(tmp_path):
    run_a_study(tmp_path)
    (tmp_path / "trials.db").unlink()
    (tmp_path / "trials.jsonl").unlink()
    run_a_study(tmp_path)
    assert [trial.state for trial in trials_in(tmp_path)] == ["Succeeded"] * 2
    stale = tmp_path / "trials" / "small-study-0002.unstored1"
    assert (stale / "checkpoint").exists()
    assert stale in [each.path for each in plan(tmp_path, keep_best=2, keep_runs=None).unneeded], "prune knows them"
