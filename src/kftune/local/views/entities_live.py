"""A run for several entities in a terminal: how far it is, the running trials, and the last ended ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kftune.local.study.events import Event, StudyFinished, TrialFinished, TrialRetries
from kftune.local.views.entities_board import EntitiesBoard, about_entities, headline
from kftune.local.views.formatting import assignments, clock, counted
from kftune.local.views.live import STATE_STYLES, LiveView, state_text
from kftune.local.views.study_live import columns
from kftune.results.records import UNSUCCESSFUL

_MOST_RUNNING = 12


class LiveEntitiesView(LiveView):
    """Shows a run for several entities as a table that is redrawn in place.

    Args:
        out: The terminal.
        hints: Commands to offer at the end.
    """

    def __init__(self, out: TextIO, hints: Sequence[str] = ()) -> None:
        self._board = EntitiesBoard()
        super().__init__(out)
        self._hints = hints

    def _apply(self, event: Event) -> None:
        self._board.apply(event)
        if isinstance(event, TrialFinished) and event.state in UNSUCCESSFUL:
            self._print(f"{event.entity}: {event.trial} {event.state}: {event.message}", "red")
        if isinstance(event, TrialRetries):
            self._print(f"{event.entity}: {event.trial} attempt {event.attempt} {event.message}", "yellow")
        if isinstance(event, StudyFinished) and event.state == "Failed":
            self._print(f"{event.entity} Failed{event.why}: {event.message}", "red")

    def _frame(self) -> Iterator[RenderableType]:
        board = self._board
        if board.start is None or board.end is not None:
            return
        yield Text(headline(board.start), style="bold")
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=board.start.total, completed=board.done, width=24)
        grid.add_row(bar, Text(board.progress()))
        yield grid
        if board.running:
            yield self._running()
        if board.finished:
            yield self._finished()

    def _running(self) -> RenderableType:
        table, moment = columns("running", "values", "latest", "step", "time"), time.monotonic()
        lines = list(self._board.running.items())
        for (entity, _), line in lines[:_MOST_RUNNING]:
            step = "" if line.step is None else str(line.step)
            texts = (entity, assignments(line.values), line.metric, step, clock(moment - line.began))
            table.add_row(*map(Text, texts))
        if len(lines) > _MOST_RUNNING:
            table.add_row(Text(f"and {len(lines) - _MOST_RUNNING} more", style="dim"))
        return table

    def _finished(self) -> RenderableType:
        table = columns("ended last", "values", "metrics", "state", "time")
        for event in list(self._board.finished):
            table.add_row(
                Text(event.entity),
                Text(assignments(event.values)),
                Text(assignments(event.metrics), style="bold green" if event.is_best else ""),
                Text(event.state, style=STATE_STYLES.get(event.state, "")),
                Text(clock(event.duration)),
            )
        return table

    def _summary(self) -> Iterator[RenderableType]:
        end = self._board.end
        if end is None:
            return
        yield state_text(end.state, f" ({end.reason}): {end.message}")
        yield Text(f"trials: {counted(end.counts, end.seconds)}")
        yield Text(f"entities: {about_entities(end)}")
        if self._board.has_result:
            yield from (Text(f"next: {hint}", style="dim") for hint in self._hints)
