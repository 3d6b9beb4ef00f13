"""A trial that something outside ends by a signal starts again; one that fails by itself does not."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from local_experiment import collected, experiment
from local_experiment import run as run_an_experiment
from local_experiment import sh as sh_in_pod
from local_study import Runs, finished, log_of, one_trial, python, run, sh, stored_rows, study, trials_in, wait_until

from kftune.local import Event, TrialRetries, TrialStarted
from kftune.local.processes import lost

LOST = {"preemption": {"retries": 2}}


def ended_once(folder: Path, ending: str, before: str = "echo loss=0.1") -> tuple[str, ...]:
    """A command whose first try ends so; it prints another value in each try."""
    folder.mkdir()
    count = f"{folder}/$KFTUNE_TRIAL_NAME"
    return sh(f"{before}; echo try >> {count}; [ $(wc -l < {count}) -gt 1 ] || {ending}; echo loss=0.5")


def tries(folder: Path, number: int = 1) -> int:
    """How often a trial of `ended_once` started."""
    return len((folder / f"small-study-{number:04}").read_text().splitlines())


def retried(events: list[Event]) -> list[TrialRetries]:
    return [event for event in events if isinstance(event, TrialRetries)]


@pytest.mark.parametrize("name", ["KILL", "TERM"])
def test_a_lost_trial_starts_again_with_its_number_and_values(tmp_path, name):
    command = ended_once(tmp_path / "tries", f"kill -{name} $$")
    outcome, events = run(study(command, step=LOST, trials=3), tmp_path / "results")
    trials = trials_in(tmp_path / "results")
    assert outcome.counts == {"Succeeded": 3}
    assert [(trial.number, trial.attempt) for trial in trials] == [(1, 2), (2, 2), (3, 2)]
    started = [event for event in events if isinstance(event, TrialStarted)]
    assert [event.attempt for event in started] == [1, 2] * 3
    assert all(first.values == second.values for first, second in zip(started[::2], started[1::2], strict=True))
    assert [event.message.splitlines()[0] for event in retried(events)] == [
        f"starts again: was ended from outside by SIG{name}; its last lines:"
    ] * 3


def test_what_a_lost_try_printed_and_wrote_does_not_count_and_is_kept(tmp_path):
    before = "echo loss=0.1; touch $KFTUNE_OUTPUT_DIR/$(ls $KFTUNE_OUTPUT_DIR | wc -l)"
    folder = tmp_path / "results"
    trial = one_trial(study(ended_once(tmp_path / "tries", "kill -9 $$", before), trials=1, step=LOST), folder)
    assert trial.objective == 0.1
    assert trial.metrics["loss"].count == 2
    assert (trial.message, trial.exit_code) == ("", 0)
    assert log_of(folder, trial) == "loss=0.1\nloss=0.5\n"
    assert (folder / "logs" / f"{trial.name}.log.attempt1").read_text() == "loss=0.1\n"
    assert [path.name for path in (folder / "trials" / trial.name).iterdir()] == ["0"]
    assert [path.name for path in (folder / "trials" / f"{trial.name}.attempt1").iterdir()] == ["0"]


def test_the_retries_are_bounded_for_each_trial(tmp_path):
    outcome, events = run(study(sh("kill -9 $$"), trials=2, step=LOST), tmp_path)
    assert outcome.counts == {"Failed": 2}
    assert [trial.attempt for trial in trials_in(tmp_path)] == [3, 3]
    assert [(event.number, event.attempt) for event in retried(events)] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert {event.exit_code for event in finished(events)} == {-9}


FAILURES = {
    "exit code 3": sh("exit 3"),
    "the code of a killed command, from a program": python("import sys; sys.exit(137)"),
    "a signal of its own fault": sh("kill -SEGV $$"),
    "SIGINT": sh("trap - INT; kill -INT $$"),
    "no value of the objective": sh("exit 0"),
    "longer than its time": sh("sleep 60"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_of_the_program_is_not_retried(tmp_path, failure):
    a_study = study(FAILURES[failure], trials=1, step=LOST, budget={"trial_timeout": 1.5})
    trial = one_trial(a_study, tmp_path)
    assert trial.state in ("Failed", "MetricsUnavailable")
    assert trial.attempt == 1


def test_without_the_setting_a_lost_trial_fails(tmp_path):
    trial = one_trial(study(sh("kill -9 $$"), trials=1), tmp_path)
    assert (trial.state, trial.attempt) == ("Failed", 1)


def test_a_trial_is_lost_when_its_shell_tells_that_its_program_was(tmp_path):
    command = ended_once(tmp_path / "tries", "sh -c 'kill -9 $$' || exit $?")
    assert one_trial(study(command, trials=1, step=LOST), tmp_path / "results").attempt == 2


@pytest.mark.parametrize(
    ("name", "counters", "state"),
    [
        ("KILL", "pgfault 7\noom_kill 3\n", "Succeeded"),
        ("KILL", "pgfault 7\n", "Failed"),
        ("KILL", None, "Failed"),
        ("TERM", None, "Succeeded"),
    ],
)
def test_sigkill_counts_only_where_the_kernel_tells_that_it_was_not_for_want_of_memory(
    tmp_path, monkeypatch, name, counters, state
):
    file = tmp_path / "vmstat"
    monkeypatch.setattr(lost, "_COUNTERS", file)
    [file.write_text(text) for text in (counters,) if text is not None]
    command = ended_once(tmp_path / "tries", f"kill -{name} $$")
    assert one_trial(study(command, trials=1, step=LOST), tmp_path / "results").state == state


def test_a_kill_for_want_of_memory_meanwhile_is_a_failure(tmp_path, monkeypatch):
    file = tmp_path / "vmstat"
    file.write_text("oom_kill 3\n")
    monkeypatch.setattr(lost, "_COUNTERS", file)
    command = ended_once(tmp_path / "tries", f"{{ echo oom_kill 4 > {file}; kill -9 $$; }}")
    assert one_trial(study(command, trials=1, step=LOST), tmp_path / "results").state == "Failed"


def test_the_setting_may_change_between_runs(tmp_path):
    run(study(trials=1), tmp_path)
    outcome, _ = run(study(trials=2, step=LOST), tmp_path)
    assert outcome.counts == {"Succeeded": 2}


@pytest.mark.parametrize("algorithm", ["random", "tpe", "multivariate-tpe", "sobol", "cmaes"])
def test_an_algorithm_proposes_the_same_points_when_trials_are_lost(tmp_path, algorithm):
    report = "import sys; v = dict(t[2:].split('=') for t in sys.argv[1:]); print('loss=' + v['lr'])"
    lose = "import os; os.path.exists(os.environ['KFTUNE_OUTPUT_DIR'] + '.attempt1') or os.kill(os.getpid(), 9)"
    space = {"lr": {"uniform": [0.1, 0.9]}, "units": {"int": [8, 256]}}
    parts: dict[str, Any] = {"algorithm": {"name": algorithm}, "trials": 6, "step": LOST, "search": space}
    run(study(python(report), **parts), tmp_path / "a")
    run(study(python(f"{lose}; {report}"), **parts), tmp_path / "b")
    first, second = ([trial.point for trial in trials_in(tmp_path / name)] for name in "ab")
    assert first == second
    assert {trial.attempt for trial in trials_in(tmp_path / "b")} == {2}


def test_a_kill_of_kftune_during_the_second_try_leaves_results_that_a_later_run_completes(tmp_path):
    folder, counts = tmp_path / "results", tmp_path / "tries"
    counts.mkdir()
    script = f"""echo loss=0.$$; echo try >> {counts}/$KFTUNE_TRIAL_NAME
case $(wc -l < {counts}/$KFTUNE_TRIAL_NAME) in 1) kill -9 $$;; 2) exec sleep 60;; esac"""
    (counts / "small-study-0002").write_text("try\ntry\n")
    with Runs(folder, command=sh(script), trials=2, step=LOST) as runs:
        runner = runs.start()
        wait_until(lambda: (counts / "small-study-0001").exists() and tries(counts) == 2)
        wait_until(lambda: trials_in(folder)[0].attempt == 2)
        os.kill(runner, signal.SIGKILL)
        runs.wait()
        (cut,) = trials_in(folder)
        assert (cut.state, cut.attempt, cut.metrics) == ("Running", 2, {})
        runs.start()
        runs.wait()
    first, second = trials_in(folder)
    assert (first.state, first.attempt, first.point, second.attempt) == ("Succeeded", 3, cut.point, 1)
    assert first.metrics["loss"].count == 1
    logs = sorted(path.name for path in (folder / "logs").iterdir())
    assert logs == [f"small-study-0001.log{end}" for end in ("", ".attempt1", ".attempt2")] + ["small-study-0002.log"]


@pytest.mark.nightly  # tests/crash aims kills at the same
def test_kills_of_kftune_at_any_time_lose_no_trial_and_repeat_none_that_has_ended(tmp_path):
    folder, counts = tmp_path / "results", tmp_path / "tries"
    counts.mkdir()
    script = f"""echo try >> {counts}/$KFTUNE_TRIAL_NAME; echo loss=0.5
[ $(($(wc -l < {counts}/$KFTUNE_TRIAL_NAME) % 2)) -eq 0 ] || kill -9 $$"""
    # A try that a kill of kftune cuts short is no loss, but it makes the next one a loss again.
    often = {"preemption": {"retries": 50}}
    before: dict[int, tuple[object, ...]] = {}
    with Runs(folder, command=sh(script), trials=40, step=often, budget={"parallel": 2}) as runs:
        for moment in range(8):
            runner = runs.start()
            time.sleep(0.02 + 0.02 * moment)
            with suppress(ProcessLookupError):
                os.kill(runner, signal.SIGKILL)
            runs.wait()
            after = stored_rows(folder)
            assert {number: after.get(number) for number in before} == before
            before = after
        runs.start()
        runs.wait()
    trials = trials_in(folder)
    assert [(trial.number, trial.state) for trial in trials] == [(number, "Succeeded") for number in range(1, 41)]
    assert {trial.metrics["loss"].count for trial in trials} == {1}
    assert max(trial.attempt for trial in trials) > 1


IGNORED = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


@pytest.mark.parametrize(
    ("job", "attempts"),
    [
        ({"podFailurePolicy": {"rules": [IGNORED]}}, 4),
        ({"podFailurePolicy": {"rules": [{**IGNORED, "action": "FailJob"}]}}, 1),
        ({"podFailurePolicy": {"rules": [{**IGNORED, "action": "FailJob"}, IGNORED]}}, 1),
        ({}, 1),
    ],
)
def test_a_lost_trial_of_an_experiment_starts_again_where_its_job_survives_a_lost_node(tmp_path, job, attempts):
    outcome, _ = run_an_experiment(experiment(sh_in_pod("kill -9 $$$$"), trials=1, job=job), tmp_path)
    assert outcome.counts == {"Failed": 1}
    assert trials_in(tmp_path)[0].attempt == attempts


FILE = collected("File", fileSystemPath={"path": "/out/metrics.log", "kind": "File"})


@pytest.mark.parametrize(("collector", "where"), [(collected("StdOut"), ""), (FILE, " >> /out/metrics.log")])
def test_metrics_of_an_experiment_are_those_of_its_last_try(tmp_path, collector, where):
    script = f"[ -e $KFTUNE_OUTPUT_DIR.attempt1 ] && v=0.5 || v=0.1; echo loss=$v{where}; [ $v = 0.5 ] || kill -9 $$$$"
    job = {"podFailurePolicy": {"rules": [IGNORED]}}
    an_experiment = experiment(sh_in_pod(script), trials=1, job=job, metricsCollectorSpec=collector)
    run_an_experiment(an_experiment, tmp_path)
    (trial,) = trials_in(tmp_path)
    assert (trial.state, trial.attempt, trial.objective) == ("Succeeded", 2, 0.5)
    assert trial.metrics["loss"].count == 1
