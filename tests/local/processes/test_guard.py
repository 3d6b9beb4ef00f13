"""A run that was killed leaves nothing behind: its guard asks the trials to end, and kills them after their grace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from local_study import is_alive, log_of, run, sh, study, trials_in, wait_until
from places import SUPPORT

# A trial that says its number when it is there, and what it does at SIGTERM.
SCRIPT = (
    "trap '{0}' TERM; echo loss=1; echo $$ > {1}/$KFTUNE_TRIAL_NAME.new; "
    "mv {1}/$KFTUNE_TRIAL_NAME.new {1}/$KFTUNE_TRIAL_NAME.pid; while :; do sleep 0.05; done"
)
BYE = "echo saved; echo bye > {0}/bye; exit 0"

RUN = """
import os, sys, time
sys.path.insert(0, {support!r})
from local_study import run, sh, study
{before}
run(study(sh({script!r}), trials=2, budget={{"parallel": 2}}, step={{"grace_period": {grace}}}), {folder!r})
"""


@contextmanager
def running(folder: Path, script: str, grace: float = 20, before: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A run of two trials that are there."""
    code = RUN.format(support=str(SUPPORT), before=before, script=script, grace=grace, folder=str(folder / "runs"))
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as process:
        try:
            wait_until(lambda: len(pids_in(folder)) == 2)
            time.sleep(0.3)  # then the guard reads what they print
            yield process
        finally:
            process.kill()


def pids_in(folder: Path) -> list[int]:
    return [int(text) for text in (path.read_text() for path in folder.glob("*.pid")) if text.endswith("\n")]


def guards_of(pid: int) -> list[int]:
    """The guards that a process has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        words = words_of(entry)
        if words[-1:] == [str(pid)] and any(word.endswith("guard/program.py") for word in words):
            found.append(int(entry.name))
    return found


def words_of(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_trials_of_a_killed_run_get_their_grace(tmp_path):
    with running(tmp_path, SCRIPT.format(BYE.format(tmp_path), tmp_path)) as process:
        (guard,) = guards_of(process.pid)
        kill(process)
        wait_until(lambda: not any(map(is_alive, [*pids_in(tmp_path), guard])))
    assert (tmp_path / "bye").exists()
    # It still could print, and the log has that.
    assert [log_of(tmp_path / "runs", trial)[-6:] for trial in trials_in(tmp_path / "runs")] == ["saved\n"] * 2


def test_trials_that_do_not_end_are_killed_after_it(tmp_path):
    daemon = f"setsid sh -c 'echo $$ > {tmp_path}/daemon; exec sleep 60' & "
    with running(tmp_path, daemon + SCRIPT.format(":", tmp_path), grace=1) as process:
        wait_until((tmp_path / "daemon").exists)
        began = time.monotonic()
        kill(process)
        wait_until(lambda: not any(map(is_alive, pids_in(tmp_path))))
        assert time.monotonic() - began >= 1
        wait_until(lambda: not is_alive(int((tmp_path / "daemon").read_text())))


def test_the_guard_leaves_the_next_run_alone(tmp_path):
    """It goes on with the same names, folders and marks while the guard still waits."""
    script = f"test -e {tmp_path}/go && {{ echo loss=1; sleep 2; exit 0; }}; {SCRIPT.format(':', tmp_path)}"
    with running(tmp_path, script, grace=1) as process:
        (guard,) = guards_of(process.pid)
        first = pids_in(tmp_path)
        kill(process)
    (tmp_path / "go").touch()
    outcome, _ = run(study(sh(script), trials=2, budget={"parallel": 2}, step={"grace_period": 1.0}), tmp_path / "runs")
    assert outcome.counts == {"Succeeded": 2}
    assert [trial.attempt for trial in trials_in(tmp_path / "runs")] == [2, 2]
    assert not any(map(is_alive, [*first, guard]))


def test_a_process_that_the_run_has_forked_does_not_hold_the_guard(tmp_path):
    """It has the same socket. It forks while the guard is there, as a worker of a data loader does."""
    before = (
        "import threading\ndef fork():\n    time.sleep(0.5)\n    if os.fork() == 0:\n"
        f"        open({str(tmp_path / 'forked')!r}, 'w').write(str(os.getpid()))\n        time.sleep(60)\n"
        "threading.Thread(target=fork, daemon=True).start()"
    )
    with running(tmp_path, SCRIPT.format(BYE.format(tmp_path), tmp_path), before=before) as process:
        wait_until(lambda: (tmp_path / "forked").exists() and (tmp_path / "forked").read_text() != "")
        kill(process)
        wait_until(lambda: not any(map(is_alive, pids_in(tmp_path))))
        assert is_alive(int((tmp_path / "forked").read_text()))
        os.kill(int((tmp_path / "forked").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_guard_does_not_hear_what_the_run_hears(tmp_path, number):
    with running(tmp_path, SCRIPT.format(BYE.format(tmp_path), tmp_path)) as process:
        (guard,) = guards_of(process.pid)
        os.kill(guard, number)
        time.sleep(0.1)
        assert is_alive(guard)


def test_a_run_goes_on_without_its_guard(tmp_path):
    script = f"test -e {tmp_path}/go && {{ echo loss=1; exit 0; }}; " + SCRIPT.format("echo loss=2; exit 0", tmp_path)
    with running(tmp_path, script) as process:
        (guard,) = guards_of(process.pid)
        os.kill(guard, signal.SIGKILL)
        (tmp_path / "go").touch()
        for pid in pids_in(tmp_path):
            os.kill(pid, signal.SIGTERM)
        assert process.wait(20) == 0
    assert {trial.state for trial in trials_in(tmp_path / "runs")} == {"Succeeded"}


def test_a_trial_that_has_just_started_ends_too(tmp_path):
    script = f"echo $$ > {tmp_path}/$KFTUNE_TRIAL_NAME.pid; sleep 60"
    code = RUN.format(support=str(SUPPORT), before="", script=script, grace=5, folder=f"{tmp_path}/runs")
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        wait_until(lambda: len(pids_in(tmp_path)) > 0)
        kill(process)
        wait_until(lambda: not any(map(is_alive, pids_in(tmp_path))))


def test_a_run_leaves_no_guard(tmp_path):
    run(study(sh("echo loss=1"), trials=2), tmp_path)
    assert guards_of(os.getpid()) == []


def test_steps_and_trials_of_a_pipeline_get_their_grace_too(tmp_path):
    script = SCRIPT.replace("$KFTUNE_TRIAL_NAME", "step").format(BYE.format(tmp_path), tmp_path)
    code = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
from pipeline_examples import pipeline
from kftune.local.pipeline import run_pipeline
steps = {{"one": {{"kind": "container", "command": ["sh", "-c", {script!r}]}}}}
run_pipeline(pipeline(steps), {str(tmp_path / "runs")!r})
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        wait_until((tmp_path / "step.pid").exists)
        time.sleep(0.3)
        kill(process)
        wait_until(lambda: not any(map(is_alive, pids_in(tmp_path))))
    assert (tmp_path / "bye").exists()
