"""Counts Ctrl-C and requests to stop, and wakes a loop that waits in `select`."""

from __future__ import annotations

import selectors
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Counts interrupts.

    Attributes:
        count: How many there were.
    """

    def __init__(self) -> None:
        self.count = 0
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

    def drain(self) -> None:
        """Empties the socket that woke the selector."""
        if self._reader is not None:
            with suppress(BlockingIOError):
                self._reader.recv(4096)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
