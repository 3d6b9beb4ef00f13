"""Trouble of the machine: what it lacks for a while is no failure of a trial. A run waits, says so, and then ends."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from kftune.errors import RunError

T = TypeVar("T")

LONGEST = 60.0
"""Seconds without any running process after which a run gives up."""

BETWEEN_TRIES = 0.2
"""Seconds between two tries to start a process."""

_BETWEEN_LOOKS = 0.05
_SPACE = "free some space on the disk of the results"
_REMEDIES = {
    errno.EMFILE: "raise the limit of open files (ulimit -n), or run fewer at the same time",
    errno.ENFILE: "close programs, or raise fs.file-max of the system",
    errno.EAGAIN: "raise the limit of processes (ulimit -u, or pids.max of the control group), or run fewer at once",
    errno.ENOMEM: "free some memory, or run fewer at the same time",
    errno.ENOBUFS: "free some memory, or run fewer at the same time",
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EIO: "see what the system's log says about the disk",
    errno.EINTR: "try again",
}


class MachineError(RunError):
    """The machine lacks something for too long."""


def is_trouble(error: Exception) -> bool:
    """Whether an error says that the machine lacks something, whatever is started."""
    return isinstance(error, OSError) and error.errno in _REMEDIES


class Patience:
    """Waits while the machine lacks something, for all processes of a run.

    Args:
        tell: Called with a note.

    Attributes:
        note: Tells a note.
        asked_to_stop: Whether the run should end, which ends a wait.
        is_over: Whether a wait was in vain, so that there is no further one.
    """

    def __init__(self, tell: Callable[[str], object] = str) -> None:
        self.note = tell
        self.asked_to_stop: Callable[[], bool] = bool
        self.is_over = False
        self._running = 0
        self._since: float | None = None
        self._told = 0

    def started(self) -> None:
        """Notes that a process has started."""
        self._running += 1
        self._since, self._told = None, 0

    def ended(self) -> None:
        """Notes that a process has ended."""
        self._running -= 1

    def next_try(self, error: OSError) -> float:
        """Returns when to try again to start a process (monotonic clock). It is no hurry while others run.

        Args:
            error: Why it could not be started.

        Raises:
            MachineError: None has been running for too long.
        """
        moment = time.monotonic()
        if self._running:
            self._since = None
        elif self._since is None:
            self._since = moment
        elif moment - self._since > LONGEST:
            raise self._give_up("no process can be started", error)
        if self._told != error.errno:
            self._told = error.errno or 0
            others = f"; {self._running} of them run" if self._running else ""
            self.note(f"processes wait for their start: {error.strerror}{others}")
        return moment + BETWEEN_TRIES

    def hold(self, what: str, action: Callable[[], T]) -> T:
        """Does something as soon as the machine lets it, and returns the result.

        Args:
            what: What cannot be done meanwhile, such as ``the log cannot be written``.
            action: Does it, or raises an error of the system.

        Raises:
            MachineError: It takes too long, or the run should end.
            OSError: The machine is not at fault.
        """
        began, told = time.monotonic(), False
        while True:
            try:
                return action()
            except OSError as error:
                if not is_trouble(error):
                    raise
                if self.is_over or self.asked_to_stop() or time.monotonic() - began > LONGEST:
                    raise self._give_up(what, error) from error
                if not told:
                    self.note(f"{what}: {error.strerror}; the run waits")
                    told = True
            time.sleep(_BETWEEN_LOOKS)

    def _give_up(self, what: str, error: OSError) -> MachineError:
        self.is_over = True
        remedy = _REMEDIES[error.errno or 0]
        return MachineError(f"{what}: {error.strerror}; {remedy}. No trial has failed for it: the same command goes on")
