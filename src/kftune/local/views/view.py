"""What all views share, and what the plain ones share."""

from __future__ import annotations

import errno
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Self, TextIO

from kftune.errors import OutputError
from kftune.local.processes.interrupts import outlives_terminal
from kftune.local.study.events import Event
from kftune.shown import shown


class View(ABC):
    """Shows a run: a context manager that is called with each event.

    When its output cannot be written, it shows nothing more, and the call raises `OutputError`, which stops the run.
    Only a terminal that has closed is no error for a process that outlives it (nohup).
    """

    _is_lost = False

    def __enter__(self) -> Self:
        self._guarded(self._begin)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Ends the view."""
        try:
            self._guarded(self._end)
        except OutputError:
            if error is None:
                raise

    def __call__(self, event: Event) -> None:
        """Shows one event.

        Raises:
            OutputError: The output cannot be written.
        """
        self._guarded(lambda: self._show(event))

    def _guarded(self, write: Callable[[], object]) -> None:
        if self._is_lost:
            return
        try:
            write()
        except OSError as error:
            self._is_lost = True
            if error.errno == errno.EIO and outlives_terminal():
                return
            raise OutputError(
                f"a run stops when its output cannot be written: {error.strerror}; the same command goes on. To run "
                f"without a reader, redirect the output to a file or /dev/null"
            ) from error

    def _begin(self) -> None:  # noqa: B027  # plain views have nothing to begin or end
        """Begins to show."""

    def _end(self) -> None:  # noqa: B027
        """Ends what is shown."""

    @abstractmethod
    def _show(self, event: Event) -> None:
        """Shows one event."""


class PlainView(View):
    """Writes plain lines: for logs, pipes and terminals without rich.

    Args:
        out: Where to write.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def _show(self, event: Event) -> None:
        for line in self._lines(event):
            self._out.write(f"{shown(line)}\n")
        self._out.flush()

    @abstractmethod
    def _lines(self, event: Event) -> Iterator[str]:
        """Yields the lines of one event."""


class JsonView(View):
    """Writes events for programs, one JSON object a line.

    Args:
        write: Writes a text.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def _show(self, event: Event) -> None:
        self._write(f"{json.dumps(event.to_dict(), ensure_ascii=False)}\n")
