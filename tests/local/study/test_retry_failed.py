"""`kftune run --retry-failed`: trials that failed in earlier runs run again under their number with their values."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from local_experiment import experiment
from local_experiment import run as run_an_experiment
from local_experiment import sh as sh_in_pod
from local_study import Runs, Tiny, finished, log_of, one_trial, run, sh, study, trials_in, wait_until

from kftune.local import Note, TrialStarted


def flaky(fixed: Path, broken: str = "2|*4") -> tuple[str, ...]:
    """A command that fails for some trials while a file is missing."""
    return sh(f"echo loss=0.5; [ -e {fixed} ] && exit 0; case $KFTUNE_TRIAL_NAME in *{broken}) exit 3;; esac")


def notes(events: list[Any]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note)]


def test_only_failed_trials_run_again_with_their_number_and_values(tmp_path):
    folder, fixed = tmp_path / "results", tmp_path / "fixed"
    run(study(flaky(fixed), trials=5), folder)
    before = trials_in(folder)
    assert [trial.state for trial in before] == ["Succeeded", "Failed", "Succeeded", "Failed", "Succeeded"]
    fixed.touch()
    outcome, events = run(study(flaky(fixed), trials=5), folder, retry_failed=True)
    after = trials_in(folder)
    assert outcome.counts == {"Succeeded": 5}
    assert [event.number for event in events if isinstance(event, TrialStarted)] == [2, 4]
    assert [trial.attempt for trial in after] == [1, 2, 1, 2, 1]
    assert [(trial.point, trial.assignment) for trial in after] == [(trial.point, trial.assignment) for trial in before]
    assert [after[number] == before[number] for number in (0, 2, 4)] == [True] * 3
    assert (folder / "logs" / f"{before[1].name}.log.attempt1").read_text() == "loss=0.5\n"
    assert (folder / "trials" / f"{before[1].name}.attempt1").is_dir()
    assert notes(events)[-1] == (
        "2 trial(s) that failed or lack the objective run again with the same values, from small-study-0002"
    )


def test_trials_without_an_objective_run_again_too(tmp_path):
    fixed = tmp_path / "fixed"
    command = sh(f"[ ! -e {fixed} ] || echo loss=0.5")
    assert one_trial(study(command, trials=1), tmp_path / "results").state == "MetricsUnavailable"
    fixed.touch()
    trial = one_trial(study(command, trials=1), tmp_path / "results", retry_failed=True)
    assert (trial.state, trial.attempt) == ("Succeeded", 2)


def test_a_study_that_had_too_many_failures_goes_on_and_counts_them_afresh(tmp_path):
    folder, fixed = tmp_path / "results", tmp_path / "fixed"
    a_study = study(flaky(fixed, ""), trials=6, budget={"max_failed": 2})
    outcome, _ = run(a_study, folder)
    assert (outcome.reason, outcome.counts) == ("MaxFailedReached", {"Failed": 2})
    assert "raise budget.max_failed, or run them again with --retry-failed; to start over" in outcome.message
    outcome, events = run(a_study, folder, retry_failed=True)
    assert (outcome.reason, outcome.counts) == ("MaxFailedReached", {"Failed": 2})
    assert [event.number for event in finished(events)] == [1, 2]
    fixed.touch()
    outcome, _ = run(a_study, folder, retry_failed=True)
    assert outcome.counts == {"Succeeded": 6}
    assert [trial.attempt for trial in trials_in(folder)] == [3, 3, 1, 1, 1, 1]


def test_what_did_not_run_again_keeps_its_state(tmp_path):
    folder, fixed = tmp_path / "results", tmp_path / "fixed"
    run(study(flaky(fixed, ""), trials=3, budget={"max_failed": 3}), folder)
    before = trials_in(folder)
    outcome, _ = run(study(flaky(fixed, ""), trials=3, budget={"max_failed": 1}), folder, retry_failed=True)
    after = trials_in(folder)
    assert outcome.counts == {"Failed": 3}
    assert after[1:] == before[1:]
    assert (after[0].state, after[0].attempt) == ("Failed", 2)


def test_a_study_that_is_over_says_which_failed_trials_did_not_run_again(tmp_path):
    folder, fixed = tmp_path / "results", tmp_path / "fixed"
    run(study(flaky(fixed), trials=5), folder)
    fixed.touch()
    outcome, events = run(study(flaky(fixed), trials=5, stopping={"no_improvement": 1}), folder, retry_failed=True)
    assert outcome.reason == "StoppingRule"
    assert finished(events) == []
    left = "2 failed trial(s) have not run again, from small-study-0002, because the run ended before"
    assert notes(events)[-1] == left


def test_without_failed_trials_a_note_says_so(tmp_path):
    run(study(trials=2), tmp_path)
    outcome, events = run(study(trials=2), tmp_path, retry_failed=True)
    assert outcome.counts == {"Succeeded": 2}
    assert notes(events)[-1] == (
        "--retry-failed has no effect: no trial of an earlier run has failed or lacks its objective"
    )


def test_the_retries_of_the_study_count_afresh(tmp_path):
    a_study = study(sh("exit 3"), trials=1, budget={"retries": {"failed": 1}})
    assert one_trial(a_study, tmp_path).attempt == 2
    trial = one_trial(a_study, tmp_path, retry_failed=True)
    assert (trial.attempt, trial.retried.counted()) == (4, {"failed": 1})


def test_a_grid_repeats_its_failed_points_and_no_others(tmp_path):
    folder, fixed = tmp_path / "results", tmp_path / "fixed"
    parts: dict[str, Any] = {"trials": 6, "hparams": Tiny, "algorithm": {"name": "grid"}, "budget": {"max_failed": 6}}
    run(study(flaky(fixed), **parts), folder)
    fixed.touch()
    outcome, events = run(study(flaky(fixed), **parts), folder, retry_failed=True)
    assert outcome.counts == {"Succeeded": 6}
    assert [event.number for event in finished(events)] == [2, 4]
    assert len({tuple(trial.assignment.items()) for trial in trials_in(folder)}) == 6


@pytest.mark.parametrize("algorithm", ["random", "tpe", "multivariate-tpe", "sobol", "cmaes"])
def test_algorithms_go_on_after_the_failed_trials(tmp_path, algorithm):
    folder, fixed = tmp_path / "results", tmp_path / "fixed"
    parts: dict[str, Any] = {
        "algorithm": {"name": algorithm},
        "search": {"lr": {"uniform": [0, 1]}, "units": {"int": [8, 99]}},
    }
    run(study(flaky(fixed), trials=5, **parts), folder)
    fixed.touch()
    outcome, events = run(study(flaky(fixed), trials=7, budget={"parallel": 2}, **parts), folder, retry_failed=True)
    assert outcome.counts == {"Succeeded": 7}
    assert sorted(event.number for event in finished(events)) == [2, 4, 6, 7]


def test_a_failed_trial_with_smaller_values_keeps_them(tmp_path):
    fixed = tmp_path / "fixed"
    command = sh(f"echo loss=0.5; [ -e {fixed} ] || {{ echo MemoryError; exit 1; }}")
    search = {"lr": {"uniform": [0, 1]}, "units": {"choice": [8, 64]}}
    budget = {"retries": {"out_of_memory": {"halve": "units"}}}
    a_study = study(
        command, trials=1, search=search, points=[{"units": 64, "lr": 0.5, "optimizer": "sgd"}], budget=budget
    )
    failed = one_trial(a_study, tmp_path / "results")
    assert (failed.state, failed.attempt, failed.point["units"]) == ("Failed", 2, 8)
    fixed.touch()
    trial = one_trial(a_study, tmp_path / "results", retry_failed=True)
    assert (trial.state, trial.attempt, trial.point) == ("Succeeded", 3, failed.point)
    assert trial.retried.proposed == {"units": 64}


def test_a_kill_of_kftune_loses_no_trial_that_should_run_again(tmp_path):
    folder, fixed, mark = tmp_path / "results", tmp_path / "fixed", tmp_path / "mark"
    script = f"""echo loss=0.5; [ -e {fixed} ] || exit 3
case $KFTUNE_TRIAL_NAME in *2) [ -e {mark} ] || {{ touch {mark}; sleep 60; }};; esac"""
    with Runs(folder, command=sh(script), trials=3, budget={"max_failed": 3}) as runs:
        runs.start()
        runs.wait()
    before = trials_in(folder)
    fixed.touch()
    with Runs(folder, command=sh(script), trials=3, budget={"max_failed": 3}, retry_failed=True) as runs:
        runner = runs.start()
        wait_until(mark.exists)
        wait_until(lambda: trials_in(folder)[1].state == "Running")
        os.kill(runner, signal.SIGKILL)
        runs.wait()
        assert [trial.state for trial in trials_in(folder)] == ["Succeeded", "Running", "Failed"]
        runs.start()
        runs.wait()
    after = trials_in(folder)
    assert [(trial.state, trial.attempt, trial.point) for trial in after] == [
        ("Succeeded", attempt, trial.point) for attempt, trial in zip((2, 3, 2), before, strict=True)
    ]
    assert log_of(folder, after[1]) == "loss=0.5\n"


def test_a_script_that_was_repaired_is_no_other_code_for_trials_that_run_again(tmp_path):
    script = tmp_path / "train.py"
    a_study = study(("python", "train.py"), trials=1)
    where = {"study_path": tmp_path / "study.yaml"}
    script.write_text("raise SystemExit('a bug')")
    run(a_study, tmp_path / "results", **where)
    script.write_text("print('loss=1')")
    outcome, events = run(a_study, tmp_path / "results", retry_failed=True, **where)
    assert outcome.counts == {"Succeeded": 1}
    assert not [note for note in notes(events) if "the code has changed" in note]


def test_failed_trials_of_an_experiment_run_again(tmp_path):
    folder, fixed = tmp_path / "results", tmp_path / "fixed"
    an_experiment = experiment(sh_in_pod(f"echo loss=0.5; [ -e {fixed} ] || exit 3"), trials=2)
    outcome, _ = run_an_experiment(an_experiment, folder)
    assert outcome.counts == {"Failed": 2}
    fixed.touch()
    outcome, _ = run_an_experiment(an_experiment, folder, retry_failed=True)
    assert outcome.counts == {"Succeeded": 2}
    assert [trial.attempt for trial in trials_in(folder)] == [2, 2]
