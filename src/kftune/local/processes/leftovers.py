"""Stops the processes that a killed run left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from kftune.errors import RunError
from kftune.local.processes.process_table import process_table

_PATIENCE = 10.0


def stop_leftovers(mark: str, groups: Iterable[tuple[int, float | None]] = ()) -> int:
    """Kills every process of this user that carries a mark, and its group if a store remembers it.

    A stored process is known by its number, the tick of its start and the mark; `kftune.results.store` forgets those of
    another start of the machine. One without the mark has replaced its environment, or is another one: it stays.

    Args:
        mark: The beginning of ``NAME=value``, as a variable of their environment.
        groups: The number of each group's first process, and when it started; see `TrialProcess.started`. A number that
            now belongs to another process is ignored.

    Returns:
        How many processes there were.

    Raises:
        RunError: Some of them do not end, or a stored process has no mark.
        MissingExtraError: This system has no /proc, and psutil is not installed.
    """
    table = process_table()
    name, _, beginning = os.fsencode(mark).partition(b"=")

    def find() -> set[int]:
        return {pid for pid, value in table.variables(name) if value.startswith(beginning)}

    marked = find()
    leaders = [pid for pid, started in groups if table.is_same(pid, started)]
    unmarked = [pid for pid in leaders if pid not in marked and table.started(pid) is not None]
    if unmarked:
        raise RunError(
            f"processes of an earlier run must end first; {', '.join(map(str, unmarked))} has the number and start of "
            f"one, but not its environment; end it if it is a trial: kill {unmarked[0]}"
        )
    for pid in leaders:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    found = set(leaders)
    until = time.monotonic() + _PATIENCE
    while alive := {*find(), *(pid for pid in leaders if table.started(pid) is not None)}:
        found |= alive
        for pid in alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            listed = ", ".join(map(str, sorted(alive)))
            raise RunError(f"processes of an earlier run must end first, but these do not: {listed}; kill them")
        time.sleep(0.01)
    return len(found)
