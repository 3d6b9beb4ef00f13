"""kftune's side of the guard: starts it, and tells it what runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

_PROGRAM = str(Path(__file__).parent / "program.py")
_UNHEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)

Mark = tuple[str, str]
"""A variable of a process's environment, and its value."""


class Guard:
    """Tells the guard of this process what runs. It starts with the first process; runs of this process share it.

    Args:
        note: Called with a note when there is none.
    """

    _lock = threading.Lock()
    _users = 0
    _process: ClassVar[subprocess.Popen[bytes] | None] = None
    _socket: ClassVar[socket.socket | None] = None

    def __init__(self, note: Callable[[str], object]) -> None:
        self._note = note
        self._begun = False
        self._folders: set[Mark] = set()

    def starts(self, mark: Mark, grace: float) -> None:
        """Tells, before a start, in which folder the mark is, if it is the first one there.

        Args:
            mark: The mark of the process.
            grace: Seconds that it has from SIGTERM to SIGKILL.
        """
        if not self._begun:
            self._begin()
        name, value = mark
        folder = (name, f"{value.rstrip('/').rpartition('/')[0]}/")
        if folder not in self._folders:
            self._folders.add(folder)
            self._send("starts", *folder, str(grace))

    def started(
        self, mark: Mark, pid: int, started: float, grace: float, remove: Sequence[str], descriptors: Sequence[int]
    ) -> None:
        """Tells of a process that has run for a moment; those that end sooner cost nothing.

        Args:
            mark: Its mark.
            pid: Its number.
            started: When it started; see `start_of`.
            grace: Seconds that it has from SIGTERM to SIGKILL.
            remove: The command that removes its container.
            descriptors: What its output is read from, and its log: without a reader, printing would end it.
        """
        self._send("started", *mark, str(pid), repr(started), str(grace), *remove, descriptors=descriptors)

    def ended(self, mark: Mark) -> None:
        """Tells of the end of a process that it was told of."""
        self._send("ended", *mark)

    def close(self) -> None:
        """Ends the guard, if no other run of this process needs it."""
        if not self._begun:
            return
        self._begun = False
        for folder in self._folders:
            self._send("over", *folder)
        self._folders.clear()
        with self._lock:
            Guard._users -= 1
            if Guard._users == 0 and Guard._process is not None and Guard._socket is not None:
                Guard._process.kill()
                Guard._process.wait()
                Guard._socket.close()
                Guard._process = Guard._socket = None

    def _begin(self) -> None:
        self._begun = True
        with self._lock:
            Guard._users += 1
            if Guard._users > 1 or not Path("/proc/self/stat").exists():
                return
            try:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            except OSError as error:
                self._tell(error)
                return
            try:
                # Without the marks of an outer run, whose end it must outlive.
                env = {name: value for name, value in os.environ.items() if not name.startswith("KFTUNE_")}
                # It inherits what is blocked, so it does not hear these from its first moment on.
                before = signal.pthread_sigmask(signal.SIG_BLOCK, _UNHEARD)
                try:
                    Guard._process = subprocess.Popen(
                        [sys.executable, "-I", "-S", _PROGRAM, str(os.getpid())],
                        stdin=theirs.fileno(),
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        env=env,
                        start_new_session=True,
                    )
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                Guard._socket = ours
            except OSError as error:
                ours.close()
                self._tell(error)
            finally:
                theirs.close()

    def _tell(self, error: OSError) -> None:
        self._note(f"what runs will go on if this run is killed (SIGKILL): its guard cannot start: {error.strerror}")

    def _send(self, *fields: str, descriptors: Sequence[int] = ()) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it was killed, or cannot keep up: the next run ends what is left
                socket.send_fds(self._socket, [os.fsencode("\0".join(fields))], descriptors, _FLAGS)
