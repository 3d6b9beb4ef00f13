"""A running pipeline in a terminal: each step, its state, and its latest line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kftune.local.study.events import Event
from kftune.local.views.formatting import clock, counted, short_path
from kftune.local.views.live import STATE_STYLES, LiveView, state_text
from kftune.local.views.pipeline_board import PipelineBoard, StepLine, about_results, headline

_MOST_LINES = 30


class LivePipelineView(LiveView):
    """Shows a pipeline as a table that is redrawn in place.

    Args:
        out: The terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._board = PipelineBoard()
        super().__init__(out)

    def _apply(self, event: Event) -> None:
        self._board.apply(event)

    def _frame(self) -> Iterator[RenderableType]:
        start = self._board.start
        if start is None or self._board.end is not None:
            return
        yield Text(f"{headline(start)}, {clock(self._board.elapsed)} so far", style="bold")
        yield Text(short_path(start.folder), style="dim")
        yield self._table()

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
        for column in ("step", "state", "items", "time"):
            table.add_column(column, no_wrap=True)
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
        lines = list(self._board.lines.values())
        shown = lines if len(lines) <= _MOST_LINES else [line for line in lines if line.state][-_MOST_LINES:]
        for line in shown:
            state = Text(line.state, style=STATE_STYLES.get(line.state, ""))
            table.add_row(Text(line.step), state, Text(line.progress), Text(_time(line)), Text(line.line, style="dim"))
        return table

    def _summary(self) -> Iterator[RenderableType]:
        end = self._board.end
        if end is None:
            return
        yield self._table()
        yield state_text(end.state, f": {end.message}")
        yield Text(f"steps: {counted(end.counts, end.seconds)}")
        yield from (Text(line, style="red") for line in self._board.about_failures())
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in about_results(end):
            table.add_row(Text(name), Text(value))
        yield table


def _time(line: StepLine) -> str:
    if line.running:
        return clock(time.monotonic() - min(line.running.values()))
    return "" if line.seconds is None else clock(line.seconds)
