"""A running study as plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

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
from kftune.local.views.formatting import assignments, clock, counted
from kftune.local.views.study_board import MOST_OF_PARETO, headline, pareto_headline, several_objectives, targets
from kftune.local.views.view import PlainView


class PlainStudyView(PlainView):
    """Writes a line when a trial starts or ends; single metric reports are left out.

    Args:
        out: Where to write.
        hints: Commands to offer at the end.
    """

    def __init__(self, out: TextIO, hints: Sequence[str] = ()) -> None:
        super().__init__(out)
        self._hints = hints
        self._total = ""
        self._several = False

    def _lines(self, event: Event) -> Iterator[str]:
        match event:
            case StudyStarted():
                self._total = f"/{event.total}"
                self._several = bool(several_objectives(event))
                yield headline(event)
                yield f"results in {event.folder}"
                if event.finished:
                    yield f"resuming: {event.finished} trial{'' if event.finished == 1 else 's'} finished earlier"
            case Note():
                yield f"note: {event.message}"
            case TrialStarted() | TrialPaused() | TrialRetries():
                yield trial_line(event)
            case TrialFinished():
                yield self._finished(event)
            case StudyFinished():
                yield f"{event.state}{event.why}: {event.message}"
                yield f"trials: {counted(event.counts, event.seconds)}"
                yield from (f"target {target}" for target in targets(event))
                if event.best is not None:
                    yield from self._best(event)
                    yield from (f"next: {hint}" for hint in self._hints)

    @staticmethod
    def _best(event: StudyFinished) -> Iterator[str]:
        found = [event.best] if event.pareto is None else event.pareto
        if event.pareto is not None:
            yield pareto_headline(len(found))
        for trial in found[:MOST_OF_PARETO]:
            if trial is not None:
                yield f"{'best: ' if event.pareto is None else ''}{trial['trial']} {assignments(trial['metrics'])}"
                yield f"  {assignments(trial['values'])}"
        if len(found) > MOST_OF_PARETO:
            yield f"and {len(found) - MOST_OF_PARETO} more"

    def _finished(self, event: TrialFinished) -> str:
        total = f"[{event.finished}{self._total}] " if self._total else ""
        which = "in the Pareto set" if self._several else "the best"
        best = f", {which} so far" if event.is_best else ""
        parts = [
            f"{total}{event.trial} {event.state} in {clock(event.duration)}",
            assignments(event.metrics) + best,
            event.message,
        ]
        return ": ".join(part for part in parts if part)


def trial_line(event: TrialStarted | TrialPaused | TrialRetries) -> str:
    """Returns the line for a trial that starts, waits or is tried again."""
    match event:
        case TrialStarted():
            again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            return f"{event.trial} {'goes on' if event.goes_on else 'started'}{again}: {assignments(event.values)}"
        case TrialPaused():
            return f"{event.trial} after {clock(event.duration)} {event.message}"
        case TrialRetries():
            return f"{event.trial} attempt {event.attempt} {event.message}"
