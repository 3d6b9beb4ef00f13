"""Processes of a killed run are found by their environment and their number, and end. All processes are real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from local_study import is_alive, run, study, wait_until

from kftune.errors import MissingExtraError, RunError
from kftune.local.processes import leftovers, process_table
from kftune.local.processes.leftovers import stop_leftovers
from kftune.local.processes.process import TrialProcess
from kftune.local.processes.process_table import ProcessTable, ProcFiles, Psutil
from kftune.local.processes.process_table import process_table as chosen
from kftune.local.study.run import study_meta
from kftune.results import TrialStart, boot
from kftune.results.records import Origin
from kftune.results.store import Store


class Starts(Protocol):
    def __call__(self, **variables: str) -> subprocess.Popen[str]: ...


@pytest.fixture(params=[ProcFiles, Psutil])
def table(request, monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    """Both tables, in turn: the one of Linux, and the one of systems without /proc."""
    found: ProcessTable = request.param()
    monkeypatch.setattr(leftovers, "process_table", lambda: found)
    return found


@pytest.fixture
def start() -> Iterator[Starts]:
    """Starts a program that sleeps in a session of its own, once its environment can be read."""
    started = []

    def begin(**variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> bool:
    wait_until(lambda: not is_alive(process.pid))
    return process.wait() == -signal.SIGKILL


def test_those_with_the_mark_end_and_all_others_stay(table, start, tmp_path):
    mine = start(KFTUNE_TEST_MARK=f"{tmp_path}/trials/0001")
    other = start(KFTUNE_TEST_MARK=f"{tmp_path}/other/0001")
    value_only = start(KFTUNE_TEST_OTHER=f"KFTUNE_TEST_MARK={tmp_path}/trials/")
    assert stop_leftovers(f"KFTUNE_TEST_MARK={tmp_path}/trials/") == 1
    assert ended(mine)
    assert is_alive(other.pid)
    assert is_alive(value_only.pid)


def test_a_stored_process_without_the_mark_stays_and_is_named(table, start, tmp_path):
    process = start()
    with pytest.raises(RunError) as caught:
        stop_leftovers(f"KFTUNE_TEST_MARK={tmp_path}/", [(process.pid, table.started(process.pid))])
    assert str(caught.value) == (
        f"processes of an earlier run must end first; {process.pid} has the number and start of one, but not its "
        f"environment; end it if it is a trial: kill {process.pid}"
    )
    assert is_alive(process.pid)


def test_a_stored_process_ends_with_those_of_its_group_that_have_no_mark(table, start, tmp_path):
    sleeps = "import os, subprocess; print(subprocess.Popen(['sleep', '60'], env={}).pid, flush=True); os.wait()"
    process = subprocess.Popen(
        [sys.executable, "-c", sleeps],
        env={**os.environ, "KFTUNE_TEST_MARK": f"{tmp_path}/1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert stop_leftovers(f"KFTUNE_TEST_MARK={tmp_path}/", [(process.pid, table.started(process.pid))]) == 1
    process.communicate()
    wait_until(lambda: not is_alive(child))


@pytest.mark.parametrize("earlier", [-60.0, 60.0, float("nan")])
def test_a_stored_number_that_belongs_to_another_process_now_is_left_alone(table, start, tmp_path, earlier):
    process = start(KFTUNE_TEST_MARK="/elsewhere/1")
    started = table.started(process.pid) + earlier
    assert stop_leftovers(f"KFTUNE_TEST_MARK={tmp_path}/", [(process.pid, started)]) == 0
    assert is_alive(process.pid)


def test_a_process_has_a_start_until_it_ends(table, start):
    process = start()
    assert table.started(process.pid) == table.started(process.pid) > 0
    process.kill()
    wait_until(lambda: not is_alive(process.pid))  # dead, and not yet reaped
    assert table.started(process.pid) is None
    process.wait()
    assert table.started(process.pid) is None


def test_the_start_that_a_trial_s_process_keeps_is_the_one_in_proc(tmp_path):
    process = TrialProcess(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        executable=sys.executable,
        env=os.environ,
        cwd=tmp_path,
        log=tmp_path / "log.txt",
        feed=len,
    )
    table, pid = ProcFiles(), process.pid or 0
    # One tick of the kernel makes another process of it.
    found = [table.started(pid), table.is_same(pid, process.started), table.is_same(pid, process.started + 0.01)]
    process.reap()
    assert found == [process.started, True, False]


def test_after_another_start_of_the_machine_no_stored_number_counts(start, tmp_path, monkeypatch):
    """Here the innocent process even has the same number, start and mark; only the id of the boot differs."""
    innocent = start(KFTUNE_OUTPUT_DIR=f"{tmp_path}/other/0001")
    meta = study_meta(study(), 1)
    with Store(tmp_path / "runs", meta) as store:
        started = ProcFiles().started(innocent.pid)
        store.start(a_start(pid=innocent.pid, pid_started=started))
        assert [trial.pid for trial in store.trials()] == [innocent.pid]
    with Store(tmp_path / "runs", meta) as store:
        assert [trial.pid for trial in store.trials()] == [innocent.pid]
    monkeypatch.setattr(boot, "_BOOT", tmp_path / "boot")
    (tmp_path / "boot").write_text("61b0b322-76a0-4d5c-a1d7-000000000000\n")
    with Store(tmp_path / "runs", meta) as store:
        assert [(trial.pid, trial.pid_started) for trial in store.trials()] == [(None, None)]
    run(study(), tmp_path / "runs")
    assert is_alive(innocent.pid)


def a_start(**parts: Any) -> TrialStart:
    row: dict[str, Any] = {"number": 1, "attempt": 1, "assignment": {"lr": "0.1"}, "point": {"lr": 0.1}}
    return TrialStart(**row, started="2026-01-01T00:00:00Z", origin=Origin("random", {}, 1), **parts)


def test_linux_reads_proc_and_a_system_without_it_needs_psutil(tmp_path, monkeypatch):
    assert isinstance(chosen(), ProcFiles)
    monkeypatch.setattr(process_table, "_PROC", tmp_path)
    assert isinstance(chosen(), Psutil)
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(MissingExtraError) as caught:
        chosen()
    assert str(caught.value) == "this needs the package 'psutil'; install it with: pip install 'kftune[local]'"
