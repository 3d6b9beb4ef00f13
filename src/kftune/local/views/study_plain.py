"""A running study as plain lines, one an event: for logs, pipes and terminals without rich."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from kftune.local.study.events import Event, Note, StudyFinished, StudyStarted, TrialFinished, TrialStarted
from kftune.local.views.study_board import Board, assignments, clock, headline, number


class PlainView:
    """Writes a line when a trial starts or ends; single metric reports are left out.

    Args:
        out: Where to.
        hints: Commands to offer at the end.
    """

    def __init__(self, out: TextIO, hints: Sequence[str] = ()) -> None:
        self._out = out
        self._hints = hints
        self._board = Board()

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        self._board.apply(event)
        match event:
            case StudyStarted():
                self._write(headline(event))
                self._write(f"results in {event.folder}")
                if event.finished:
                    self._write(f"going on: {event.finished} trials have finished before")
            case Note():
                self._write(f"note: {event.message}")
            case TrialStarted():
                again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                self._write(f"{event.trial} started{again}: {assignments(event.values)}")
            case TrialFinished():
                self._write(self._finished(event))
            case StudyFinished():
                for line in summary(event, self._hints):
                    self._write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def _finished(self, event: TrialFinished) -> str:
        study = self._board.study
        total = f"[{event.finished}/{study.max_trials}] " if study else ""
        metrics = " ".join(f"{name}={number(value)}" for name, value in event.metrics.items())
        parts = [f"{total}{event.trial} {event.state} in {clock(event.duration)}", metrics, event.message]
        best = ", the best so far" if event.is_best else ""
        return ": ".join(part for part in parts if part) + best

    def _write(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()


def summary(end: StudyFinished, hints: Sequence[str]) -> list[str]:
    """The end of a run in lines."""
    counts = ", ".join(f"{count} {state}" for state, count in end.counts.items())
    lines = [f"{end.state} ({end.reason}): {end.message}", f"trials: {counts or 'none'}; {clock(end.seconds)}"]
    if end.best is not None:
        metrics = " ".join(f"{name}={number(value)}" for name, value in end.best["metrics"].items())
        lines += [f"best: {end.best['trial']} {metrics}", f"  {assignments(end.best['values'])}"]
    return [*lines, *(f"next: {hint}" for hint in (hints if end.best else ()))]
