"""Counts Ctrl-C and requests to stop, and wakes a loop that waits in `select`."""

from __future__ import annotations

import selectors
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# `timeout` sends SIGTERM to its child and to their group, and a shell passes on the SIGHUP of its terminal.
_REPEATED = 1.0


def outlives_terminal() -> bool:
    """Whether this process goes on when its terminal closes: under nohup, which ignores SIGHUP."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


class Interrupts:
    """Counts interrupts. The second one is a person who does not want to wait: Ctrl-C again, or a later SIGTERM.

    Attributes:
        count: How many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first = 0.0
        self._reader: socket.socket | None = None

    @contextmanager
    def listening(self, selector: selectors.BaseSelector) -> Iterator[None]:
        """Counts signals within a block; each one makes the selector return an entry without data.

        Signals that this process already ignores (nohup) stay ignored. Outside the main thread, where Python handles no
        signals, nothing changes.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        reader, writer = socket.socketpair()
        with reader, writer:
            reader.setblocking(False)
            writer.setblocking(False)
            self._reader = reader
            selector.register(reader, selectors.EVENT_READ, None)
            earlier_wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            earlier = {number: signal.getsignal(number) for number in _SIGNALS}
            taken = [number for number, handler in earlier.items() if handler not in (signal.SIG_IGN, None)]
            for number in taken:
                signal.signal(number, self._on_signal)
            try:
                yield
            finally:
                for number in taken:
                    signal.signal(number, earlier[number])
                signal.set_wakeup_fd(earlier_wakeup)
                selector.unregister(reader)
                self._reader = None

    def ask(self) -> None:
        """Asks for an end, as one interrupt does; after another one it changes nothing."""
        if not self.count:
            self._count()

    def drain(self) -> None:
        """Empties the socket that woke the selector."""
        if self._reader is not None:
            with suppress(BlockingIOError):
                self._reader.recv(4096)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        quick = time.monotonic() - self._first < _REPEATED
        if not self.count or number == signal.SIGINT or (number == signal.SIGTERM and not quick):
            self._count()

    def _count(self) -> None:
        self._first = self._first or time.monotonic()
        self.count += 1
