"""What a view of a running study shows, kept up to date by events. No drawing here."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kftune.local.study.events import (
    Event,
    MetricReported,
    Note,
    StudyFinished,
    StudyStarted,
    TrialFinished,
    TrialStarted,
)
from kftune.results import FINISHED, State

_SHOWN_FINISHED = 5
_LONGEST_TEXT = 40


@dataclass(slots=True)
class Row:
    """A trial that runs."""

    trial: str
    values: dict[str, Any]
    began: float
    """Monotonic clock."""
    metric: str = ""
    """The latest report, such as ``val_loss=0.31``."""
    step: int | None = None


class Board:
    """The state of a run as its events tell it.

    Attributes:
        study: How the run began; None before that.
        running: Number -> trial that runs.
        finished: The last trials that ended, the latest first.
        best: The best trial so far: trial, objective, metrics, values; None while there is none.
        notes: What the user should know.
        counts: State -> number of trials that ended in this run.
        end: How the run ended; None before that.
    """

    def __init__(self) -> None:
        self.study: StudyStarted | None = None
        self.running: dict[int, Row] = {}
        self.finished: deque[TrialFinished] = deque(maxlen=_SHOWN_FINISHED)
        self.best: dict[str, Any] | None = None
        self.notes: list[str] = []
        self.counts: Counter[State] = Counter()
        self.end: StudyFinished | None = None
        self.done = 0
        self._began = time.monotonic()
        self._seconds = 0.0
        self._timed = 0

    def apply(self, event: Event) -> None:
        """Takes in one event."""
        match event:
            case StudyStarted():
                self.study, self.best, self.done = event, event.best, event.finished
            case TrialStarted():
                self.running[event.number] = Row(event.trial, event.values, time.monotonic())
            case MetricReported():
                self._take_metric(event)
            case TrialFinished():
                self._take_finished(event)
            case StudyFinished():
                self.end, self.best = event, event.best
            case Note():
                self.notes.append(event.message)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float | None:
        """About how many seconds the rest takes, from the mean duration so far; None while that is unknown."""
        if self.study is None or not self._timed:
            return None
        mean, now = self._seconds / self._timed, time.monotonic()
        spent = sum(min(now - row.began, mean) for row in list(self.running.values()))
        left = ((self.study.max_trials - self.done) * mean - spent) / self.study.parallel
        wall = self.study.wall_clock
        return max(0.0, left if wall is None else min(left, wall - self.elapsed))

    def _take_metric(self, event: MetricReported) -> None:
        row = self.running.get(event.number)
        objective = self.study.objective if self.study else event.metric
        if row is not None and (event.metric == objective or not row.metric.startswith(f"{objective}=")):
            row.metric, row.step = f"{event.metric}={number(event.value)}", event.step

    def _take_finished(self, event: TrialFinished) -> None:
        self.running.pop(event.number, None)
        self.finished.appendleft(event)
        self.counts[event.state] += 1
        self.done = event.finished
        if event.state in FINISHED:
            self._seconds += event.duration
            self._timed += 1
        if event.is_best:
            self.best = {
                "trial": event.trial,
                "objective": event.objective,
                "metrics": event.metrics,
                "values": event.values,
            }


def number(value: float) -> str:
    """A number to look at: four significant digits, or all of an integer's."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"


def shown(value: object) -> str:
    """A hyperparameter's value to look at, on one line."""
    if isinstance(value, float):
        return number(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() and text else json.dumps(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def assignments(values: Mapping[str, Any]) -> str:
    """Hyperparameters on one line: ``lr=0.001 units=64``."""
    return " ".join(f"{name}={shown(value)}" for name, value in values.items())


def clock(seconds: float) -> str:
    """A duration to look at: ``0.4 s``, ``12 s``, ``3:05``, ``1:02:30``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def headline(study: StudyStarted) -> str:
    """What the study is, in one line."""
    goal = "" if study.goal is None else f" (goal {number(study.goal)})"
    at_once = "" if study.parallel == 1 else f", {study.parallel} at once"
    return (
        f"{study.study}: {study.direction} {study.objective}{goal}, {study.algorithm} with seed {study.seed}, "
        f"{study.max_trials} trials{at_once}"
    )
