"""A running study in a terminal: what runs, what ended last, the best so far, and how long it will still take.

The only module that imports rich.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kftune.local.study.events import Event, Note, StudyFinished, TrialFinished
from kftune.local.views.study_board import Board, assignments, clock, headline, number, shown
from kftune.results.records import UNSUCCESSFUL

_PER_SECOND = 4
_MOST_RUNNING = 12
_STATE_STYLES = {
    "Succeeded": "green",
    "EarlyStopped": "green",
    "Failed": "red",
    "MetricsUnavailable": "red",
    "Killed": "yellow",
    "Interrupted": "yellow",
}


class LiveView:
    """Redraws a table in place, and leaves a summary when the run ends.

    Args:
        out: The terminal.
        hints: Commands to offer at the end.
    """

    def __init__(self, out: TextIO, hints: Sequence[str] = ()) -> None:
        self._board = Board()
        self._hints = hints
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
            self._console.print(self._summary(self._board.end))

    def __call__(self, event: Event) -> None:
        """Takes in one event; drawing follows its own clock."""
        self._board.apply(event)
        if isinstance(event, Note):
            self._console.print(Text(f"note: {event.message}", style="yellow"))
        elif isinstance(event, TrialFinished) and event.state in UNSUCCESSFUL:
            self._console.print(Text(f"{event.trial} {event.state}: {event.message}", style="red"))

    # -- drawing -----------------------------------------------------------------------------------------------

    def _drawn(self) -> RenderableType:
        board = self._board
        if board.study is None or board.end is not None:
            return Text()
        parts: list[RenderableType] = [Text(headline(board.study), style="bold"), self._progress()]
        if board.running:
            parts.append(self._running())
        if board.finished:
            parts.append(self._finished())
        if board.best is not None:
            parts.append(self._best())
        return Group(*parts)

    def _progress(self) -> RenderableType:
        board = self._board
        total = board.study.max_trials if board.study else 1
        failed = board.counts["Failed"] + board.counts["MetricsUnavailable"]
        texts = [f"{board.done}/{total} trials", f"{clock(board.elapsed)} so far"]
        if failed:
            texts.insert(1, f"{failed} failed")
        if board.left is not None:
            texts.append(f"about {clock(board.left)} left")
        grid = Table.grid(padding=(0, 1))
        grid.add_row(ProgressBar(total=total, completed=board.done, width=24), Text(", ".join(texts)))
        return grid

    def _running(self) -> RenderableType:
        table = _table("running", "values", "latest", "step", "time")
        rows = list(self._board.running.values())
        moment = time.monotonic()
        for row in rows[:_MOST_RUNNING]:
            step = "" if row.step is None else str(row.step)
            values, seconds = assignments(row.values), clock(moment - row.began)
            table.add_row(*map(Text, (row.trial, values, row.metric, step, seconds)))
        if len(rows) > _MOST_RUNNING:
            table.add_row(Text(f"and {len(rows) - _MOST_RUNNING} more", style="dim"))
        return table

    def _finished(self) -> RenderableType:
        table = _table("ended last", "values", "objective", "state", "time")
        for event in list(self._board.finished):
            objective = "" if event.objective is None else number(event.objective)
            table.add_row(
                Text(event.trial),
                Text(assignments(event.values)),
                Text(objective, style="bold green" if event.is_best else ""),
                Text(event.state, style=_STATE_STYLES.get(event.state, "")),
                Text(clock(event.duration)),
            )
        return table

    def _best(self) -> RenderableType:
        best = self._board.best or {}
        line = Text.assemble(("best so far ", "bold"), (str(best.get("trial")), "bold green"))
        line.append(f"  {number(best['objective'])}  {assignments(best['values'])}")
        return line

    def _summary(self, end: StudyFinished) -> RenderableType:
        counts = ", ".join(f"{count} {state}" for state, count in end.counts.items())
        parts: list[RenderableType] = [
            Text.assemble((end.state, f"bold {_STATE_STYLES.get(end.state, '')}"), f" ({end.reason}): {end.message}"),
            Text(f"trials: {counts or 'none'}; {clock(end.seconds)}"),
        ]
        if end.best is not None:
            table = _table("best trial", str(end.best["trial"]))
            for name, value in end.best["metrics"].items():
                table.add_row(Text(name), Text(number(value), style="bold green"))
            for name, value in end.best["values"].items():
                table.add_row(Text(name), Text(shown(value)))
            parts.append(table)
        parts += [Text(f"next: {hint}", style="dim") for hint in (self._hints if end.best else ())]
        return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=column != "values", overflow="ellipsis")
    return table
