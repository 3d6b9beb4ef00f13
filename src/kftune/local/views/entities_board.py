"""The state of a run for several entities, updated by events, for the views."""

from __future__ import annotations

import time
from collections import Counter, deque

from kftune.local.entities.events import EntitiesFinished, EntitiesStarted
from kftune.local.study.events import (
    Event,
    MetricReported,
    StudyFinished,
    TrialFinished,
    TrialPaused,
    TrialRetries,
    TrialStarted,
)
from kftune.local.views.formatting import clock, number_text
from kftune.local.views.study_board import TrialLine, aims_text
from kftune.results import FINISHED, SCORED
from kftune.results.records import UNSUCCESSFUL

_SHOWN_FINISHED = 5


class EntitiesBoard:
    """The state of a run for several entities.

    Attributes:
        start: The event that began the run; None before that.
        running: Entity and number -> running trial.
        finished: The last trials that ended, the latest first.
        ended: The studies that ended in this run.
        counts: State -> number of trials that ended in this run.
        done: The number of finished trials, with those of earlier runs.
        end: The event that ended the run; None before that.
    """

    def __init__(self) -> None:
        self.start: EntitiesStarted | None = None
        self.running: dict[tuple[str, int], TrialLine] = {}
        self.finished: deque[TrialFinished] = deque(maxlen=_SHOWN_FINISHED)
        self.ended: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.done = 0
        self.end: EntitiesFinished | None = None
        self._began = time.monotonic()
        self._seconds = 0.0
        self._timed = 0

    def apply(self, event: Event) -> None:
        """Updates the state from one event."""
        match event:
            case EntitiesStarted():
                self.start, self.done = event, event.finished
            case TrialStarted():
                line = TrialLine(event.trial, event.values, time.monotonic())
                self.running[event.entity, event.number] = line
            case MetricReported():
                self._apply_metric(event)
            case TrialRetries() | TrialPaused():
                self.running.pop((event.entity, event.number), None)
            case TrialFinished():
                self._apply_finished(event)
            case StudyFinished():
                self.ended[event.reason] += 1
            case EntitiesFinished():
                self.end = event

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float | None:
        """An estimate of the remaining seconds, from the mean duration so far; None while it is unknown."""
        if self.start is None or not self._timed:
            return None
        waiting = max(0, self.start.total - self.done)
        left = waiting * self._seconds / self._timed / self.start.parallel
        wall = self.start.wall_clock
        return (left if wall is None else min(left, max(0.0, wall - self.elapsed))) or None

    @property
    def has_result(self) -> bool:
        """Whether an entity has a best trial at the end."""
        return self.end is not None and any(self.end.counts.get(state) for state in SCORED)

    def progress(self) -> str:
        """Returns how far the run is, on one line."""
        if self.start is None:
            return ""
        failed = sum(self.counts[state] for state in UNSUCCESSFUL)
        left = self.left
        parts = [
            f"{self.done}/{self.start.total} trials",
            f"{self.ended.total()} of {self.start.entities} entities have ended" if self.ended else "",
            f"{failed} failed" if failed else "",
            f"{clock(self.elapsed)} so far",
            "" if left is None else f"about {clock(left)} left",
        ]
        return ", ".join(part for part in parts if part)

    def _apply_metric(self, event: MetricReported) -> None:
        line = self.running.get((event.entity, event.number))
        names = [aim["name"] for aim in self.start.objectives] if self.start else []
        if line is None:
            return
        kept = {name: text for name, text in line.reports.items() if name in names}
        if event.metric in names or not kept:
            # A new mapping, because another thread may draw the old one.
            line.reports, line.step = {**kept, event.metric: number_text(event.value)}, event.step

    def _apply_finished(self, event: TrialFinished) -> None:
        self.running.pop((event.entity, event.number), None)
        self.finished.appendleft(event)
        self.counts[event.state] += 1
        if event.state in FINISHED:
            self.done += 1
            self._seconds += event.duration
            self._timed += 1


def headline(start: EntitiesStarted) -> str:
    """Returns a description of the run in one line."""
    entities = "1 entity" if start.entities == 1 else f"{start.entities} entities"
    at_once = "" if start.parallel == 1 else f", {start.parallel} at once"
    return f"{start.study}: {aims_text(start.objectives)}, {start.algorithm}, {entities}, {start.total} trials{at_once}"


def about_entities(end: EntitiesFinished) -> str:
    """Returns how many studies were ended by what, on one line."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(end.entities.items()))
