"""Ends what a process leaves behind in a session of its own, where the end of its group does not reach.

Such processes are found by their environment. To read that of all processes takes milliseconds, so this is done at the
end of a process, but for a hundredth of the time at most; what has ended meanwhile is in the next look.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from kftune.local.processes.process_table import process_table

# A look may take one of so many parts of the time.
_PARTS = 100
# A process may have started others while it was found.
_MOST_LOOKS = 10

NO_MARK = ("", "")
"""Of a process without a mark."""


class Sweep:
    """Ends what the processes of one run leave behind.

    Args:
        off: Whether it ends nothing: what containers leave behind ends with them, and the engine still works for them.

    Attributes:
        due: When `on_time` must be called (monotonic clock); None while nothing is due.
    """

    def __init__(self, *, off: bool = False) -> None:
        self._off = off
        self.due: float | None = None
        self._running: set[tuple[str, str]] = set()
        self._ended: set[tuple[str, str]] = set()
        self._next = 0.0

    def starts(self, mark: tuple[str, str]) -> None:
        """Ends what an earlier process with this mark has left, before the next one starts.

        Args:
            mark: A variable of their environment, and its value.
        """
        if mark in self._ended:
            self.now()
        self._running.add(mark)

    def ended(self, mark: tuple[str, str]) -> None:
        """Notes that a process has ended, or has not started.

        Args:
            mark: Its mark.
        """
        self._running.discard(mark)
        if mark != NO_MARK and not self._off:
            self._ended.add(mark)
            self.due = max(time.monotonic(), self._next)

    def on_time(self, moment: float) -> None:
        """Does what is due."""
        if self.due is not None and self.due <= moment:
            self.now()

    def now(self) -> None:
        """Ends everything that ended processes have left."""
        if not self._ended:
            return
        began = time.monotonic()
        for _ in range(_MOST_LOOKS):
            if not self._kill():
                break
        self._ended.clear()
        self.due = None
        ended = time.monotonic()
        self._next = ended + _PARTS * (ended - began)

    def _kill(self) -> bool:
        table, found = process_table(), False
        for name in {name for name, _ in self._ended}:
            for pid, value in table.variables(os.fsencode(name)):
                mark = (name, os.fsdecode(value))
                if mark in self._ended and mark not in self._running:
                    found = True
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
        return found
