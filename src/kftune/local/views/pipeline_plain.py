"""A running pipeline as plain lines: for logs, pipes and terminals without rich."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO

from kftune.local.pipeline.events import (
    PipelineFinished,
    PipelineStarted,
    StepFinished,
    StepPrinted,
    StepRetries,
    StepStarted,
)
from kftune.local.study.events import Event, Note
from kftune.local.views.pipeline_board import Board, about_failures, about_results, counted, headline, near, values_of
from kftune.local.views.study_board import assignments, clock

_LONGEST_VALUES = 200


class PlainView:
    """Writes a line when a step starts or ends, and each line of a tune step.

    Args:
        out: Where to.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._board = Board()

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        self._board.apply(event)
        match event:
            case PipelineStarted():
                values = assignments(event.parameters)
                self._write(headline(event), f"run in {near(event.folder)}", *([f"with {values}"] if values else []))
            case Note():
                self._write(f"note: {event.message}")
            case StepStarted():
                self._write(f"{event.task} started" + (f" (try {event.attempt})" if event.attempt > 1 else ""))
            case StepPrinted(tune=True):
                self._write(f"{event.task}: {event.line}")
            case StepRetries():
                self._write(f"{event.task} try {event.attempt} failed: {event.message}")
                self._write(f"{event.task} is tried again in {clock(event.wait)}")
            case StepFinished():
                self._write(_finished(event))
            case PipelineFinished():
                self._write(*summary(self._board, event))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def _write(self, *lines: str) -> None:
        self._out.writelines(f"{line}\n" for line in lines)
        self._out.flush()


def _finished(event: StepFinished) -> str:
    took = "" if event.duration is None else f" in {clock(event.duration)}"
    values = values_of(event.outputs)
    details = event.message or (values if len(values) <= _LONGEST_VALUES else "")
    return f"{event.task} {event.state}{took}{f': {details}' if details else ''}"


def summary(board: Board, end: PipelineFinished) -> list[str]:
    """The end of a run in lines."""
    lines = [f"{end.state}: {end.message}", counted(end), *about_failures(board)]
    found = list(about_results(end))
    width = max((len(name) for name, _ in found), default=0)
    return [*lines, *(f"  {name:<{width}}  {value}" for name, value in found)]
