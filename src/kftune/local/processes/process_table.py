"""Finds processes of this machine by their environment: from /proc if there is one, otherwise through psutil."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

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
        """Whether the process with that number is the one that started then.

        Args:
            pid: The number.
            started: When it started; see `start_of`.
        """
        began = self.started(pid)
        return started is not None and began is not None and abs(began - started) < 0.5 / _TICKS

    def variables(self, name: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields this user's other processes with a variable in their environment, and its value."""
        first, later, own = name + b"=", b"\0" + name + b"=", os.getpid()
        for entry in os.listdir("/proc"):  # noqa: PTH208  # pathlib takes half as long again for all of it
            if not entry.isdecimal():
                continue
            try:
                with open(f"/proc/{entry}/environ", "rb", buffering=0) as file:  # noqa: PTH123
                    environment = file.read()
            except OSError:  # another user's, or already gone
                continue
            place = 0 if environment.startswith(first) else environment.find(later) + 1
            if (place or environment.startswith(first)) and int(entry) != own and self.started(int(entry)) is not None:
                yield int(entry), environment[place + len(first) :].partition(b"\0")[0]


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
            # The guard imports this file without the rest of kftune.
            from kftune.errors import MissingExtraError  # noqa: PLC0415

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
        """Whether the process with that number is the one that started then.

        Args:
            pid: The number.
            started: When it started; see `start_of`.
        """
        began = self.started(pid)
        return started is not None and began is not None and started - _EARLY <= began <= started + _LATE

    def variables(self, name: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields this user's other processes with a variable in their environment, and its value."""
        for process in self._psutil.process_iter():
            try:
                value = process.environ().get(os.fsdecode(name))
            except (self._psutil.Error, OSError):  # another user's, or already gone
                continue
            if value is not None and process.pid != os.getpid() and self.started(process.pid) is not None:
                yield process.pid, os.fsencode(value)


ProcessTable = ProcFiles | Psutil


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
