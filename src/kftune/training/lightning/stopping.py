"""The signals that stop a training, and the error with which it unwinds."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):  # noqa: N818  # no error: somebody asked for it
    """Training ends because a signal asked for it; its checkpoint is written."""


class StopRequest:
    """Notes a signal that asks for the end of the training.

    Attributes:
        number: The signal; 0 for none.
    """

    def __init__(self) -> None:
        self.number = 0

    def listen(self) -> None:
        """Takes the signals; in a thread that cannot, it does nothing."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._note)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes the signals while training runs, and restores what took them before."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self.listen()
        try:
            yield
        finally:
            if threading.current_thread() is threading.main_thread():
                for number, handler in before.items():
                    signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
