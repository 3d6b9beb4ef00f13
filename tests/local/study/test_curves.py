"""Curves of real runs: kept to the end, through kills and resumes, and known to the rules of later runs."""

from __future__ import annotations

import os
import signal
import time

import pytest
from local_study import Runs, kept_curves, run, sh, study, trials_in, wait_until

from kftune.errors import StudyError
from kftune.results import TrialEnd, TrialStart, open_results
from kftune.results.store import Store

REPORTS = "i=0; while [ $i -lt 5 ]; do i=$((i + 1)); echo step=$i loss=0.$i; done"
BANDIT = {"bandit": {"slack_factor": 0.1, "interval": 2, "delay": 2}}


def test_failed_trials_have_curves_too(tmp_path):
    outcome, _ = run(study(sh(f"{REPORTS}; exit 3"), trials=2), tmp_path)
    assert outcome.counts == {"Failed": 2}
    assert kept_curves(tmp_path) == {
        number: {"loss": ([1, 2, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 0.5])} for number in (1, 2)
    }


def test_a_trial_that_times_out_keeps_what_it_reported(tmp_path):
    run(study(sh("echo loss=0.5; sleep 20"), trials=1, budget={"trial_timeout": 0.5}), tmp_path)
    assert kept_curves(tmp_path) == {1: {"loss": ([1], [0.5])}}


def test_a_study_says_how_many_reports_are_kept(tmp_path):
    script = "i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo loss=$i; done"
    run(study(sh(script), trials=1, budget={"metrics_per_trial": 10}), tmp_path)
    steps, values = kept_curves(tmp_path)[1]["loss"]
    assert (steps[0], steps[-1]) == (1, 300)
    assert values == [float(step) for step in steps]
    assert 5 <= len(steps) <= 10


@pytest.mark.parametrize("number", [3, 0, True, "many", 2.5])
def test_a_number_of_reports_without_room_for_the_extremes_is_refused(number):
    with pytest.raises(StudyError, match="metrics_per_trial"):
        study(budget={"metrics_per_trial": number})


def test_a_killed_run_keeps_finished_curves_and_its_running_trial_starts_without_one(tmp_path):
    folder = tmp_path / "runs"
    script = f"""{REPORTS}; test -e {tmp_path}/go && echo step=6 loss=0.01
    case $KFTUNE_TRIAL_NAME in *3) test -e {tmp_path}/go || sleep 60;; esac"""
    with Runs(folder, command=sh(script), trials=4) as runs:
        runner = runs.start()
        wait_until(lambda: (folder / "logs" / "small-study-0003.log").exists())
        time.sleep(0.3)
        os.kill(runner, signal.SIGKILL)
        runs.wait()
        before = kept_curves(folder)
        assert set(before) == {1, 2}
        (tmp_path / "go").touch()
        runs.start()
        runs.wait()
    after = kept_curves(folder)
    assert {number: after[number] for number in before} == before
    assert [trial.attempt for trial in trials_in(folder)] == [1, 1, 2, 1]
    assert after[3] == after[4] == {"loss": ([1, 2, 3, 4, 5, 6], [0.1, 0.2, 0.3, 0.4, 0.5, 0.01])}


def test_a_rule_knows_the_curves_of_an_earlier_run(tmp_path):
    reports = "for i in 1 2 3 4; do echo step=$i loss=${LOSS}$i; sleep 0.1; done"
    script = f"read LOSS < {tmp_path}/loss; {reports}"
    (tmp_path / "loss").write_text("0.1\n")
    run(study(sh(script), trials=1, stopping=BANDIT), tmp_path / "runs")
    (tmp_path / "loss").write_text("0.9\n")
    run(study(sh(script), trials=2, stopping=BANDIT), tmp_path / "runs")
    first, second = trials_in(tmp_path / "runs")
    assert (first.state, first.stopped_by) == ("Succeeded", "")
    assert (second.state, second.stopped_by) == ("EarlyStopped", "bandit")


def test_a_trial_that_starts_again_leaves_no_curve_of_its_earlier_try(tmp_path):
    run(study(trials=1), tmp_path)
    with open_results(tmp_path) as results:
        meta, trial = results.meta, results.trial("1")
        found = results.curves(trial)
    with Store(tmp_path, meta) as store:
        start = TrialStart(2, 1, {}, {}, "", trial.origin)
        killed = TrialEnd("Killed", {}, None, "", 1.0, None)
        store.start(start)
        store.end(2, killed, found)
        assert store.curves(2) == found
        store.start(start._replace(attempt=2))
        assert store.curves(2) == {}
        store.end(2, killed._replace(state="Failed"), {})
        store.end(2, killed, found)  # it has finished: nothing changes
        assert store.curves(2) == {}
        assert store.trial(2).state == "Failed"
