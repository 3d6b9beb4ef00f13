"""The state of a running pipeline, updated by events, for the views."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
from kftune.local.views.formatting import first_line, short_path, value_text

_PLACES = {"process": "processes", "container": "containers"}


@dataclass(slots=True)
class StepLine:
    """One step, with all items of its loop."""

    step: str
    total: int | None
    """The number of its tasks; None while that is unknown."""
    running: dict[str, float] = field(default_factory=dict)
    """Task -> when it began (monotonic clock)."""
    counts: Counter[str] = field(default_factory=Counter)
    line: str = ""
    """The last line that it printed, or why it ended."""
    seconds: float | None = None
    """The duration of the last task."""

    @property
    def state(self) -> str:
        """The state to show."""
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
        """The progress of its loop; empty outside of loops."""
        ended = sum(self.counts.values())
        if self.total == 1 and ended <= 1:
            return ""
        done = ended - self.counts["Failed"] - self.counts["NotRun"] - self.counts["Stopped"]
        parts = [f"{done}/{'?' if self.total is None else self.total}"]
        parts += [f"{self.counts['Failed']} failed"] if self.counts["Failed"] else []
        parts += [f"{len(self.running)} running"] if self.running else []
        return ", ".join(parts)


class PipelineBoard:
    """The state of a running pipeline.

    Attributes:
        start: The event that began the run; None before that.
        lines: Step -> its state.
        failed: The tasks that failed.
        end: The event that ended the run; None before that.
    """

    def __init__(self) -> None:
        self.start: PipelineStarted | None = None
        self.lines: dict[str, StepLine] = {}
        self.failed: list[StepFinished] = []
        self.end: PipelineFinished | None = None
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def apply(self, event: Event) -> None:
        """Updates the state from one event."""
        match event:
            case PipelineStarted():
                self.start = event
                self.lines = {step: StepLine(step, total) for step, total in event.steps.items()}
            case StepStarted():
                self.lines[event.step].running[event.task] = time.monotonic()
                self.lines[event.step].line = ""
            case StepPrinted():
                self.lines[event.step].line = event.line
            case StepRetries():
                self.lines[event.step].running.pop(event.task, None)
                self.lines[event.step].line = f"try {event.attempt} failed: {first_line(event.message)}"
            case StepFinished():
                self._apply_finished(event)
            case PipelineFinished():
                self.end = event

    def _apply_finished(self, event: StepFinished) -> None:
        line = self.lines[event.step]
        line.running.pop(event.task, None)
        line.counts[event.state] += 1
        line.seconds = event.duration
        line.line = first_line(event.message) or values_of(event.outputs)
        if event.state == "Failed":
            self.failed.append(event)

    def about_failures(self) -> Iterator[str]:
        """Yields lines about the failed steps: the reason, and the path of the whole log."""
        for event in self.failed[:10]:
            yield f"{event.task} failed: {event.message}"
            if event.log is not None:
                yield f"  the whole log: less {short_path(event.log)}"


def values_of(outputs: Mapping[str, Any]) -> str:
    """Returns a step's output values on one line, without artifacts."""
    return " ".join(f"{name}={value_text(value)}" for name, value in outputs.items() if not _is_path(value))


def headline(start: PipelineStarted) -> str:
    """Returns a description of the run in one line."""
    at_once = "" if start.parallel == 1 else f", {start.parallel} at once"
    return f"{start.pipeline}: {len(start.steps)} steps in {_PLACES[start.runtime]}{at_once}"


def about_results(end: PipelineFinished) -> Iterator[tuple[str, str]]:
    """Yields the outputs of the last steps: a name, and the value or path."""
    for task, outputs in end.results.items():
        for name, value in outputs.items():
            yield f"{task} {name}", short_path(value) if _is_path(value) else value_text(value)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/")
