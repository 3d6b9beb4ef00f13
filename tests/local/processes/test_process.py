"""One trial's process: time limits, stopping, output of every kind. All processes are real."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from local_study import finished, is_alive, log_of, one_trial, python, run, sh, study, trials_in

from kftune.local.processes import process as process_module


def test_a_time_limit_asks_first_and_then_kills_the_whole_group(tmp_path):
    pids = tmp_path / "pids"
    child = f"(trap '' TERM; sleep 60 & echo $! >> {pids}; wait)"
    script = f"trap '' TERM; {child} & echo $$ >> {pids}; echo loss=1; wait; sleep 60"
    limits = {"budget": {"trial_timeout": 0.2, "max_failed": 1}, "step": {"grace_period": 0.3}}
    began = time.monotonic()
    trial = one_trial(study(sh(script), trials=1, **limits), tmp_path / "runs")
    assert time.monotonic() - began >= 0.5
    assert (trial.state, trial.exit_code) == ("Failed", -signal.SIGKILL)
    assert trial.message.startswith("ran longer than trial_timeout (0.2 s) and was stopped; its last lines:\n  loss=1")
    assert not any(is_alive(int(pid)) for pid in pids.read_text().split())


def test_a_trial_that_ends_on_request_is_not_killed(tmp_path):
    script = "trap 'echo saved; exit 0' TERM; echo loss=1; sleep 60 & wait"
    limits = {"budget": {"trial_timeout": 0.3, "max_failed": 1}, "step": {"grace_period": 3600}}
    trial = one_trial(study(sh(script), trials=1, **limits), tmp_path)
    assert (trial.state, trial.exit_code) == ("Failed", 0)
    assert log_of(tmp_path, trial) == "loss=1\nsaved\n"


def test_the_first_process_s_end_is_the_trial_s_end_as_in_a_container(tmp_path):
    behind = tmp_path / "behind"
    script = f"sleep 3600 & echo $! > {behind}; echo loss=1"
    outcome, _ = run(study(sh(script), trials=2), tmp_path / "runs")
    assert outcome.counts == {"Succeeded": 2}
    assert not is_alive(int(behind.read_text()))


def test_a_process_of_another_session_that_holds_the_output_does_not_hold_the_study(tmp_path):
    behind = tmp_path / "behind"
    script = f"setsid sleep 60 & echo $! > {behind}; echo loss=1"
    outcome, _ = run(study(sh(script), trials=1), tmp_path / "runs")
    assert outcome.counts == {"Succeeded": 1}
    assert not is_alive(int(behind.read_text()))


def test_what_a_process_left_behind_still_writes_is_read(tmp_path):
    trial = one_trial(study(sh("(sleep 0.05; echo loss=0.5) &"), trials=1), tmp_path)
    assert trial.objective == 0.5


def test_a_trial_that_closes_its_output_early_still_runs_to_its_end(tmp_path):
    trial = one_trial(study(sh("echo loss=1; exec >&- 2>&-; sleep 0.3; exit 4"), trials=1), tmp_path)
    assert (trial.state, trial.exit_code) == ("Failed", 4)
    assert trial.duration is not None
    assert trial.duration >= 0.3


def test_a_trial_reads_nothing_from_the_terminal(tmp_path):
    assert one_trial(study(sh("cat; echo loss=1"), trials=1), tmp_path).state == "Succeeded"


def test_a_last_line_without_its_end_counts(tmp_path):
    assert one_trial(study(sh("printf loss=0.5"), trials=1), tmp_path).objective == 0.5


def test_standard_error_is_read_and_kept_in_order(tmp_path):
    trial = one_trial(study(sh("echo one; echo loss=2 >&2; echo three"), trials=1), tmp_path)
    assert log_of(tmp_path, trial) == "one\nloss=2\nthree\n"
    assert trial.objective == 2


def test_bytes_that_are_no_text_are_kept_and_do_no_harm(tmp_path):
    script = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\x00\\x1b[31m\\nloss=0.5 \\xff\\n'); sys.exit(1)"
    trial = one_trial(study(python(script), trials=1), tmp_path)
    assert (tmp_path / "logs" / f"{trial.name}.log").read_bytes() == b"\xff\xfe\x00\x1b[31m\nloss=0.5 \xff\n"
    assert trial.objective == 0.5
    assert trial.message == "exit code 1; its last lines:\n  \ufffd\ufffd\n  loss=0.5 \ufffd"


def test_a_very_long_line_and_much_output_are_read_in_pieces(tmp_path):
    script = "print('x' * 3_000_000, 'loss=0.5'); print('y=1 ' * 500_000); print('loss=0.4')"
    trial = one_trial(study(python(script), trials=1), tmp_path)
    assert trial.objective == 0.4
    assert trial.metrics["loss"].count == 2
    assert len(log_of(tmp_path, trial)) == 3_000_010 + 2_000_010


def test_a_progress_bar_without_line_ends_does_not_hide_the_last_lines(tmp_path):
    trial = one_trial(study(sh(r"printf '10%%\r50%%\r100%%\rboom\n'; exit 1"), trials=1), tmp_path)
    assert trial.message == "exit code 1; its last lines:\n  10%\n  50%\n  100%\n  boom"


def test_an_endless_log_stops_growing_but_metrics_are_still_read(tmp_path, monkeypatch):
    monkeypatch.setattr(process_module, "LONGEST_LOG", 1000)
    trial = one_trial(
        study(python("print('x' * 2000, flush=True)\nfor _ in range(99): print('y' * 99)\nprint('loss=1')"), trials=1),
        tmp_path,
    )
    assert trial.objective == 1
    assert "the log ends here" in log_of(tmp_path, trial)


def test_without_pidfd_trials_end_all_the_same(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    behind = "sleep 60 & echo loss=1"
    outcome, events = run(study(sh(behind), trials=3, budget={"parallel": 2}), tmp_path / "a")
    assert outcome.counts == {"Succeeded": 3}
    assert all(event.exit_code == 0 for event in finished(events))
    limits = {"budget": {"trial_timeout": 0.2, "max_failed": 1}, "step": {"grace_period": 0.2}}
    assert (
        one_trial(study(sh("trap '' TERM; while :; do sleep 0.1; done"), trials=1, **limits), tmp_path / "b").exit_code
        == -9
    )


def test_descriptors_do_not_leak(tmp_path):
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    run(study(trials=1), tmp_path / "warm-up")
    before = count()
    run(study(sh("echo loss=1; sleep 60 &"), trials=6, budget={"parallel": 3}), tmp_path / "runs")
    assert count() == before


def test_a_command_that_stops_working_fails_its_trial_and_says_why(tmp_path):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho loss=1\nrm {program}\n")
    program.chmod(0o755)
    run(study((str(program),), trials=3, budget={"max_failed": 1}), tmp_path / "runs")
    first, second = trials_in(tmp_path / "runs")
    assert first.state == "Succeeded"
    assert (second.state, second.exit_code, second.pid) == ("Failed", None, None)
    assert second.message.startswith("the program could not be started: [Errno 2]")


def test_a_program_without_a_first_line_cannot_start_and_says_so(tmp_path):
    program = tmp_path / "program"
    program.write_text("echo loss=1\n")
    program.chmod(0o755)
    trial = one_trial(study((str(program),), trials=1), tmp_path / "runs")
    assert "Exec format error" in trial.message


def test_a_process_left_behind_that_writes_without_end_does_not_hold_the_study(tmp_path):
    behind = tmp_path / "behind"
    script = f"setsid yes a=1 & echo $! > {behind}; echo loss=1"
    outcome, _ = run(study(sh(script), trials=1), tmp_path / "runs")
    assert outcome.counts == {"Succeeded": 1}
    with suppress(ProcessLookupError):  # it ends by itself when nobody reads any more
        os.kill(int(behind.read_text()), signal.SIGKILL)
