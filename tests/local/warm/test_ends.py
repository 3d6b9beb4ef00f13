"""Time limits, Ctrl-C, kills and losses of trials from a warm worker, and of the worker itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from local_study import change, is_alive, trials_in, wait_until
from places import SUPPORT
from warm_study import Forks, run_module, write

from kftune.errors import StoreError
from kftune.local.processes.warm import adoption
from kftune.results import Trial

SLEEPS = "import time\nprint('loss=1')\ntime.sleep(60)\n"
STUBBORN = (
    "import os, signal, subprocess, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "behind = subprocess.Popen(['sh', '-c', 'trap \"\" TERM; sleep 60'])\n"
    "with open('pids', 'a') as pids: print(os.getpid(), behind.pid, file=pids)\n"
    "print('loss=1')\ntime.sleep(60)\n"
)
SECOND_SLEEPS = "import os, time\nprint('loss=1')\nif not os.path.exists('slow'): open('slow', 'w'); raise SystemExit\n"
RUN = """
import json, sys
from pathlib import Path
from local_study import run_study, study
from warm_study import Forks
import pytest
if {waits}: Forks(pytest.MonkeyPatch())
step = {{"command": (), "module": "trial_module", "warm": True, "grace_period": 5}}
a_study = study((), trials={trials}, step=step, budget={budget})
outcome = run_study(a_study, {folder!r}, study_path={path!r})
sys.exit(outcome.exit_code)
"""


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Forks:
    return Forks(monkeypatch)


def start_run(tmp_path: Path, source: str, trials: int = 4, waits: bool = True, **budget: int) -> subprocess.Popen[str]:
    """Starts a run in a process of its own."""
    path = write(tmp_path, {"trial_module.py": source})
    code = RUN.format(folder=str(tmp_path / "runs"), path=str(path), trials=trials, budget=budget, waits=waits)
    path_of_modules = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path_of_modules}
    return subprocess.Popen([sys.executable, "-c", code], env=env, start_new_session=True, text=True)


def children(pid: int) -> list[int]:
    """The children of a process: of a run also the guard, which started first."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(tmp_path: Path) -> list[Trial]:
    """The trials of which the store knows a process."""
    try:
        return [trial for trial in trials_in(tmp_path / "runs") if trial.pid]
    except StoreError:  # the run has not begun
        return []


def pid_of_running(tmp_path: Path) -> int:
    return running(tmp_path)[0].pid or 0


def second_runs(tmp_path: Path) -> bool:
    return [trial.number for trial in running(tmp_path)] == [2]


def test_a_time_limit_asks_first_and_then_kills_the_whole_group(tmp_path, forks):
    budget, step = {"trial_timeout": 0.5, "max_failed": 3}, {"grace_period": 0.3}
    found = run_module(tmp_path, STUBBORN, budget=budget, step=step)
    assert len(forks.pids) == 2
    assert {(trial.state, trial.exit_code) for trial in found.trials} == {("Failed", -signal.SIGKILL)}
    assert all(trial.message.startswith("ran longer than trial_timeout (0.5 s)") for trial in found.trials)
    assert not any(is_alive(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_handler_of_sigterm_may_write_a_checkpoint(tmp_path, forks):
    code = (
        "import os, signal, sys, time\n"
        "def save(*_):\n    open(os.environ['KFTUNE_OUTPUT_DIR'] + '/saved', 'w').close()\n"
        "    sys.exit(143)\nsignal.signal(signal.SIGTERM, save)\nprint('loss=1', flush=True)\ntime.sleep(60)\n"
    )
    budget, step = {"trial_timeout": 0.5, "max_failed": 3}, {"grace_period": 60}
    found = run_module(tmp_path, code, budget=budget, step=step)
    assert len(forks.pids) == 2
    assert {(trial.state, trial.exit_code) for trial in found.trials} == {("Failed", 143)}
    assert [path.parent.name for path in sorted((tmp_path / "runs").glob("trials/*/saved"))] == [
        trial.name for trial in found.trials
    ]


def test_a_trial_that_is_killed_is_lost_and_starts_again(tmp_path, forks):
    code = (
        "import os\nfirst = not os.path.exists(os.environ['KFTUNE_OUTPUT_DIR'] + '.attempt1')\n"
        "print('loss=1', flush=True)\nif first: os.kill(os.getpid(), 9)\n"
    )
    found = run_module(tmp_path, code, step={"preemption": {"retries": 1}})
    assert len(forks.pids) == 5
    assert [(trial.state, trial.attempt) for trial in found.trials] == [("Succeeded", 2)] * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_stops_its_trials_and_leaves_nothing(tmp_path, number):
    runner = start_run(tmp_path, SECOND_SLEEPS + "time.sleep(60)\n")
    wait_until(lambda: second_runs(tmp_path))
    pids = [pid_of_running(tmp_path), *children(runner.pid)]
    assert len(pids) == 3
    runner.send_signal(number)
    assert runner.wait(20) == 130
    assert not any(map(is_alive, pids))
    assert trials_in(tmp_path / "runs")[1].state == "Killed"


def test_what_a_killed_run_left_is_gone_before_the_next_one(tmp_path):
    # It outlives the guard's request.
    code = SECOND_SLEEPS + "import signal\nsignal.signal(15, signal.SIG_IGN)\n"
    code += "if not os.path.exists('quick'): time.sleep(60)\n"
    runner = start_run(tmp_path, code)
    wait_until(lambda: second_runs(tmp_path))
    pid, (worker, _) = pid_of_running(tmp_path), sorted(children(runner.pid), reverse=True)
    runner.kill()
    runner.wait()
    wait_until(lambda: not is_alive(worker))
    assert is_alive(pid)
    (tmp_path / "quick").touch()
    runner = start_run(tmp_path, code)
    assert runner.wait(30) == 0
    assert not is_alive(pid)
    assert [(trial.state, trial.attempt) for trial in trials_in(tmp_path / "runs")] == [
        ("Succeeded", 1), ("Succeeded", 2), ("Succeeded", 1), ("Succeeded", 1)
    ]  # fmt: skip


def test_a_trial_that_the_store_does_not_know_yet_is_found_by_its_environment(tmp_path):
    code = SECOND_SLEEPS + "if not os.path.exists('quick'): time.sleep(60)\n"
    runner = start_run(tmp_path, code)
    wait_until(lambda: second_runs(tmp_path))
    pid = pid_of_running(tmp_path)
    assert f"KFTUNE_OUTPUT_DIR={tmp_path}/runs/trials/".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    runner.kill()
    runner.wait()
    (tmp_path / "quick").touch()
    # As after a kill before the trial was stored: no number leads to the process.
    change(tmp_path / "runs", "UPDATE trials SET pid = NULL")
    runner = start_run(tmp_path, code)
    assert runner.wait(30) == 0
    assert not is_alive(pid)


# -- the worker ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_without_its_worker_a_running_trial_ends_as_it_does_and_others_start_as_usual(tmp_path, forks, number):
    code = (
        "import os, sys, time\nprint('loss=1', flush=True)\n"
        f"if os.environ['KFTUNE_TRIAL_NAME'].endswith('2'):\n    os.kill(os.getppid(), {int(number)})\n"
        "    time.sleep(0.3)\n    print('loss=0.5')\n"
        "    sys.exit(3)\n"
    )
    found = run_module(tmp_path, code, trials=4, budget={"max_failed": 2})
    assert len(forks.pids) == 1
    assert [(trial.state, trial.exit_code, trial.objective) for trial in found.trials] == [
        ("Succeeded", 0, 1.0), ("Failed", 3, 0.5), ("Succeeded", 0, 1.0), ("Succeeded", 0, 1.0)
    ]  # fmt: skip
    assert found.notes == [
        f"from here on each trial imports for itself: the worker was ended by {number.name}; step.warm=false starts no "
        f"worker"
    ]


def test_trials_that_run_when_the_worker_ends_can_still_be_stopped(tmp_path, forks):
    code = (
        "import os, time\nprint('loss=1', flush=True)\n"
        "if os.environ['KFTUNE_TRIAL_NAME'].endswith('2'): os.kill(os.getppid(), 9); time.sleep(60)\n"
    )
    found = run_module(tmp_path, code, budget={"trial_timeout": 0.5, "max_failed": 2})
    assert [(trial.state, trial.exit_code) for trial in found.trials] == [
        ("Succeeded", 0), ("Failed", -signal.SIGTERM), ("Succeeded", 0)
    ]  # fmt: skip


def test_a_worker_that_hangs_is_given_up(tmp_path, forks, monkeypatch):
    monkeypatch.setattr("kftune.local.processes.warm.worker._PATIENCE", 0.5)
    code = (
        "import os\nprint('loss=1', flush=True)\n"
        "if os.environ['KFTUNE_TRIAL_NAME'].endswith('2'): os.kill(os.getppid(), 19); raise SystemExit(3)\n"
    )
    found = run_module(tmp_path, code, trials=3, budget={"max_failed": 2})
    assert [(trial.state, trial.exit_code) for trial in found.trials] == [
        ("Succeeded", 0), ("Failed", 3), ("Succeeded", 0)
    ]  # fmt: skip
    assert found.notes == [
        "from here on each trial imports for itself: the worker does not answer: timed out; step.warm=false starts no "
        "worker"
    ]


def test_a_worker_that_imports_without_end_holds_nothing_up(tmp_path, monkeypatch):
    place = tmp_path / "site-packages"
    write(place, {"endless.py": "import os, time\nif not os.environ.get('KFTUNE_TRIAL_NAME'): time.sleep(60)\n"})
    monkeypatch.setenv("PYTHONPATH", str(place))
    began = time.monotonic()
    found = run_module(tmp_path, "import endless\nprint('loss=1')\n", trials=4)
    assert time.monotonic() - began < 20
    assert [trial.state for trial in found.trials] == ["Succeeded"] * 4


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_whose_run_ends_while_it_imports_never_runs_the_module(tmp_path, monkeypatch, number):
    slow = "import os, time\nif 'KFTUNE_TRIAL_NAME' not in os.environ: open('imports', 'w'); time.sleep(1)\n"
    write(tmp_path / "site-packages", {"slow.py": slow})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site-packages"))
    source = "import slow, time\nopen('ran', 'a').write('x')\nprint('loss=1', flush=True)\ntime.sleep(2)\n"
    runner = start_run(tmp_path, source, waits=False)
    wait_until(lambda: (tmp_path / "imports").exists() and (tmp_path / "ran").exists())
    pids = children(runner.pid)
    assert len(pids) == 3
    runner.send_signal(number)
    runner.wait()
    wait_until(lambda: not any(map(is_alive, pids)))
    assert (tmp_path / "ran").read_text() == "x"


def test_nothing_is_left_when_a_run_ends(tmp_path, forks):
    before, descriptors = children(os.getpid()), len([*Path("/proc/self/fd").iterdir()])
    code = "import os\nos.fork() or os.execlp('sleep', 'sleep', '60')\nprint('loss=1')\n"
    run_module(tmp_path, code, trials=6, budget={"parallel": 2})
    assert len(forks.pids) >= 4
    assert not any(map(is_alive, [*forks.pids, *forks.workers]))
    assert children(os.getpid()) == before
    assert len([*Path("/proc/self/fd").iterdir()]) == descriptors
    assert adoption._is_subreaper() == 0


def test_a_study_that_runs_in_a_thread_has_a_worker_too(tmp_path, forks):
    threads = [threading.Thread(target=run_module, args=(tmp_path / name, "print('loss=1')")) for name in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(forks.pids) == 4
    assert adoption._is_subreaper() == 0
    assert [len(trials_in(tmp_path / name / "runs")) for name in "ab"] == [3, 3]


def test_a_process_that_kftune_never_answers_ends_by_itself(tmp_path, forks, monkeypatch):
    monkeypatch.setattr("kftune.local.processes.warm.worker.Forked", None)  # an error between its start and the answer
    with pytest.raises(TypeError):
        run_module(tmp_path, "open('ran', 'a').write('x')\nprint('loss=1')\n")
    assert (tmp_path / "ran").read_text() == "x"
