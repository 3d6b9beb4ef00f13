"""What all views share, and what the plain ones share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self, TextIO

from kftune.local.study.events import Event
from kftune.shown import shown


class View(ABC):
    """Shows a run: a context manager that is called with each event."""

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Ends the view."""

    @abstractmethod
    def __call__(self, event: Event) -> None:
        """Shows one event."""


class PlainView(View):
    """Writes plain lines: for logs, pipes and terminals without rich.

    Args:
        out: Where to write.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def __call__(self, event: Event) -> None:
        """Writes the lines of one event."""
        for line in self._lines(event):
            self._out.write(f"{shown(line)}\n")
        self._out.flush()

    @abstractmethod
    def _lines(self, event: Event) -> Iterator[str]:
        """Yields the lines of one event."""
