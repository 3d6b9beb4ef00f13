"""One writer at a time: a file that stays locked while a process runs."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from pathlib import Path

from kftune.errors import StoreError
from kftune.runs import make_results_folder

_PATIENCE = 5.0


def take_lock(path: Path) -> int:
    """Locks a file for this process until the descriptor is closed, however the process ends.

    Args:
        path: The file; created with its folder. It contains the process number.

    Returns:
        The descriptor.

    Raises:
        StoreError: Another process holds the lock, or it is no regular file.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        make_results_folder(path.parent)
        descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
        try:
            _wait(descriptor, path, until)
        except BaseException:
            os.close(descriptor)
            raise
        # The folder may have been moved aside, or removed, between the two calls: then this is another file now.
        if _is_at(descriptor, path):
            break
        os.close(descriptor)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _wait(descriptor: int, path: Path, until: float) -> None:
    """Locks a file, unless another process that goes on holds the lock."""
    while not _locked(descriptor):
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        # A run killed while starting a trial still holds the lock through that trial, until the trial executes its
        # own program.
        if _runs(holder) or time.monotonic() > until:
            raise StoreError(
                f"only one run at a time may write results here, and process {holder or 'unknown'} does; wait until it "
                f"ends, stop it (kill {holder}), or give this run another folder (--dir)",
                str(path.parent),
            )
        time.sleep(0.01)


def _opened(path: Path, flags: int) -> int:
    """Opens a lock, which is emptied when it is taken: a link that somebody has put there would empty another file.

    Raises:
        StoreError: It is no regular file.
        OSError: It cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise StoreError("a lock must be a regular file, but this is a link; remove it", str(path)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError("a lock must be a regular file, but this is a FIFO or a device; remove it", str(path))
    return descriptor


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to an open file."""
    try:
        there = path.stat()
    except OSError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def writer_of(path: Path) -> str | None:
    """Returns the number of the process that holds a lock, as text; None if no process does.

    Args:
        path: The locked file; it need not exist, and is not changed.
    """
    try:
        descriptor = _opened(path, os.O_RDONLY)
    except (OSError, StoreError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
    finally:
        os.close(descriptor)
    return None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # it runs, for another user
        pass
    return True
