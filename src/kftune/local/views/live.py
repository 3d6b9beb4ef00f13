"""What the live views share: a table that is redrawn in place, and a summary at the end. Imports rich."""

from __future__ import annotations

import errno
import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import NoReturn, TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.text import Text

from kftune.local.study.events import Event, Note
from kftune.local.views.redrawn import Redrawn
from kftune.local.views.view import View
from kftune.shown import shown

_PER_SECOND = 4
STATE_STYLES = {
    "Running": "bold",
    "Succeeded": "green",
    "EarlyStopped": "cyan",
    "Kept": "green",
    "Cached": "cyan",
    "Skipped": "dim",
    "NotRun": "dim",
    "Failed": "bold red",
    "MetricsUnavailable": "bold red",
    "Killed": "yellow",
    "Paused": "blue",
    "Stopped": "yellow",
    "Interrupted": "yellow",
}


class _Terminal(Console):
    """A terminal that shows what it would obey in names and messages, and whose errors reach the caller."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields the pieces of what is shown."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=shown(segment.text))

    def on_broken_pipe(self) -> NoReturn:
        """Raises the error that is being handled; rich would end this process."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class LiveView(View):
    """Redraws a table in place, and leaves a summary when the run ends.

    Subclasses prepare their frame before they call this constructor, which asks for the first one.

    Args:
        out: The terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._console: Console = _Terminal(file=out, highlight=False)
        self._live = Redrawn(self._draw, self._console, _PER_SECOND)

    def _begin(self) -> None:
        self._live.start()

    def _end(self) -> None:
        self._live.stop()
        self._live.check()
        summary = [*self._summary()]
        if summary:
            self._console.print(Group(*summary))

    def _show(self, event: Event) -> None:
        self._live.check()
        self._apply(event)  # the table is redrawn several times a second
        if isinstance(event, Note):
            self._print(f"note: {event.message}", "yellow")

    def _print(self, text: str, style: str) -> None:
        """Prints a line above the table."""
        self._console.print(Text(text, style=style))

    def _draw(self) -> RenderableType:
        return Group(*self._frame())

    @abstractmethod
    def _apply(self, event: Event) -> None:
        """Keeps the event for the next frame."""

    @abstractmethod
    def _frame(self) -> Iterator[RenderableType]:
        """Yields the parts of the table; nothing before the run begins and after it ends."""

    @abstractmethod
    def _summary(self) -> Iterator[RenderableType]:
        """Yields the parts of the summary; nothing when the run has not ended."""


def state_text(state: str, rest: str = "") -> Text:
    """Returns a state in bold and its color.

    Args:
        state: The state of a run.
        rest: Plain text after it.
    """
    return Text.assemble((state, f"bold {STATE_STYLES.get(state, '')}"), rest)
