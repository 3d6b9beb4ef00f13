"""Stops the processes that a killed run left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from kftune.errors import RunError
from kftune.local.processes.process_table import ProcessTable, process_table

_PATIENCE = 10.0
# The kernel counts starts in ticks, and on a busy machine a start may take a while.
_TICK = 0.02
_SPAWN = 5.0


def stop_leftovers(mark: str, groups: Iterable[tuple[int, float | None]] = ()) -> int:
    """Kills every process of this user that carries a mark, and the process groups that a store remembers.

    Both are needed: a trial may have been started a moment before its number was stored, or have started others.

    Args:
        mark: The beginning of ``NAME=value``, as a variable of their environment.
        groups: The number of each group's first process, and when it started; see `TrialProcess.started`. A number that
            now belongs to another process is ignored.

    Returns:
        How many processes there were.

    Raises:
        RunError: Some of them do not end.
        MissingExtraError: This system has no /proc, and psutil is not installed.
    """
    table = process_table()
    leaders = [pid for pid, started in groups if _is_same(table, pid, started)]
    for pid in leaders:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    found = set(leaders)
    until = time.monotonic() + _PATIENCE
    while alive := {*table.marked(os.fsencode(mark)), *(pid for pid in leaders if table.started(pid) is not None)}:
        found |= alive
        for pid in alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            listed = ", ".join(map(str, sorted(alive)))
            raise RunError(f"processes of an earlier run must end first, but these do not: {listed}; kill them")
        time.sleep(0.01)
    return len(found)


def _is_same(table: ProcessTable, pid: int, started: float | None) -> bool:
    """Whether the process started at that time; otherwise its number belongs to another process now."""
    began = table.started(pid)
    return started is not None and began is not None and started - _TICK <= began <= started + _SPAWN
