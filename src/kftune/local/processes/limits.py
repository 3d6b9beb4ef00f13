"""How many processes the limits of this process let it run at the same time."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

# Of a process: its log, its output and its end; and one that its reader may open.
_FILES_EACH = 4
# What kftune opens itself from time to time: the store, modules, the pipes of a start.
_FILES_BESIDE = 40
# Above this, the processes that already run are not counted.
_FEW_PROCESSES = 4096


def within_limits(wanted: int, notes: list[str], what: str = "trials", *, more_files: int = 0) -> int:
    """Returns how many processes can run at the same time. Raises the soft limit of open files if that is needed.

    Args:
        wanted: How many should.
        notes: Gets a note if fewer can.
        what: What they are.
        more_files: How many files are open for each of them beyond those of any process.
    """
    each = _FILES_EACH + more_files
    files = _files_for(wanted, each)
    if files < wanted:
        notes.append(
            f"{files} of {wanted} {what} at once: each has {each} open files, and the limit is "
            f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0]} (ulimit -n)"
        )
    processes = _processes_for(wanted)
    if processes < min(files, wanted):
        notes.append(
            f"{processes} of {wanted} {what} at once: the limit of this user's processes is "
            f"{resource.getrlimit(resource.RLIMIT_NPROC)[0]} (ulimit -u)"
        )
    return max(1, min(wanted, files, processes))


def files_left(processes: int, more_files: int) -> int:
    """Returns how many more files may be open while processes run.

    Args:
        processes: How many of them.
        more_files: As in `within_limits`.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    limit = sys.maxsize if soft == resource.RLIM_INFINITY else soft
    return max(0, limit - _open_files() - _FILES_BESIDE - processes * (_FILES_EACH + more_files))


def _files_for(wanted: int, each: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    beside = _open_files() + _FILES_BESIDE
    needed = beside + each * wanted
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - beside) // each) if soft < needed else wanted


def _open_files() -> int:
    try:
        return sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        return 0


def _processes_for(wanted: int) -> int:
    """Returns for how many more processes the limit of this user has room; threads count too. Root has no limit."""
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if soft in (resource.RLIM_INFINITY, -1) or soft > _FEW_PROCESSES or os.geteuid() == 0:
        return wanted
    used, user = 0, os.getuid()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if folder.stat().st_uid == user:
                used += sum(1 for _ in (folder / "task").iterdir())
    return max(1, soft - used)
