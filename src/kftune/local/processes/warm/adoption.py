"""Makes this process the parent of orphans, so that trials outlive the worker that has forked them."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from kftune.local.processes.spawning import Spawned

# Source: Linux 3.4, include/uapi/linux/prctl.h.
_SET_CHILD_SUBREAPER, _GET_CHILD_SUBREAPER = 36, 37

# Processes that were killed end soon, but not immediately.
_LONGEST_END = 0.5


class Adoption:
    """While one of these is open, orphans of this process's children become its own children.

    Raises:
        OSError: The system does not allow it.
    """

    _lock = threading.Lock()
    _open = 0
    _earlier = 0

    def __init__(self) -> None:
        self._groups: set[int] = set()
        with self._lock:
            if Adoption._open == 0:
                Adoption._earlier = _is_subreaper()
                _set_subreaper(1)
            Adoption._open += 1
        self._is_open = True

    def watch(self, process: Spawned) -> Spawned:
        """Returns a process that, when it has ended, leaves nothing of its group behind as a dead child."""
        return _Watched(process, self.reap) if self._is_open else process

    def reap(self, *groups: int) -> None:
        """Reaps the ended processes of groups that have lost their first process, now or at a later call.

        Args:
            groups: Their numbers.
        """
        self._groups.update(groups)
        for each in [*self._groups]:
            try:
                while os.waitpid(-each, os.WNOHANG)[0]:
                    continue
            except ChildProcessError:
                self._groups.remove(each)

    def close(self) -> None:
        """Ends it; a second call does nothing."""
        if not self._is_open:
            return
        self._is_open = False
        until = time.monotonic() + _LONGEST_END
        self.reap()
        while self._groups and time.monotonic() < until:
            time.sleep(0.002)
            self.reap()
        with self._lock:
            Adoption._open -= 1
            if Adoption._open == 0:
                with suppress(OSError):
                    _set_subreaper(Adoption._earlier)


class _Watched:
    """A process, and what to call with its number when it has ended."""

    def __init__(self, process: Spawned, then: Callable[[int], object]) -> None:
        self._process = process
        self._then = then
        self.pid = process.pid

    def wait(self) -> int:
        """Waits for its end; returns its exit code, or the negative number of the signal that ended it."""
        code = self._process.wait()
        self._then(self.pid)
        return code


def _is_subreaper() -> int:
    found = ctypes.c_int()
    _prctl(_GET_CHILD_SUBREAPER, ctypes.addressof(found))
    return found.value


def _set_subreaper(value: int) -> None:
    _prctl(_SET_CHILD_SUBREAPER, value)


def _prctl(option: int, argument: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(argument), *[ctypes.c_ulong(0)] * 3):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
