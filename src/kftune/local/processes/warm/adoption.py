"""Makes this process the parent of orphans, so that trials outlive the worker that has forked them."""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import suppress

# Source: Linux 3.4, include/uapi/linux/prctl.h.
_SET_CHILD_SUBREAPER, _GET_CHILD_SUBREAPER = 36, 37


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

    def reap(self, group: int) -> None:
        """Reaps the ended processes of a group that its first process has left behind, now or at a later call.

        Args:
            group: The number of the group, whose first process is reaped.
        """
        self._groups.add(group)
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
        with self._lock:
            Adoption._open -= 1
            if Adoption._open == 0:
                with suppress(OSError):
                    _set_subreaper(Adoption._earlier)


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
