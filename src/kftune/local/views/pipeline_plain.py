"""A running pipeline as plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from kftune.local.pipeline.events import (
    PipelineFinished,
    PipelineStarted,
    StepFinished,
    StepPrinted,
    StepRetries,
    StepStarted,
)
from kftune.local.study.events import Event, Note
from kftune.local.views.formatting import assignments, clock, counted, short_path
from kftune.local.views.pipeline_board import PipelineBoard, about_results, headline, values_of
from kftune.local.views.view import PlainView

_LONGEST_VALUES = 200


class PlainPipelineView(PlainView):
    """Writes a line when a step starts or ends, and each line of a tune step.

    Args:
        out: Where to write.
    """

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._board = PipelineBoard()

    def _lines(self, event: Event) -> Iterator[str]:
        self._board.apply(event)
        match event:
            case PipelineStarted():
                yield headline(event)
                yield f"run in {short_path(event.folder)}"
                if event.parameters:
                    yield f"with {assignments(event.parameters)}"
            case Note():
                yield f"note: {event.message}"
            case StepStarted():
                yield f"{event.task} started" + (f" (try {event.attempt})" if event.attempt > 1 else "")
            case StepPrinted(tune=True):
                yield f"{event.task}: {event.line}"
            case StepRetries():
                yield f"{event.task} try {event.attempt} failed: {event.message}"
                yield f"{event.task} is tried again in {clock(event.wait)}"
            case StepFinished():
                yield _finished(event)
            case PipelineFinished():
                yield from self._summary(event)

    def _summary(self, end: PipelineFinished) -> Iterator[str]:
        yield f"{end.state}: {end.message}"
        yield f"steps: {counted(end.counts, end.seconds)}"
        yield from self._board.about_failures()
        found = list(about_results(end))
        width = max((len(name) for name, _ in found), default=0)
        yield from (f"  {name:<{width}}  {value}" for name, value in found)


def _finished(event: StepFinished) -> str:
    took = "" if event.duration is None else f" in {clock(event.duration)}"
    values = values_of(event.outputs)
    details = event.message or (values if len(values) <= _LONGEST_VALUES else "")
    return f"{event.task} {event.state}{took}{f': {details}' if details else ''}"
