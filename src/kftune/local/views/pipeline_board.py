"""What a view of a running pipeline shows, kept up to date by events. No drawing here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kftune.local.pipeline.events import (
    PipelineFinished,
    PipelineStarted,
    StepFinished,
    StepPrinted,
    StepRetries,
    StepStarted,
)
from kftune.local.study.events import Event
from kftune.local.views.study_board import clock, shown


@dataclass(slots=True)
class Row:
    """One step; all items of its loop together."""

    step: str
    total: int | None
    """How many tasks it has; None where that is not known yet."""
    running: dict[str, float] = field(default_factory=dict)
    """Task -> when it began (monotonic clock)."""
    counts: Counter[str] = field(default_factory=Counter)
    line: str = ""
    """What it printed last, or why it ended as it did."""
    seconds: float | None = None
    """How long the last task took."""

    @property
    def state(self) -> str:
        """What to show for it."""
        if self.running:
            return "Running"
        for state in ("Failed", "Stopped", "NotRun"):
            if self.counts[state]:
                return state
        if self.total is not None and self.total == sum(self.counts.values()):
            return next(
                (state for state in ("Succeeded", "Kept", "Cached", "Skipped") if self.counts[state]), "no items"
            )
        return ""

    @property
    def progress(self) -> str:
        """How far its loop is; empty outside of loops."""
        if self.total == 1 and sum(self.counts.values()) <= 1:
            return ""
        done = sum(self.counts.values()) - self.counts["Failed"] - self.counts["NotRun"] - self.counts["Stopped"]
        parts = [f"{done}/{'?' if self.total is None else self.total}"]
        parts += [f"{self.counts[state]} failed" for state in ("Failed",) if self.counts[state]]
        parts += [f"{len(self.running)} running"] if self.running else []
        return ", ".join(parts)


class Board:
    """The state of a run as its events tell it.

    Attributes:
        start: How the run began; None before that.
        rows: Step -> how it is.
        failed: The tasks that failed.
        end: How the run ended; None before that.
    """

    def __init__(self) -> None:
        self.start: PipelineStarted | None = None
        self.rows: dict[str, Row] = {}
        self.failed: list[StepFinished] = []
        self.end: PipelineFinished | None = None
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def apply(self, event: Event) -> None:
        """Takes in one event."""
        match event:
            case PipelineStarted():
                self.start = event
                self.rows = {step: Row(step, total) for step, total in event.steps.items()}
            case StepStarted():
                self.rows[event.step].running[event.task] = time.monotonic()
                self.rows[event.step].line = ""
            case StepPrinted():
                self.rows[event.step].line = event.line
            case StepRetries():
                self.rows[event.step].running.pop(event.task, None)
                self.rows[event.step].line = f"try {event.attempt} failed: {first_line(event.message)}"
            case StepFinished():
                self._take_end(event)
            case PipelineFinished():
                self.end = event

    def _take_end(self, event: StepFinished) -> None:
        row = self.rows[event.step]
        row.running.pop(event.task, None)
        row.counts[event.state] += 1
        row.seconds = event.duration
        row.line = first_line(event.message) or values_of(event.outputs)
        if event.state == "Failed":
            self.failed.append(event)


def first_line(text: str) -> str:
    """The first line of a message."""
    return text.partition("\n")[0]


def near(path: str) -> str:
    """A path to look at: from the current folder, where it lies below it."""
    found = Path(path)
    return str(found.relative_to(Path.cwd())) if found.is_relative_to(Path.cwd()) else path


def values_of(outputs: Mapping[str, Any]) -> str:
    """The values among a step's outputs, on one line; artifacts are left out."""
    return " ".join(
        f"{name}={shown(value)}"
        for name, value in outputs.items()
        if not (isinstance(value, str) and value.startswith("/"))
    )


def headline(start: PipelineStarted) -> str:
    """What runs, in one line."""
    several = "" if start.parallel == 1 else f", {start.parallel} at once"
    return f"{start.pipeline}: {len(start.steps)} steps in {_PLACES[start.runtime]}{several}"


_PLACES = {"process": "processes", "container": "containers"}


def about_failures(board: Board) -> Iterator[str]:
    """What failed, with the end of its log, and where all of it is."""
    for event in board.failed[:10]:
        yield f"{event.task} failed: {event.message}"
        if event.log is not None:
            yield f"  all of its log: less {near(event.log)}"


def about_results(end: PipelineFinished) -> Iterator[tuple[str, str]]:
    """What the last steps wrote: a name, and the value or path to look at."""
    for task, outputs in end.results.items():
        for name, value in outputs.items():
            text = near(value) if isinstance(value, str) and value.startswith("/") else shown(value)
            yield f"{task} {name}", text


def counted(end: PipelineFinished) -> str:
    """How many steps ended how, and how long it took."""
    return (
        f"steps: {', '.join(f'{count} {state}' for state, count in end.counts.items()) or 'none'}; {clock(end.seconds)}"
    )
