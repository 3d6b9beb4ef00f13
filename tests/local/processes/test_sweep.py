"""What a trial or step leaves behind in a session of its own ends with it. All processes are real."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local_study import is_alive, run, sh, study, trials_in, wait_until
from pipeline_examples import pipeline
from places import SUPPORT

from kftune.local import run_study
from kftune.local.pipeline import run_pipeline
from kftune.local.processes.sweep import Sweep

# It holds neither the group nor the output of the trial. A shell says its number when it is there.
DAEMON = (
    "setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 60' >/dev/null 2>&1 & while ! test -e {0}; do :; done"
)


def daemon_of(path: Path) -> int:
    return int(path.read_text())


def test_a_daemon_of_a_trial_ends_while_the_run_goes_on(tmp_path):
    behind, second = tmp_path / "behind", tmp_path / "second"
    script = (
        f"test -e {behind} || {{ {DAEMON.format(behind)}; echo loss=1; exit 0; }}; touch {second}; sleep 1; echo loss=1"
    )
    code = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
from local_study import run, sh, study
outcome, _ = run(study(sh({script!r}), trials=2), {str(tmp_path / "runs")!r})
assert outcome.counts == {{"Succeeded": 2}}
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        wait_until(second.exists)
        wait_until(lambda: not is_alive(daemon_of(behind)))
        assert process.poll() is None
        assert process.wait(20) == 0


@pytest.mark.parametrize("end", ["echo loss=1", "exit 3", "echo loss=1; sleep 60"])
def test_no_daemon_outlives_a_run(tmp_path, end):
    script = f"{DAEMON.format(f'{tmp_path}/$KFTUNE_TRIAL_NAME')}; {end}"
    run(study(sh(script), trials=2, budget={"parallel": 2, "max_failed": 2, "trial_timeout": 2}), tmp_path / "runs")
    left = list(tmp_path.glob("small-*"))
    assert len(left) == 2
    assert not any(is_alive(daemon_of(path)) for path in left)


def test_a_try_starts_when_the_daemon_of_the_one_before_has_ended(tmp_path):
    behind, seen = tmp_path / "behind", tmp_path / "seen"
    again = f"grep -qs 'State:.*(sleeping)' /proc/$(cat {behind})/status && touch {seen}; echo loss=1; exit 0"
    script = f"test -e {behind} && {{ {again}; }}; {DAEMON.format(behind)}; exit 1"
    outcome, _ = run(study(sh(script), trials=1, budget={"retries": {"failed": 1}}), tmp_path / "runs")
    assert outcome.counts == {"Succeeded": 1}
    assert [trial.attempt for trial in trials_in(tmp_path / "runs")] == [2]
    assert not seen.exists()


def test_a_daemon_of_a_step_ends_before_the_steps_that_follow(tmp_path):
    behind = tmp_path / "behind"
    steps = {
        "one": {"kind": "container", "command": ["sh", "-c", DAEMON.format(behind)]},
        "two": {"kind": "container", "command": ["sleep", "0.5"], "after": ["one"]},
    }
    outcome = run_pipeline(pipeline(steps), tmp_path / "runs")
    assert outcome.state == "Succeeded"
    assert not is_alive(daemon_of(behind))


def test_what_others_have_started_stays(tmp_path):
    elsewhere = f"{tmp_path}/others/trials/small-study-0001"
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "KFTUNE_OUTPUT_DIR": elsewhere}) as other:
        run_study(study(sh("echo loss=1"), trials=2), tmp_path / "runs")
        lives = is_alive(other.pid)
        other.kill()
    assert lives


def test_looks_take_a_hundredth_of_the_time_at_most():
    sweep = Sweep()
    sweep.starts(("KFTUNE_TEST", "1"))
    sweep.ended(("KFTUNE_TEST", "1"))
    began = time.monotonic()
    assert sweep.due is not None
    sweep.on_time(sweep.due)
    took = time.monotonic() - began
    sweep.ended(("KFTUNE_TEST", "2"))
    assert sweep.due is not None
    assert sweep.due - began > 50 * took
