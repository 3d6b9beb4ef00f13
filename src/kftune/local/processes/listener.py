"""Listens to all running processes in one `select`."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Generic, Protocol, TypeVar

from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.process import TrialProcess
from kftune.local.processes.sweep import Sweep


class Running(Protocol):
    """A trial or step with a running process.

    Attributes:
        process: The process.
        stopped: Why it was asked to stop; empty if it was not.
    """

    process: TrialProcess
    stopped: str


R = TypeVar("R", bound=Running)


class Listener(Generic[R]):
    """The running processes, in the order of their start.

    Args:
        interrupts: Counts Ctrl-C and requests to stop; these end a wait too.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._selector = selectors.DefaultSelector()
        self._listened: dict[R, list[int]] = {}
        self._sweeps: set[Sweep] = set()

    def __len__(self) -> int:
        return len(self._listened)

    def __iter__(self) -> Iterator[R]:
        return iter(self._listened)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Allows listening within a block; however the block ends, no process is left behind.

        After an error, processes that still run get their grace.
        """
        try:
            with self._interrupts.listening(self._selector):
                try:
                    yield
                finally:
                    self._let_end()
        finally:
            with ExitStack() as all_of_them:  # also those after one that raises
                all_of_them.callback(self._selector.close)
                for running in self:
                    all_of_them.callback(running.process.reap)
            for sweep in self._sweeps:
                sweep.now()

    def add(self, running: R) -> None:
        """Listens to one more process."""
        self._listened[running] = []
        self._sweeps.add(running.process.sweep)
        self._attend(running)

    def listen(self, *times: float | None) -> Iterator[R]:
        """Waits for an event of a process, or until something is due.

        Args:
            times: When the caller has something to do (monotonic clock); None for never.

        Yields:
            Each process with an event; an ended one has left this collection.
        """
        for key, _ in self._selector.select(self._longest(times)):
            if key.data is None:
                self._interrupts.drain()
                continue
            running, callback = key.data
            if key.fd in self._listened.get(running, ()):
                callback()
                self._attend(running)
                yield running
        moment = time.monotonic()
        for running in list(self._listened):
            due = running.process.next_time
            if due is not None and due <= moment:
                running.process.on_time(moment)
                self._attend(running)
                yield running
        for sweep in self._sweeps:
            sweep.on_time(moment)

    def stop(self, why: str) -> None:
        """Asks all of them to end; `listen` yields each one that has."""
        for running in self:
            running.stopped = why
            running.process.stop()

    def _let_end(self) -> None:
        """Asks all of them to end, and waits for that; one more interrupt ends the wait."""
        for running in self:
            running.process.stop()
        before = self._interrupts.count
        while self._listened and self._interrupts.count == before:
            for _ in self.listen():
                pass

    def kill(self) -> None:
        """Kills all of them; `listen` yields each one that has."""
        for running in self:
            running.process.kill()

    def _attend(self, running: R) -> None:
        """Listens to the descriptors that the process waits for, and drops a process that has ended."""
        wanted, listened = dict(running.process.waits_for), self._listened[running]
        for descriptor in listened:
            if descriptor not in wanted:
                self._selector.unregister(descriptor)
        for descriptor, callback in wanted.items():
            if descriptor not in listened:
                self._selector.register(descriptor, selectors.EVENT_READ, (running, callback))
        self._listened[running] = list(wanted)
        if running.process.returncode is not None:
            del self._listened[running]

    def _longest(self, times: tuple[float | None, ...]) -> float | None:
        """How long to wait; None if nothing is due."""
        sweeps = (sweep.due for sweep in self._sweeps)
        dues = [*times, *sweeps, *(running.process.next_time for running in self)]
        first = min((due for due in dues if due is not None), default=None)
        return None if first is None else max(0.0, first - time.monotonic())
