"""Stops what a killed run left behind: trials whose kftune died without stopping them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from kftune.errors import RunError
from kftune.results import Trial

_PATIENCE = 10.0
# The kernel tells starts in ticks; and on a busy machine a start may take its time.
_TICK = 0.02
_SPAWN = 5.0


def stop_leftovers(trials: Iterable[Trial], outputs: Path) -> int:
    """Kills the processes of trials that a killed run left behind.

    These are the process groups that the store tells of, and every process whose environment names one of the study's
    output folders: a trial may have been started a moment before its number was stored, or have started others.

    Args:
        trials: Trials that were running.
        outputs: Folder of the trials' output folders.

    Returns:
        How many processes there were.

    Raises:
        RunError: Some of them cannot be killed.
    """
    groups = [trial.pid for trial in trials if trial.pid and _is_same(trial.pid, trial.pid_started)]
    for group in groups:
        _kill_group(group)
    return stop_marked(f"KFTUNE_OUTPUT_DIR={outputs}/", groups)


def stop_marked(start: str, groups: Sequence[int] = ()) -> int:
    """Kills every process of this user with an environment variable that starts so.

    Args:
        start: The beginning of ``NAME=value``.
        groups: Processes that are to end as well.

    Returns:
        How many processes there were.

    Raises:
        RunError: Some of them cannot be killed.
    """
    mark = start.encode()
    found = set(groups)
    until = time.monotonic() + _PATIENCE
    while alive := {pid for pid in _marked(mark) if _alive(pid)} | {pid for pid in groups if _alive(pid)}:
        found |= alive
        for pid in alive:
            _kill(pid)
        if time.monotonic() > until:
            listed = ", ".join(map(str, sorted(alive)))
            raise RunError(f"processes of an earlier run must end first, but these do not: {listed}; kill them")
        time.sleep(0.01)
    return len(found)


def _is_same(pid: int, since_boot: float | None) -> bool:
    """Whether a process began just after that moment; else its number has gone to another one."""
    fields = _stat(pid)
    if since_boot is None or fields is None:
        return False
    began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return since_boot - _TICK <= began <= since_boot + _SPAWN


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    """Whether the process still runs; one that is dead and only not reaped by its parent does not."""
    fields = _stat(pid)
    return fields is not None and fields[0] not in (b"Z", b"X")


def _stat(pid: int) -> list[bytes] | None:
    """What the kernel tells of a process, from its state on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return text[text.rindex(b")") + 2 :].split()


def _marked(mark: bytes) -> Iterator[int]:
    """Processes of this user with an environment variable that starts so."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # another user's, or gone
            continue
        ours = int(entry.name) == os.getpid()
        if not ours and (environment.startswith(mark) or b"\0" + mark in environment):
            yield int(entry.name)
