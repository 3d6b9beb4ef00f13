"""Listening to several processes at once, without an engine. All processes are real."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_study import is_alive

from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.listener import Listener
from kftune.local.processes.process import TrialProcess


@dataclass(eq=False)
class Told:
    """A process, and what it printed."""

    process: TrialProcess
    printed: bytearray
    stopped: str = ""


def told(script: str, log: Path) -> Told:
    printed = bytearray()
    process = TrialProcess(
        [sys.executable, "-c", script],
        executable=sys.executable,
        env=os.environ,
        cwd=log.parent,
        log=log,
        feed=printed.extend,
        grace=0.2,
    )
    return Told(process, printed)


def until_all_have_ended(listener: Listener[Told]) -> list[Told]:
    ended = []
    while listener:
        ended += [running for running in listener.listen() if running.process.returncode is not None]
    return ended


def test_each_process_is_told_of_as_ended_once_and_then_runs_no_more(tmp_path):
    listener: Listener[Told] = Listener(Interrupts())
    with listener.open():
        all_of_them = [told(f"print({number})", tmp_path / f"{number}.txt") for number in range(3)]
        for each in all_of_them:
            listener.add(each)
        assert list(listener) == all_of_them
        ended = until_all_have_ended(listener)
    assert len(ended) == 3
    assert set(ended) == set(all_of_them)
    assert [bytes(each.printed) for each in all_of_them] == [b"0\n", b"1\n", b"2\n"]


def test_a_wait_ends_when_the_caller_has_something_to_do(tmp_path):
    listener: Listener[Told] = Listener(Interrupts())
    with listener.open():
        listener.add(told("import time; time.sleep(60)", tmp_path / "log.txt"))
        began = time.monotonic()
        assert not list(listener.listen(None, began + 0.1, began + 50))
        assert time.monotonic() - began >= 0.1


def test_those_that_are_asked_to_stop_know_why_and_are_killed_after_their_grace(tmp_path):
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    listener: Listener[Told] = Listener(Interrupts())
    with listener.open():
        running = told(deaf, tmp_path / "log.txt")
        listener.add(running)
        assert list(listener.listen()) == [running]
        began = time.monotonic()
        listener.stop("enough")
        assert until_all_have_ended(listener) == [running]
    assert running.stopped == "enough"
    assert running.process.returncode == -9
    assert time.monotonic() - began >= 0.2


def break_off(listener: Listener[Told], processes: list[Told]) -> None:
    with listener.open():
        for each in processes:
            listener.add(each)
        raise RuntimeError


def test_an_error_leaves_no_process_behind(tmp_path):
    listener: Listener[Told] = Listener(Interrupts())
    both = [told("import time; time.sleep(60)", tmp_path / f"{number}.txt") for number in range(2)]
    with pytest.raises(RuntimeError):
        break_off(listener, both)
    assert not any(is_alive(each.process.pid or 0) for each in both)
