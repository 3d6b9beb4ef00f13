"""A running pipeline in a terminal: each step, how it is, and what it says."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kftune.local.pipeline.events import PipelineFinished
from kftune.local.study.events import Event, Note
from kftune.local.views.pipeline_board import Board, Row, about_failures, about_results, counted, headline, near
from kftune.local.views.study_board import clock

_PER_SECOND = 4
_MOST_ROWS = 30
_STATE_STYLES = {
    "Running": "bold",
    "Succeeded": "green",
    "Kept": "green",
    "Cached": "cyan",
    "Skipped": "dim",
    "Failed": "bold red",
    "NotRun": "dim",
    "Stopped": "yellow",
    "Interrupted": "yellow",
}


class LiveView:
    """Redraws a table in place, and leaves it with a summary when the run ends.

    Args:
        out: The terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._board = Board()
        self._console = Console(file=out, highlight=False)
        self._live = Live(
            get_renderable=self._drawn, console=self._console, refresh_per_second=_PER_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        if self._board.end is not None:
            self._console.print(Group(self._table(), *self._summary(self._board.end)))

    def __call__(self, event: Event) -> None:
        """Takes in one event; drawing follows its own clock."""
        self._board.apply(event)
        if isinstance(event, Note):
            self._console.print(Text(f"note: {event.message}", style="yellow"))

    def _drawn(self) -> RenderableType:
        board = self._board
        if board.start is None or board.end is not None:
            return Text()
        head = f"{headline(board.start)}, {clock(board.elapsed)} so far"
        return Group(Text(head, style="bold"), Text(near(board.start.folder), style="dim"), self._table())

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
        for column in ("step", "state", "items", "time"):
            table.add_column(column, no_wrap=True)
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
        rows = list(self._board.rows.values())
        shown = rows if len(rows) <= _MOST_ROWS else [row for row in rows if row.state][-_MOST_ROWS:]
        for row in shown:
            state = Text(row.state, style=_STATE_STYLES.get(row.state, ""))
            table.add_row(Text(row.step), state, Text(row.progress), Text(_time(row)), Text(row.line, style="dim"))
        return table

    def _summary(self, end: PipelineFinished) -> list[RenderableType]:
        style = _STATE_STYLES.get(end.state, "")
        parts: list[RenderableType] = [
            Text.assemble((end.state, f"bold {style}"), f": {end.message}"),
            Text(counted(end)),
            *(Text(line, style="red") for line in about_failures(self._board)),
        ]
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in about_results(end):
            table.add_row(Text(name), Text(value))
        return [*parts, table]


def _time(row: Row) -> str:
    if row.running:
        return clock(time.monotonic() - min(row.running.values()))
    return "" if row.seconds is None else clock(row.seconds)
