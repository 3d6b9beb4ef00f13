"""A run for several entities as plain lines, each with the name of its entity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from kftune.local.entities.events import EntitiesFinished, EntitiesStarted
from kftune.local.study.events import (
    Event,
    Note,
    StudyFinished,
    StudyStarted,
    TrialFinished,
    TrialPaused,
    TrialRetries,
    TrialStarted,
)
from kftune.local.views.entities_board import EntitiesBoard, about_entities, headline
from kftune.local.views.formatting import assignments, clock, counted
from kftune.local.views.study_plain import trial_line
from kftune.local.views.view import PlainView


class PlainEntitiesView(PlainView):
    """Writes a line when a trial starts or ends, and two when the study of an entity ends.

    Args:
        out: Where to write.
        hints: Commands to offer at the end.
    """

    def __init__(self, out: TextIO, hints: Sequence[str] = ()) -> None:
        super().__init__(out)
        self._hints = hints
        self._board = EntitiesBoard()
        self._told = -1

    def _lines(self, event: Event) -> Iterator[str]:
        self._board.apply(event)
        of = f"{event.entity}: " if event.entity else ""
        match event:
            case EntitiesStarted():
                yield headline(event)
                yield f"results in {event.folder}"
                yield from _resuming("", event.finished)
            case StudyStarted():
                yield from _resuming(of, event.finished)
            case Note():
                yield f"note: {of}{event.message}"
            case TrialStarted() | TrialPaused() | TrialRetries():
                yield f"{of}{trial_line(event)}"
            case TrialFinished():
                yield self._finished(event)
            case StudyFinished():
                best = "" if event.best is None else f"; best {assignments(event.best['metrics'])}"
                yield f"{of}{event.state}{event.why}: {event.message}{best}"
                yield from self._progress()
            case EntitiesFinished():
                yield f"{event.state} ({event.reason}): {event.message}"
                yield f"trials: {counted(event.counts, event.seconds)}"
                yield f"entities: {about_entities(event)}"
                if self._board.has_result:
                    yield from (f"next: {hint}" for hint in self._hints)

    def _progress(self) -> Iterator[str]:
        # When a shared budget ends, all entities end at once: one line says so.
        if self._board.done != self._told:
            self._told = self._board.done
            yield f"progress: {self._board.progress()}"

    def _finished(self, event: TrialFinished) -> str:
        total = "" if self._board.start is None else f"[{self._board.done}/{self._board.start.total}] "
        best = ", its best so far" if event.is_best else ""
        parts = [
            f"{total}{event.entity}: {event.trial} {event.state} in {clock(event.duration)}",
            assignments(event.metrics) + best,
            event.message,
        ]
        return ": ".join(part for part in parts if part)


def _resuming(of: str, finished: int) -> Iterator[str]:
    if finished:
        yield f"{of}resuming: {finished} trial{'' if finished == 1 else 's'} finished earlier"
