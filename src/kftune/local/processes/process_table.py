"""Finds processes of this machine by their environment: from /proc if there is one, otherwise through psutil."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kftune.errors import MissingExtraError

_PROC = Path("/proc")


class ProcFiles:
    """Reads /proc, ten times as fast as psutil."""

    def started(self, pid: int) -> float | None:
        """When a process started, in seconds since the machine did; None when it has ended, reaped or not."""
        try:
            text = (_PROC / str(pid) / "stat").read_bytes()
        except OSError:
            return None
        # The command's name is in parentheses and may hold any character.
        state, *fields = text[text.rindex(b")") + 2 :].split()
        return None if state in (b"Z", b"X") else int(fields[18]) / os.sysconf("SC_CLK_TCK")

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


def process_table() -> ProcessTable:
    """Returns the table of this system.

    Raises:
        MissingExtraError: It needs psutil, which is not installed.
    """
    return ProcFiles() if (_PROC / "self" / "environ").exists() else Psutil()
