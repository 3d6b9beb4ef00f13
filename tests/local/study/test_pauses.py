"""Trials that wait at a rung with their checkpoint, and go on: real processes, Ctrl-C and kills."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import resumes
from local_study import Runs, Tiny, finished, kept_curves, python, run, study, trials_in, wait_until
from mistake_texts import printed
from resumes import STEPS, whole_curve

from kftune.errors import RunError
from kftune.local import Event, Note, TrialPaused, TrialStarted
from kftune.results import Trial
from kftune.study import Study

PROMOTION: dict[str, Any] = {"asha": {"type": "promotion", "max_resource": STEPS}}


def trains(seconds: float = 0.02, steps: int = STEPS) -> tuple[str, ...]:
    return ("python", resumes.__file__, str(steps), str(seconds), "--")


def waits(trials: int, parallel: int = 1, **parts: Any) -> Study:
    budget = {"parallel": parallel, **parts.pop("budget", {})}
    return study(**{"command": trains(), "stopping": PROMOTION, **parts}, trials=trials, budget=budget)


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note)]


def starts_in(folder: Path, name: str) -> list[list[int]]:
    """The step at which each part of a trial began, and the last one that kftune said it knows."""
    return [[*map(int, line.split())] for line in (folder / "trials" / name / "starts").read_text().splitlines()]


def distinct(steps: list[int], values: list[float]) -> dict[int, float]:
    return dict(zip(steps, values, strict=True))


def assert_curves_are_whole(folder: Path) -> None:
    """Each trial has reported what it reports without interruption, from its first step on and without a gap."""
    curves = kept_curves(folder)
    for trial in trials_in(folder):
        found = distinct(*curves[trial.number]["loss"])
        assert found == dict(enumerate(whole_curve(trial.number)[: len(found)], 1)), trial.name
        assert trial.objective == min(found.values())


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_trial_that_waited_goes_on_in_its_folder_and_its_curve_is_that_of_an_uninterrupted_one(tmp_path, parallel):
    outcome, events = run(waits(27, parallel), tmp_path)
    trials = trials_in(tmp_path)
    assert outcome.reason == "MaxTrialsReached"
    assert {trial.state for trial in trials} == {"Succeeded", "EarlyStopped"}
    assert_curves_are_whole(tmp_path)
    went_on = [event for event in events if isinstance(event, TrialStarted) and event.goes_on]
    assert went_on
    for event in went_on:
        parts = starts_in(tmp_path, event.trial)
        assert [step for step, _ in parts] == [told for _, told in parts]
        assert [step for step, _ in parts] == sorted({step for step, _ in parts}), "no part begins again"
        assert (tmp_path / "logs" / f"{event.trial}.log.attempt1").exists()
        assert not (tmp_path / "trials" / f"{event.trial}.attempt1").exists()
    assert len(finished(events)) == 27


class ByThePaper:
    """Li et al., algorithm 2, with one worker: the values at the rungs, and which trials went on from them."""

    def __init__(self, trials: int) -> None:
        self.values: dict[int, dict[int, float]] = {1: {}, 3: {}, 9: {}}
        self._promoted: set[tuple[int, int]] = set()
        for fresh in range(1, trials + 1):
            self._train(fresh, 1)
            while (found := self._promotable()) is not None:
                self._promoted.add(found)
                self._train(found[0], found[1] * 3)

    def _train(self, number: int, rung: int) -> None:
        if rung in self.values:
            self.values[rung][number] = whole_curve(number)[rung - 1]

    def _promotable(self) -> tuple[int, int] | None:
        for rung, values in reversed(self.values.items()):
            best = sorted(values, key=lambda number: values[number])[: len(values) // 3]
            for number in best:
                if (number, rung) not in self._promoted:
                    return number, rung
        return None


def test_trials_reach_the_rungs_that_they_reach_by_the_paper_s_algorithm(tmp_path):
    run(waits(14), tmp_path)
    curves = {number: each["loss"][0] for number, each in kept_curves(tmp_path).items()}
    expected = ByThePaper(14).values
    assert {rung: {number for number, steps in curves.items() if steps[-1] >= rung} for rung in expected} == {
        rung: set(values) for rung, values in expected.items()
    }
    assert expected[9]


def test_trials_that_still_wait_at_the_end_are_stopped_early_with_their_value(tmp_path):
    outcome, events = run(waits(3), tmp_path)
    assert outcome.counts == {"EarlyStopped": 3}
    assert outcome.best is not None
    paused = [event.message for event in events if isinstance(event, TrialPaused)]
    assert paused[0].startswith("paused by asha: number 1 of 1 at rung 1 with ")
    for trial in trials_in(tmp_path):
        assert trial.stopped_by == "asha"
        assert trial.message.startswith("stopped early by asha: number ")
        assert trial.objective is not None
    assert notes(events)[0] == (
        "stopping.asha lets one of 3 trials go on at each of 3 rungs, so with 3 trials none gets to its end; raise "
        "budget.max_trials to 27 or more, or min_resource or reduction_factor"
    )


def test_ctrl_c_leaves_waiting_trials_as_they_are_and_the_next_run_lets_them_go_on(tmp_path):
    arguments = {"command": trains(0.05), "stopping": PROMOTION, "budget": {"parallel": 2}}
    with Runs(tmp_path / "runs", **arguments, trials=12) as runs:
        runner = runs.start()
        wait_until(lambda: "Paused" in states(tmp_path / "runs"))
        os.kill(runner, signal.SIGINT)
        runs.wait()
        between = {trial.number: trial for trial in trials_in(tmp_path / "runs")}
        assert {"Paused"} <= {trial.state for trial in between.values()} <= {"Paused", "Killed", "Succeeded"}
        assert "Paused" in printed(["results", str(tmp_path / "runs")], tmp_path)
        runs.start()
        runs.wait()
    trials = trials_in(tmp_path / "runs")
    assert [trial.number for trial in trials] == [*range(1, 13)]
    assert {trial.state for trial in trials} <= {"Succeeded", "EarlyStopped"}
    assert [trial.assignment for trial in trials[: len(between)]] == [trial.assignment for trial in between.values()]
    assert_curves_are_whole(tmp_path / "runs")


def states(folder: Path) -> list[str]:
    """The states in the store, while another process writes it."""
    if not (folder / "trials.db").exists():
        return []
    connection = sqlite3.connect(folder / "trials.db")
    try:
        return [state for (state,) in connection.execute("SELECT state FROM trials ORDER BY number")]
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


ENDED = ("Succeeded", "EarlyStopped")


def all_in(folder: Path) -> dict[int, Trial]:
    """All trials by number; none while the first run has not made the tables."""
    return {trial.number: trial for trial in trials_in(folder)} if states(folder) else {}


@pytest.mark.nightly  # tests/crash aims kills at the same
@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_any_moment_lose_no_report_and_repeat_no_trial_that_has_ended(tmp_path, seed):
    folder, moments = tmp_path / "runs", random.Random(seed)
    arguments = {"command": trains(0.03), "stopping": PROMOTION, "budget": {"parallel": 3}}
    ended: dict[int, Any] = {}
    with Runs(folder, **arguments, trials=30) as runs:
        for _ in range(15):
            runner = runs.start()
            time.sleep(moments.uniform(0.05, 0.8))
            os.kill(runner, signal.SIGKILL)
            runs.wait()
            found = all_in(folder)
            assert {number: found.get(number) for number in ended} == ended
            ended = {number: trial for number, trial in found.items() if trial.state in ENDED}
        runs.start()
        runs.wait()
    trials = trials_in(folder)
    assert [trial.number for trial in trials] == [*range(1, 31)]
    assert {trial.state for trial in trials} == {"Succeeded", "EarlyStopped"}
    assert_curves_are_whole(folder)
    for trial in (trial for trial in trials if trial.retried.promoted):
        begun = [step for step, _ in starts_in(folder, trial.name)]
        assert begun == sorted(begun), "no part begins before an earlier one"


def test_a_report_without_a_step_ends_the_run_with_what_to_do(tmp_path):
    with pytest.raises(RunError) as caught:
        run(waits(3, command=python("print('loss=1', flush=True)\nimport time; time.sleep(9)")), tmp_path)
    assert "stopping.asha with type promotion needs the step of each report" in str(caught.value)
    assert "kftune.report(step=..., loss=...)" in str(caught.value)


def test_a_script_that_does_not_go_on_is_named_in_a_note(tmp_path):
    script = "import os, time\nnumber = int(os.environ['KFTUNE_TRIAL_NAME'][-4:])\n"
    script += "for step in range(1, 10): print(f'step={step} loss={number}', flush=True); time.sleep(0.05)"
    _, events = run(waits(4, command=python(script), stopping={"asha": {"type": "promotion"}}), tmp_path)
    (note,) = notes(events)
    assert note.startswith(
        "stopping: 1 trial(s) went on after a pause and began again with their first step, from trial 1"
    )


def test_a_time_limit_is_one_of_each_part(tmp_path):
    a_study = waits(
        6,
        command=trains(0.25, 9),
        budget={"trial_timeout": 0.9},
        stopping={"asha": {**PROMOTION["asha"], "reduction_factor": 2}},
    )
    outcome, _ = run(a_study, tmp_path)
    longest = max(trial.duration or 0 for trial in trials_in(tmp_path))
    assert outcome.counts.get("Failed", 0) < 6
    assert longest > 0.9, "all parts together took longer than the limit"


def test_a_retry_starts_from_the_beginning_and_waits_again(tmp_path):
    script = Path(resumes.__file__).read_text()
    place = tmp_path / "fails.py"
    place.write_text(
        script.replace("    main(int", '    if os.environ.get("KFTUNE_RESUMED"): sys.exit(3)\n    main(int', 1)
    )
    command = ("python", str(place), str(STEPS), "0.02", "--")
    outcome, _ = run(waits(6, command=command, budget={"retries": {"failed": 1}, "max_failed": 6}), tmp_path / "runs")
    failed = [trial for trial in trials_in(tmp_path / "runs") if trial.state == "Failed" or trial.retried.failed]
    assert outcome.reason == "MaxTrialsReached"
    assert failed
    assert all((tmp_path / "runs" / "trials" / f"{trial.name}.attempt2").exists() for trial in failed)


def test_a_waiting_trial_that_has_reached_the_goal_ends_the_study(tmp_path):
    outcome, _ = run(waits(9, objective={"goal": 100}), tmp_path)
    assert outcome.reason == "GoalReached"
    assert [trial.state for trial in trials_in(tmp_path)] == ["EarlyStopped"]


def test_other_rules_end_a_trial_that_would_wait(tmp_path):
    stopping = {**PROMOTION, "threshold": {"above": 0}}
    outcome, _ = run(waits(3, stopping=stopping), tmp_path)
    assert outcome.counts == {"EarlyStopped": 3}
    assert {trial.stopped_by for trial in trials_in(tmp_path)} == {"threshold"}


def test_a_trial_that_loses_its_result_while_it_pauses_does_not_wait(tmp_path):
    script = "import signal, sys, time\ndef end(*_): print('step=2 loss=99', flush=True); sys.exit()\n"
    script += "signal.signal(signal.SIGTERM, end)\nprint('step=1 loss=1', flush=True)\ntime.sleep(20)"
    stopping = {"asha": {"type": "promotion"}, "threshold": {"above": 9}}
    run(waits(2, command=python(script), stopping=stopping), tmp_path)
    ends = [(trial.state, trial.objective, trial.stopped_by) for trial in trials_in(tmp_path)]
    assert ends == [("EarlyStopped", None, "threshold")] * 2


@pytest.mark.parametrize("algorithm", ["tpe", "grid", "cmaes", "nsga2"])
def test_every_algorithm_goes_on_while_trials_wait(tmp_path, algorithm):
    settings = {"population_size": 4} if algorithm == "nsga2" else {}
    parts = {"hparams": Tiny} if algorithm == "grid" else {}
    wanted = {"grid": 6}.get(algorithm, 9)
    a_study = waits(wanted, 2, algorithm={"name": algorithm, "settings": settings}, **parts)
    outcome, _ = run(a_study, tmp_path)
    assert outcome.reason == "MaxTrialsReached"
    assert sum(outcome.counts.values()) == wanted


def test_a_space_with_fewer_points_than_the_budget_ends_when_no_trial_may_go_on(tmp_path):
    outcome, _ = run(waits(20, hparams=Tiny, algorithm={"name": "grid"}), tmp_path)
    assert outcome.reason == "SearchSpaceExhausted"
    assert sum(outcome.counts.values()) == 6


def test_without_the_rule_waiting_trials_of_an_earlier_run_simply_go_on(tmp_path):
    arguments = {"command": trains(0.03), "stopping": PROMOTION}
    with Runs(tmp_path, **arguments, trials=5) as runs:
        runner = runs.start()
        wait_until(lambda: states(tmp_path).count("Paused") > 1)
        os.kill(runner, signal.SIGKILL)
        runs.wait()
    with Runs(tmp_path, command=trains(0.03), trials=5) as runs:
        runner = runs.start()
        wait_until(lambda: states(tmp_path).count("Running") == 1)
        time.sleep(0.3)
        os.kill(runner, signal.SIGKILL)
        runs.wait()
        runs.start()
        runs.wait()
    assert [trial.state for trial in trials_in(tmp_path)] == ["Succeeded"] * 5
    assert_curves_are_whole(tmp_path)


def test_trials_of_a_warm_worker_wait_and_go_on_as_others(tmp_path, monkeypatch):
    (tmp_path / "resumes_warm.py").write_text(
        "import sys\nfrom resumes import main\nif __name__ == '__main__':\n    main(27, 0.03)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(resumes.__file__).parent}")
    step = {"command": (), "module": "resumes_warm", "warm": True}
    run(waits(9, 2, command=(), step=step), tmp_path / "runs")
    assert_curves_are_whole(tmp_path / "runs")
    parts = [starts_in(tmp_path / "runs", trial.name) for trial in trials_in(tmp_path / "runs")]
    assert max(map(len, parts)) > 1
    assert all(step == told for each in parts for step, told in each)
