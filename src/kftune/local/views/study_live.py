"""A running study in a terminal: running trials, the last ended ones, the best so far, and the remaining time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kftune.local.study.events import Event, TrialFinished, TrialRetries
from kftune.local.views.formatting import assignments, clock, counted, number_text, value_text
from kftune.local.views.live import STATE_STYLES, LiveView, state_text
from kftune.local.views.study_board import MOST_OF_PARETO, StudyBoard, headline, targets
from kftune.results.records import UNSUCCESSFUL

_MOST_RUNNING = 12


class LiveStudyView(LiveView):
    """Shows a study as a table that is redrawn in place.

    Args:
        out: The terminal.
        hints: Commands to offer at the end.
    """

    def __init__(self, out: TextIO, hints: Sequence[str] = ()) -> None:
        self._board = StudyBoard()
        super().__init__(out)
        self._hints = hints

    def _apply(self, event: Event) -> None:
        self._board.apply(event)
        if isinstance(event, TrialFinished) and event.state in UNSUCCESSFUL:
            self._print(f"{event.trial} {event.state}: {event.message}", "red")
        if isinstance(event, TrialFinished) and event.state == "EarlyStopped":
            self._print(f"{event.trial} {event.message}", "cyan")
        if isinstance(event, TrialRetries):
            self._print(f"{event.trial} attempt {event.attempt} {event.message}", "yellow")

    def _frame(self) -> Iterator[RenderableType]:
        board = self._board
        if board.study is None or board.end is not None:
            return
        yield Text(headline(board.study), style="bold")
        yield self._progress(board.study.total)
        # Above the tables: a small terminal shows only the first lines of a frame.
        if board.best is not None:
            label = f"Pareto set so far: {len(board.pareto)}, with " if board.pareto else "best so far "
            line = Text.assemble((label, "bold"), (str(board.best.get("trial")), "bold green"))
            yield line.append(f"  {self._objectives(board.best)}  {assignments(board.best['values'])}")
        if board.running:
            yield self._running()
        if board.finished:
            yield self._finished()

    def _objectives(self, trial: Mapping[str, Any]) -> str:
        """Returns the objectives of a trial: the value of one, names and values of several."""
        names, metrics = self._board.objectives, trial["metrics"]
        if not names:
            return number_text(trial["objective"])
        return assignments({name: metrics[name] for name in names if name in metrics})

    def _progress(self, total: int) -> RenderableType:
        board = self._board
        failed = sum(board.counts[state] for state in UNSUCCESSFUL)
        texts = [f"{board.done}/{total} trials", f"{clock(board.elapsed)} so far"]
        if failed:
            texts.insert(1, f"{failed} failed")
        if board.counts["EarlyStopped"]:
            texts.insert(1, f"{board.counts['EarlyStopped']} stopped early")
        if board.left is not None:
            texts.append(f"about {clock(board.left)} left")
        grid = Table.grid(padding=(0, 1))
        grid.add_row(ProgressBar(total=total, completed=board.done, width=24), Text(", ".join(texts)))
        return grid

    def _running(self) -> RenderableType:
        table = columns("running", "values", "latest", "step", "time")
        lines = list(self._board.running.values())
        moment = time.monotonic()
        for line in lines[:_MOST_RUNNING]:
            step = "" if line.step is None else str(line.step)
            values, seconds = assignments(line.values), clock(moment - line.began)
            table.add_row(*map(Text, (line.trial, values, line.metric, step, seconds)))
        if len(lines) > _MOST_RUNNING:
            table.add_row(Text(f"and {len(lines) - _MOST_RUNNING} more", style="dim"))
        return table

    def _finished(self) -> RenderableType:
        table = columns("ended last", "values", "objective", "state", "time")
        for event in list(self._board.finished):
            objective = "" if event.objective is None else self._objectives(event.to_dict())
            table.add_row(
                Text(event.trial),
                Text(assignments(event.values)),
                Text(objective, style="bold green" if event.is_best else ""),
                Text(event.state, style=STATE_STYLES.get(event.state, "")),
                Text(clock(event.duration)),
            )
        return table

    def _summary(self) -> Iterator[RenderableType]:
        end = self._board.end
        if end is None:
            return
        yield state_text(end.state, f"{end.why}: {end.message}")
        yield Text(f"trials: {counted(end.counts, end.seconds)}")
        yield from (Text(f"target {target}") for target in targets(end))
        if end.pareto:
            yield self._pareto(end.pareto)
            yield from (Text(f"next: {hint}", style="dim") for hint in self._hints)
        elif end.best is not None:
            table = columns("best trial", str(end.best["trial"]))
            for name, value in end.best["metrics"].items():
                table.add_row(Text(name), Text(number_text(value), style="bold green"))
            for name, value in end.best["values"].items():
                table.add_row(Text(name), Text(value_text(value)))
            yield table
            yield from (Text(f"next: {hint}", style="dim") for hint in self._hints)

    def _pareto(self, trials: Sequence[Mapping[str, Any]]) -> RenderableType:
        names = self._board.objectives
        table = columns(f"Pareto set: {len(trials)}", *names, "values")
        for trial in trials[:MOST_OF_PARETO]:
            numbers = [Text(number_text(trial["metrics"][name]), style="bold green") for name in names]
            table.add_row(Text(trial["trial"]), *numbers, Text(assignments(trial["values"])))
        if len(trials) > MOST_OF_PARETO:
            table.add_row(Text(f"and {len(trials) - MOST_OF_PARETO} more", style="dim"))
        return table


def columns(*names: str) -> Table:
    """Returns an empty table with these columns; ``values`` may take several lines."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in names:
        table.add_column(column, no_wrap=column != "values", overflow="ellipsis")
    return table
