"""Finds processes of this machine by their environment: from /proc if there is one, otherwise through psutil."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kftune.errors import MissingExtraError

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
# Without ticks: a process starts after its parent has looked at the clock, on a busy machine perhaps much later.
_EARLY, _LATE = 0.02, 5.0


class ProcFiles:
    """Reads /proc, ten times as fast as psutil."""

    def started(self, pid: int) -> float | None:
        """When a process started, in seconds since the machine did; None when it has ended, reaped or not."""
        state, ticks = _stat(pid)
        return None if state in (b"", b"Z", b"X") else ticks / _TICKS

    def is_same(self, pid: int, started: float | None) -> bool:
        """Whether the process with that number is the one that started then; see `start_of`."""
        began = self.started(pid)
        return started is not None and began is not None and abs(began - started) < 0.5 / _TICKS

    def marked(self, mark: bytes) -> Iterator[int]:
        """Yields this user's other processes with an environment variable that starts with `mark`."""
        for entry in _PROC.glob("[0-9]*"):
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:  # another user's, or already gone
                continue
            pid = int(entry.name)
            if (environment.startswith(mark) or b"\0" + mark in environment) and _counts(self, pid):
                yield pid


class Psutil:
    """Asks psutil, where there is no /proc (macOS).

    Raises:
        MissingExtraError: The package psutil is not installed.
    """

    def __init__(self) -> None:
        try:
            # Only systems without /proc need it.
            import psutil  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("local", "psutil") from error
        self._psutil = psutil

    def started(self, pid: int) -> float | None:
        """When a process started, in seconds since 1970; None when it has ended, reaped or not."""
        try:
            process = self._psutil.Process(pid)
            return None if process.status() == self._psutil.STATUS_ZOMBIE else process.create_time()
        except self._psutil.Error:
            return None

    def is_same(self, pid: int, started: float | None) -> bool:
        """Whether the process with that number is the one that started then; see `start_of`."""
        began = self.started(pid)
        return started is not None and began is not None and started - _EARLY <= began <= started + _LATE

    def marked(self, mark: bytes) -> Iterator[int]:
        """Yields this user's other processes with an environment variable that starts with `mark`."""
        for process in self._psutil.process_iter():
            try:
                environment = process.environ()
            except (self._psutil.Error, OSError):  # another user's, or already gone
                continue
            found = any(os.fsencode(f"{name}={value}").startswith(mark) for name, value in environment.items())
            if found and _counts(self, process.pid):
                yield process.pid


ProcessTable = ProcFiles | Psutil


def _counts(table: ProcessTable, pid: int) -> bool:
    return pid != os.getpid() and table.started(pid) is not None


def start_of(pid: int, before: float) -> float:
    """Returns when a child started, to know it again: on Linux in seconds since the machine started, else since 1970.

    Args:
        pid: Its number.
        before: The time before its start (`time.time`).
    """
    state, ticks = _stat(pid)
    return ticks / _TICKS if state else before


def _stat(pid: int) -> tuple[bytes, int]:
    """Returns the state of a process and the tick of its start; an empty state if there is none, or no /proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123  # each trial pays for it
            text = file.read()
    except OSError:
        return b"", 0
    # The command's name is in parentheses and may hold any character.
    state, *fields = text[text.rindex(b")") + 2 :].split()
    return state, int(fields[18])


def process_table() -> ProcessTable:
    """Returns the table of this system.

    Raises:
        MissingExtraError: It needs psutil, which is not installed.
    """
    return ProcFiles() if (_PROC / "self" / "environ").exists() else Psutil()
