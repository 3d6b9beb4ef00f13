"""Tells events to whoever listens; an error there stops the run in order, and is raised at its end."""

from __future__ import annotations

from kftune.local.processes.interrupts import Interrupts
from kftune.local.study.events import Event, OnEvent


class Audience:
    """Whoever is told of a run.

    An error of the listener, such as a closed pipe, counts as one interrupt: trials get SIGTERM and their grace, and
    what has ended is stored. The listener is told nothing more.

    Args:
        listener: Called with each event; None if nobody wants to know.
        interrupts: What the run listens to.
    """

    def __init__(self, listener: OnEvent | None, interrupts: Interrupts) -> None:
        self._listener = listener
        self._interrupts = interrupts
        self._error: Exception | None = None

    def __bool__(self) -> bool:
        """Whether anybody wants to know."""
        return self._listener is not None

    def __call__(self, event: Event) -> None:
        """Tells of one event."""
        if self._listener is None:
            return
        try:
            self._listener(event)
        except Exception as error:  # any of them would leave the trials without their grace
            self._listener, self._error = None, error
            self._interrupts.ask()

    def raise_error(self) -> None:
        """Raises the listener's error, if there was one; the run calls it when everything is stored."""
        if self._error is not None:
            raise self._error
