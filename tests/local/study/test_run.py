"""The loop of a local run, with real processes: states, what ends a study, what it tells."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from local_study import (
    Net,
    Tiny,
    finished,
    is_alive,
    log_of,
    one_trial,
    python,
    run,
    sh,
    study,
    trials_in,
)
from places import SUPPORT

from kftune.errors import RunError, StoreError
from kftune.local import MetricReported, Note, StudyFinished, StudyStarted, TrialStarted, run_study
from kftune.results import open_results


def test_every_trial_runs_with_the_step_s_command_line_and_is_kept(tmp_path):
    a_study = study(
        python("import sys; print('argv', *sys.argv[1:]); print('loss=0.25')"), trials=4, budget={"parallel": 2}
    )
    outcome, _ = run(a_study, tmp_path / "runs")
    assert (outcome.state, outcome.reason, outcome.counts) == ("Succeeded", "MaxTrialsReached", {"Succeeded": 4})
    assert outcome.exit_code == 0
    trials = trials_in(tmp_path / "runs")
    assert [trial.name for trial in trials] == [f"small-study-000{number}" for number in (1, 2, 3, 4)]
    for trial in trials:
        arguments = a_study.step.command_line(trial.assignment)[3:]
        assert log_of(tmp_path / "runs", trial).splitlines()[0] == f"argv {' '.join(arguments)}"
        assert a_study.assignment(trial.point) == trial.assignment
        assert (trial.objective, trial.exit_code, trial.attempt) == (0.25, 0, 1)
        assert trial.metrics["loss"].text("min") == "0.25"
        assert trial.duration is not None
        assert 0 < trial.duration < 60
        assert (tmp_path / "runs" / "trials" / trial.name).is_dir()


def test_metrics_are_reduced_as_the_study_says_and_kept_as_printed(tmp_path):
    script = "echo step=0 loss=0.50 acc=.1; echo step=1 loss=0.250 acc=.9; echo step=2 loss=0.3 acc=.5"
    a_study = study(sh(script), trials=1, metrics=[{"name": "acc", "reduce": "max"}])
    trial = one_trial(a_study, tmp_path)
    assert trial.objective == 0.25
    assert trial.metrics["loss"] == ("0.250", "0.50", "0.3", 3, 2)
    assert trial.metrics["acc"].text("max") == ".9"


def test_trials_run_at_once_up_to_parallel(tmp_path):
    a_study = study(sh("sleep 0.3; echo loss=1"), trials=4, budget={"parallel": 4})
    _, events = run(a_study, tmp_path)
    first_four = [type(event) for event in events if not isinstance(event, MetricReported)][1:5]
    assert first_four == [TrialStarted] * 4


def test_a_slot_is_used_again_as_soon_as_its_trial_ends(tmp_path):
    slow_first = "case $KFTUNE_TRIAL_NAME in *1) sleep 1;; esac; echo loss=1"
    _, events = run(study(sh(slow_first), trials=5, budget={"parallel": 2}), tmp_path)
    assert [event.number for event in finished(events)][-1] == 1


# -- states -------------------------------------------------------------------------------------------------------


def test_an_exit_code_means_failed_and_the_last_lines_are_told(tmp_path):
    trial = one_trial(study(sh("echo loss=1; echo no data >&2; exit 3"), trials=1), tmp_path)
    assert (trial.state, trial.exit_code) == ("Failed", 3)
    assert trial.message == "exit code 3; its last lines:\n  loss=1\n  no data"


def test_a_signal_means_failed_and_is_named(tmp_path):
    trial = one_trial(study(sh("kill -SEGV $$"), trials=1), tmp_path)
    assert (trial.state, trial.exit_code) == ("Failed", -signal.SIGSEGV)
    assert trial.message == "was ended by SIGSEGV; it printed nothing"


def test_a_kill_from_outside_hints_at_memory(tmp_path):
    trial = one_trial(study(sh("kill -KILL $$"), trials=1), tmp_path)
    assert trial.message.startswith("was ended by SIGKILL; the machine may have run out of memory")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo loss=nan; echo loss=nan",
            "the objective 'loss' was reported 2 times, but never as a finite number (nan); a loss that is not finite "
            "often means too large a learning rate",
        ),
        (
            "echo step=1 valid_loss=0.3 acc=0.9",
            "exit code 0, but the objective was never reported: the log has no loss=<number>; it has acc=, step=, "
            "valid_loss=; did you mean 'valid_loss'?",
        ),
        (
            "echo epoch 1 Loss: 0.31",
            "exit code 0, but the objective was never reported: the log has no loss=<number>; the line "
            "'epoch 1 Loss: 0.31' is not read, because it has ':' instead of '=' and the log calls it 'Loss'; print "
            r"loss=0.3 as kftune.report does, or give the study objective.regex: '\bLoss\s*:\s*([0-9.eE+-]+)'",
        ),
        ("true", "exit code 0, but the objective was never reported: the log has no loss=<number>; it is empty"),
        (
            "echo done",
            "exit code 0, but the objective was never reported: the log has no loss=<number>; report it with "
            "kftune.report(loss=...), or print loss=<number>",
        ),
    ],
)
def test_without_a_finite_objective_a_trial_is_metrics_unavailable_and_says_why(tmp_path, script, message):
    trial = one_trial(study(sh(script), trials=1), tmp_path)
    assert (trial.state, trial.exit_code, trial.objective) == ("MetricsUnavailable", 0, None)
    assert trial.message == message


def test_a_regex_that_matches_no_line_is_told_with_the_log_s_end(tmp_path):
    a_study = study(sh("echo done"), trials=1, objective={"regex": "val loss: ([0-9.]+)"})
    trial = one_trial(a_study, tmp_path)
    assert trial.message == (
        "no line of the log matches the objective's regex 'val loss: ([0-9.]+)'; its last lines:\n  done"
    )


def test_a_regex_that_almost_matches_a_line_is_told_with_a_better_one(tmp_path):
    a_study = study(sh("echo 'val loss = 0.3'"), trials=1, objective={"regex": "val loss: ([0-9.]+)"})
    trial = one_trial(a_study, tmp_path)
    assert trial.message == (
        "the objective was never reported; the line 'val loss = 0.3' is not read, because the regex 'val loss: "
        r"([0-9.]+)' does not match it; give the study objective.regex: '\bval loss\s*=\s*([0-9.eE+-]+)'"
    )


def test_a_finite_value_beside_nan_is_enough(tmp_path):
    trial = one_trial(study(sh("echo loss=nan; echo loss=0.4; echo loss=inf"), trials=1), tmp_path)
    assert (trial.state, trial.objective, trial.metrics["loss"].count) == ("Succeeded", 0.4, 1)


@pytest.mark.parametrize(
    ("objective", "katib"),
    [
        ({}, "Katib's collector passes over inf: on a cluster, the value before it counts"),
        ({"regex": "loss=([0-9.]+)"}, "Katib's collector passes over inf"),
        ({"regex": r"loss=(\S+)"}, "Katib stores inf, and may take the trial for the best"),
    ],
)
def test_a_diverged_trial_has_no_latest_value(tmp_path, objective, katib):
    script = "echo loss=0.4; echo loss=nan; echo loss=inf"
    a_study = study(sh(script), trials=1, objective={"reduce": "latest", **objective})
    outcome, events = run(a_study, tmp_path)
    trial = trials_in(tmp_path)[0]
    assert (trial.state, trial.objective, trial.metrics["loss"].latest) == ("MetricsUnavailable", None, "inf")
    assert trial.message.startswith("the latest value of the objective 'loss' counts (reduce: latest), and it is inf;")
    assert katib in trial.message
    assert outcome.best is None
    assert all(math.isfinite(event.value) for event in events if isinstance(event, MetricReported))


def test_a_number_of_which_a_part_is_read_is_told_once_with_its_line(tmp_path):
    script = "echo 'loss: 0.5'; echo 'epoch 2 loss: 1e-05'"
    a_study = study(sh(script), trials=2, objective={"regex": "loss: ([0-9.]+)"})
    _, events = run(a_study, tmp_path / "a")
    cut = "loss is read as '1' in the line 'epoch 2 loss: 1e-05', where '1e-05' stands"
    remedy = "write ([0-9.eE+-]+) for the group of its regex"
    before = (
        f"the metric 'loss': a value printed as 1e-05 is read as '1', because '[0-9.]+' allows no exponent; {remedy}"
    )
    notes = [event.message for event in events if isinstance(event, Note)]
    assert notes == [before, f"small-study-0001: {cut}; {remedy}"]
    with pytest.raises(RunError, match="allows no exponent"):
        run(a_study, tmp_path / "b", strict=True)


def test_a_metric_without_a_value_is_told_once_with_its_nearest_line(tmp_path):
    script = "echo loss=0.5; echo 'acc: 0.75, f1 = 0.5'"
    metrics = ["acc", {"name": "f1", "regex": "f1: ([0-9.eE+-]+)"}, "recall"]
    _, events = run(study(sh(script), trials=2, metrics=metrics), tmp_path)
    notes = [event.message for event in events if isinstance(event, Note)]
    line = "the line 'acc: 0.75, f1 = 0.5' is not read, because"
    regex = r"print acc=0.3 as kftune.report does, or give acc, under metrics, a regex: '\bacc\s*:\s*([0-9.eE+-]+)'"
    assert notes == [
        f"small-study-0001: acc has no value; {line} it has ':' instead of '=' and punctuation touches the value or "
        f"the name; {regex}",
        f"small-study-0001: f1 has no value; {line} the regex 'f1: ([0-9.eE+-]+)' does not match it; give f1, under "
        r"metrics, a regex: '\bf1\s*=\s*([0-9.eE+-]+)'",
        "small-study-0001: recall has no value; nothing in the log is like it",
    ]


# -- what ends a study --------------------------------------------------------------------------------------------


def test_the_goal_ends_the_study_and_stops_what_still_runs(tmp_path):
    script = "case $KFTUNE_TRIAL_NAME in *2) echo loss=0.01;; *) echo loss=0.9; sleep 60;; esac"
    a_study = study(sh(script), trials=10, objective={"goal": 0.1}, budget={"parallel": 2})
    outcome, events = run(a_study, tmp_path)
    assert (outcome.state, outcome.reason) == ("Succeeded", "GoalReached")
    assert outcome.message == "small-study-0002 has reached the goal: loss=0.01 (goal 0.1)"
    assert outcome.best is not None
    assert outcome.best.number == 2
    (killed,) = [event for event in finished(events) if event.state == "Killed"]
    assert killed.message == "stopped: another trial has reached the goal"


def test_too_many_failures_fail_the_study(tmp_path):
    outcome, _ = run(study(sh("exit 1"), trials=10, budget={"max_failed": 2}), tmp_path)
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("Failed", "MaxFailedReached", 1)
    assert outcome.counts == {"Failed": 2}
    assert outcome.message == (
        "2 of 2 trials have failed (max_failed=2); kftune logs shows what they printed. To resume, raise "
        "budget.max_failed, or run them again with --retry-failed; to start over, run with --fresh"
    )


@pytest.mark.parametrize(
    ("trials", "budget", "advice"),
    [
        (1, {}, "budget.max_trials"),
        (2, {"max_failed": 2}, "budget.max_failed and budget.max_trials"),
        (9, {"max_failed": 2}, "budget.max_failed"),
    ],
)
def test_the_advice_after_failures_names_every_limit_that_was_reached(tmp_path, trials, budget, advice):
    outcome, _ = run(study(sh("exit 1"), trials=trials, budget=budget), tmp_path)
    assert f"To resume, raise {advice}, or run" in outcome.message


def test_no_more_trials_run_or_fail_than_there_are(tmp_path):
    outcome, events = run(study(trials=1, budget={"parallel": 2, "max_failed": 4}), tmp_path)
    assert outcome.state == "Succeeded"
    notes = [event.message for event in events if isinstance(event, Note)]
    assert notes == [
        "1 trial(s) at once, not budget.parallel=2: budget.max_trials is 1",
        "budget.max_failed=4 counts as 1: budget.max_trials is 1",
    ]


def test_trials_without_metrics_count_as_failures(tmp_path):
    outcome, _ = run(study(sh("true"), trials=10), tmp_path)
    assert (outcome.reason, outcome.counts) == ("MaxFailedReached", {"MetricsUnavailable": 3})


def test_the_goal_comes_before_failures_and_these_before_the_number_of_trials(tmp_path):
    reached = study(sh("echo loss=0"), trials=1, objective={"goal": 0.1})
    assert run(reached, tmp_path / "a")[0].reason == "GoalReached"
    failed = study(sh("exit 1"), trials=1, budget={"max_failed": 1})
    assert run(failed, tmp_path / "b")[0].reason == "MaxFailedReached"


def test_a_small_space_is_tried_once_and_then_the_study_ends(tmp_path):
    outcome, _ = run(study(hparams=Tiny, trials=50, budget={"parallel": 3}), tmp_path)
    assert (outcome.state, outcome.reason) == ("Succeeded", "SearchSpaceExhausted")
    assert outcome.message == "all points of the space were tried, after 6 trials"
    trials = trials_in(tmp_path)
    assert len({tuple(trial.assignment.items()) for trial in trials}) == len(trials) == 6


def test_the_wall_clock_stops_the_study_and_counts_over_all_runs(tmp_path):
    a_study = study(sh("echo loss=1; sleep 0.3"), trials=100, budget={"wall_clock": 1})
    began = time.monotonic()
    outcome, _ = run(a_study, tmp_path)
    assert time.monotonic() - began > 0.9
    assert outcome.counts["Succeeded"] < 100
    assert (outcome.state, outcome.reason) == ("Succeeded", "WallClock")
    before = len(trials_in(tmp_path))
    assert run(a_study, tmp_path)[0].reason == "WallClock"
    assert len(trials_in(tmp_path)) == before


def test_a_study_without_any_success_has_failed(tmp_path):
    outcome, _ = run(study(sh("sleep 60"), trials=5, budget={"wall_clock": 0.3}), tmp_path)
    assert (outcome.state, outcome.reason, outcome.best) == ("Failed", "WallClock", None)
    assert outcome.message == "the wall clock of 0.3 s has run out after 0 trials; no trial has succeeded"


def test_maximising_takes_the_greatest_and_the_first_of_equals(tmp_path):
    script = "case $KFTUNE_TRIAL_NAME in *1) sleep 0.3; echo acc=0.9;; *2) echo acc=0.9;; *) echo acc=0.1;; esac"
    a_study = study(sh(script), objective={"metric": "acc", "direction": "maximize"}, budget={"parallel": 3})
    outcome, events = run(a_study, tmp_path)
    assert outcome.best is not None
    assert (outcome.best.number, outcome.best.objective) == (1, 0.9)
    with open_results(tmp_path) as results:
        assert results.best() == outcome.best
    assert [event.number for event in finished(events) if event.is_best][-1] == 1


# -- interrupts ---------------------------------------------------------------------------------------------------

RUNNER = """
import sys, json
from pathlib import Path
sys.path.insert(0, {tests!r})
from local_study import study, sh, run_study
outcome = run_study(
    study(sh(sys.argv[2]), trials=10, budget={{"parallel": 2}}, step={{"grace_period": float(sys.argv[3])}}),
    sys.argv[1],
    on_event=lambda event: print(json.dumps(event.to_dict()), flush=True),
)
sys.exit(outcome.exit_code)
"""


@contextmanager
def runner_of(folder: Path, script: str, grace: float = 20) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a study and prints its events."""
    code = RUNNER.format(tests=str(SUPPORT))
    command = [sys.executable, "-c", code, str(folder), script, str(grace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        try:
            yield runner
        finally:
            runner.kill()


def wait_for_event(runner: subprocess.Popen[str], kind: str) -> dict[str, object]:
    assert runner.stdout is not None
    for line in runner.stdout:
        event: dict[str, object] = json.loads(line)
        if event["event"] == kind:
            return event
    raise AssertionError(f"the run ended without {kind}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_stops_the_trials_saves_and_exits_130(tmp_path, number):
    script = "trap 'echo cleaned up; exit 0' TERM; echo loss=1; sleep 60 & wait"
    with runner_of(tmp_path, script) as runner:
        wait_for_event(runner, "metric_reported")
        wait_for_event(runner, "metric_reported")
        runner.send_signal(number)
        note = wait_for_event(runner, "note")["message"]
        assert note == "stopping 2 trials, which may take 20 s; Ctrl-C again kills them"
        assert wait_for_event(runner, "study_finished")["reason"] == "Interrupted"
        assert runner.wait(20) == 130
    trials = trials_in(tmp_path)
    assert [trial.state for trial in trials] == ["Killed", "Killed"]
    assert all("cleaned up" in log_of(tmp_path, trial) for trial in trials)


def test_a_second_interrupt_kills_at_once(tmp_path):
    with runner_of(tmp_path, "trap '' TERM; echo loss=1; while :; do sleep 0.1; done", grace=60) as runner:
        wait_for_event(runner, "metric_reported")
        wait_for_event(runner, "metric_reported")
        runner.send_signal(signal.SIGINT)
        wait_for_event(runner, "note")
        runner.send_signal(signal.SIGINT)
        assert runner.wait(20) == 130
    assert [trial.exit_code for trial in trials_in(tmp_path)] == [-9, -9]


def test_interrupted_trials_run_again_with_the_same_values_and_number(tmp_path):
    go = tmp_path / "go"
    script = f"echo loss=1; test -e {go} || sleep 60"
    with runner_of(tmp_path / "runs", script) as runner:
        wait_for_event(runner, "metric_reported")
        wait_for_event(runner, "metric_reported")
        runner.send_signal(signal.SIGINT)
        runner.wait(20)
    before = trials_in(tmp_path / "runs")
    go.touch()
    outcome, _ = run(study(sh(script), trials=10, budget={"parallel": 2}), tmp_path / "runs")
    assert outcome.counts == {"Succeeded": 10}
    after = trials_in(tmp_path / "runs")
    assert [trial.assignment for trial in after[:2]] == [trial.assignment for trial in before]
    assert [trial.attempt for trial in after] == [2, 2] + [1] * 8
    assert (tmp_path / "runs" / "logs" / "small-study-0001.log.attempt1").exists()
    assert (tmp_path / "runs" / "trials" / "small-study-0001.attempt1").is_dir()


def test_a_resumed_study_first_ends_what_a_killed_run_left(tmp_path):
    script = f"setsid sleep 300 & echo $! > {tmp_path}/$KFTUNE_TRIAL_NAME.pid; echo loss=1; sleep 300"

    def detached() -> list[int]:
        return [int(path.read_text()) for path in tmp_path.glob("*.pid")]

    with runner_of(tmp_path / "runs", script) as runner:
        wait_for_event(runner, "metric_reported")
        wait_for_event(runner, "metric_reported")
        runner.kill()
    pids = [*detached(), *(trial.pid for trial in trials_in(tmp_path / "runs") if trial.pid)]
    assert len(pids) == 4
    assert all(map(is_alive, pids))
    a_study = study(sh(script), trials=10, budget={"trial_timeout": 0.2, "max_failed": 1, "parallel": 2})
    run(a_study, tmp_path / "runs")
    assert not any(map(is_alive, pids))
    for pid in detached():
        os.kill(pid, signal.SIGKILL)


def stop_at_first_metric(pids: list[int], error: Exception) -> Callable[[object], None]:
    """A listener that keeps the first reported value and raises an error."""

    def listen(event: object) -> None:
        if isinstance(event, MetricReported):
            pids.append(int(event.value))
            raise error

    return listen


def test_an_error_of_whoever_listens_leaves_no_process_behind(tmp_path):
    pids: list[int] = []
    listen = stop_at_first_metric(pids, BrokenPipeError("gone"))
    with pytest.raises(BrokenPipeError):
        run_study(study(sh("echo loss=$$; sleep 60")), tmp_path, on_event=listen)
    assert not is_alive(pids[0])
    outcome, _ = run(study(sh("echo loss=$$; sleep 60"), budget={"trial_timeout": 0.1, "max_failed": 1}), tmp_path)
    assert outcome.counts == {"Failed": 1}


# -- what it tells ------------------------------------------------------------------------------------------------


def test_events_tell_the_whole_story_and_are_json(tmp_path):
    _, events = run(study(sh("echo step=4 loss=0.5"), trials=2), tmp_path)
    kinds = [event.kind for event in events]
    one = ["trial_started", "metric_reported", "trial_finished"]
    assert kinds == ["study_started", *one, *one, "study_finished"]
    for event in events:
        data = json.loads(json.dumps(event.to_dict()))
        assert data["event"] == event.kind
        assert data["time"].endswith("Z")
    start = events[0]
    assert isinstance(start, StudyStarted)
    assert (start.study, start.seed, start.max_trials, start.finished) == ("Small study", 7, 2, 0)
    report = events[2]
    assert isinstance(report, MetricReported)
    assert (report.metric, report.value, report.step) == ("loss", 0.5, 4)
    end = events[-1]
    assert isinstance(end, StudyFinished)
    assert end.best is not None
    assert end.best["trial"] == "small-study-0001"


def test_quick_reports_are_thinned_out_but_all_are_counted(tmp_path):
    script = python("import time\nfor i in range(300): print(f'loss={i}', flush=True); time.sleep(0.001)")
    outcome, events = run(study(script, trials=1), tmp_path)
    assert sum(isinstance(event, MetricReported) for event in events) < 10
    assert outcome.best is not None
    assert outcome.best.metrics["loss"].count == 300


def test_what_has_no_effect_here_is_a_note_and_with_strict_an_error(tmp_path):
    a_study = study(algorithm={"name": "cmaes", "settings": {"restart_strategy": "ipop"}})
    _, events = run(a_study, tmp_path / "a")
    notes = [event.message for event in events if isinstance(event, Note)]
    assert notes == [
        "cmaes draws optimizer at random: a choice has no order",
        "the setting restart_strategy of cmaes has no effect here, only on Katib: Optuna's sampler does not restart",
    ]
    with pytest.raises(RunError, match="restart_strategy"):
        run(a_study, tmp_path / "b", strict=True)


def test_an_algorithm_of_katib_alone_is_refused_with_an_alternative(tmp_path):
    settings = {"suggestion_trial_dir": "/data", "n_population": 5, "truncation_threshold": 0.2}
    a_study = study(algorithm={"name": "pbt", "seed": None, "settings": settings})
    with pytest.raises(RunError, match=r"the algorithm pbt runs on Katib only: .* use tpe"):
        run(a_study, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_needs_neither_optuna_nor_rich_nor_scipy(tmp_path):
    heavy = ("optuna", "rich", "scipy", "numpy", "torch")
    code = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
from local_study import run, study
run(study(), Path({str(tmp_path)!r}))
loaded = set({heavy}) & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code.replace("Path(", "__import__('pathlib').Path(")], check=True)


def test_a_drawn_seed_is_kept_for_later_runs(tmp_path):
    a_study = study(trials=2, algorithm={"seed": None})
    run(a_study, tmp_path)
    with open_results(tmp_path) as results:
        seed = results.meta.seed
    run(study(trials=4, algorithm={"seed": None}), tmp_path)
    with open_results(tmp_path) as results:
        assert results.meta.seed == seed
    same, _ = run(study(trials=4, algorithm={"seed": seed}), tmp_path / "again")
    assert [t.point for t in trials_in(tmp_path)] == [t.point for t in trials_in(tmp_path / "again")]
    assert same.counts == {"Succeeded": 4}


def test_first_points_are_tried_first(tmp_path):
    points = [{"lr": 0.01, "units": 8}, {"units": 9}]
    run(study(points=points, trials=3), tmp_path)
    tried = [trial.point for trial in trials_in(tmp_path)]
    assert tried[:2] == [{"lr": 0.01, "units": 8, "optimizer": "adam"}, {"lr": 0.001, "units": 9, "optimizer": "adam"}]


def test_an_empty_text_and_hostile_texts_reach_the_trial_as_they_are(tmp_path):
    texts = ["", " ", "a b", 'it\'s "quoted"', "$HOME `id`", "back\\slash\nnew line", "-x=1", "ünï"]
    a_study = study(
        python("import sys, json; print(json.dumps(sys.argv[1:])); print('loss=1')"),
        trials=len(texts),
        values={"lr": 0.1, "units": 8},
        search={"optimizer": {"choice": texts}},
    )
    run(a_study, tmp_path)
    for trial in trials_in(tmp_path):
        arguments = json.loads(log_of(tmp_path, trial).splitlines()[0])
        assert Net.from_args(arguments).optimizer == trial.point["optimizer"]


@pytest.mark.parametrize("removed", ["trials.db", "."])
def test_results_that_are_deleted_while_a_run_writes_them_end_it_with_the_reason(tmp_path, removed):
    folder = tmp_path / "results"
    script = sh(f"rm -rf {folder / removed}; echo loss=1")
    with pytest.raises(StoreError, match=r"trials.db was deleted, moved or replaced while this run wrote to it"):
        run(study(script, trials=3), folder)
