"""The state of a running study, updated by events, for the views."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from kftune.local.study.events import (
    Event,
    MetricReported,
    StudyFinished,
    StudyStarted,
    TrialFinished,
    TrialRetries,
    TrialStarted,
)
from kftune.local.views.formatting import number_text
from kftune.results import FINISHED, State
from kftune.stopping.facts import TargetResult

_SHOWN_FINISHED = 5


@dataclass(slots=True)
class TrialLine:
    """A running trial."""

    trial: str
    values: dict[str, Any]
    began: float
    """Monotonic clock."""
    metric: str = ""
    """The latest report, such as ``val_loss=0.31``."""
    step: int | None = None


class StudyBoard:
    """The state of a running study.

    Attributes:
        study: The event that began the run; None before that.
        running: Number -> running trial.
        finished: The last trials that ended, the latest first.
        best: The best trial so far: trial, objective, metrics, values; None while there is none.
        counts: State -> number of trials that ended in this run.
        end: The event that ended the run; None before that.
        done: The number of finished trials, with those of earlier runs.
    """

    def __init__(self) -> None:
        self.study: StudyStarted | None = None
        self.running: dict[int, TrialLine] = {}
        self.finished: deque[TrialFinished] = deque(maxlen=_SHOWN_FINISHED)
        self.best: dict[str, Any] | None = None
        self.counts: Counter[State] = Counter()
        self.end: StudyFinished | None = None
        self.done = 0
        self._began = time.monotonic()
        self._seconds = 0.0
        self._timed = 0

    def apply(self, event: Event) -> None:
        """Updates the state from one event."""
        match event:
            case StudyStarted():
                self.study, self.best, self.done = event, event.best, event.finished
            case TrialStarted():
                self.running[event.number] = TrialLine(event.trial, event.values, time.monotonic())
            case MetricReported():
                self._apply_metric(event)
            case TrialRetries():
                self.running.pop(event.number, None)
            case TrialFinished():
                self._apply_finished(event)
            case StudyFinished():
                self.end, self.best = event, event.best

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float | None:
        """An estimate of the remaining seconds, from the mean duration so far; None while it is unknown.

        Each waiting trial is given to the slot that is free first. Nothing is known of trials that take longer than the
        mean.
        """
        if self.study is None or not self._timed:
            return None
        mean, now = self._seconds / self._timed, time.monotonic()
        slots = [max(0.0, mean - (now - line.began)) for line in list(self.running.values())]
        waiting = self.study.total - self.done - len(slots)
        slots = sorted(slots + [0.0] * (self.study.parallel - len(slots)))
        rounds, rest = divmod(max(0, waiting), len(slots))
        left = rounds * mean + max([slots[-1], *(slot + mean for slot in slots[:rest])])
        wall = self.study.wall_clock
        left = left if wall is None else min(left, max(0.0, wall - self.elapsed))
        return left or None

    def _apply_metric(self, event: MetricReported) -> None:
        line = self.running.get(event.number)
        objective = self.study.objective if self.study else event.metric
        if line is not None and (event.metric == objective or not line.metric.startswith(f"{objective}=")):
            line.metric, line.step = f"{event.metric}={number_text(event.value)}", event.step

    def _apply_finished(self, event: TrialFinished) -> None:
        self.running.pop(event.number, None)
        self.finished.appendleft(event)
        self.counts[event.state] += 1
        self.done = event.finished
        if event.state in FINISHED:
            self._seconds += event.duration
            self._timed += 1
        if event.is_best:
            self.best = {name: getattr(event, name) for name in ("trial", "objective", "metrics", "values")}


def headline(study: StudyStarted) -> str:
    """Returns a description of the study in one line."""
    goal = "" if study.goal is None else f" (goal {number_text(study.goal)})"
    at_once = "" if study.parallel == 1 else f", {study.parallel} at once"
    trials = f"{study.total} trials"
    if study.total < study.max_trials:
        trials += f" (all points; the budget is {study.max_trials})"
    return (
        f"{study.study}: {study.direction} {study.objective}{goal}, {study.algorithm} with seed {study.seed}, "
        f"{trials}{at_once}"
    )


def targets(end: StudyFinished) -> list[str]:
    """Returns a line for each target of the study: ``accuracy at least 0.95: not met (0.91)``."""
    found = (TargetResult(**target) for target in end.targets)
    return [f"{target.name} {target.bounds}: {target.result}" for target in found]
