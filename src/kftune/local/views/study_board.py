"""The state of a running study, updated by events, for the views."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kftune.local.study.events import (
    Event,
    MetricReported,
    StudyFinished,
    StudyStarted,
    TrialFinished,
    TrialPaused,
    TrialRetries,
    TrialStarted,
)
from kftune.local.views.formatting import number_text
from kftune.metrics.targets import TargetResult
from kftune.results import FINISHED, Front, State

_SHOWN_FINISHED = 5
MOST_OF_PARETO = 10
"""Trials of the Pareto set that a view shows."""


@dataclass(slots=True)
class TrialLine:
    """A running trial."""

    trial: str
    values: dict[str, Any]
    began: float
    """Monotonic clock."""
    reports: dict[str, str] = field(default_factory=dict)
    """The latest reports of the objectives; of another metric before there is one."""
    step: int | None = None

    @property
    def metric(self) -> str:
        """The latest reports on one line, such as ``val_loss=0.31``."""
        return " ".join(f"{name}={text}" for name, text in self.reports.items())


class StudyBoard:
    """The state of a running study.

    Attributes:
        study: The event that began the run; None before that.
        running: Number -> running trial.
        finished: The last trials that ended, the latest first.
        best: The best trial so far: trial, objective, metrics, values; None while there is none. With several
            objectives, the best in the first one.
        pareto: With several objectives, the Pareto set so far: name of each trial -> the same.
        counts: State -> number of trials that ended in this run.
        end: The event that ended the run; None before that.
        done: The number of finished trials, with those of earlier runs.
    """

    def __init__(self) -> None:
        self.study: StudyStarted | None = None
        self.running: dict[int, TrialLine] = {}
        self.finished: deque[TrialFinished] = deque(maxlen=_SHOWN_FINISHED)
        self.best: dict[str, Any] | None = None
        self.pareto: dict[str, dict[str, Any]] = {}
        self.counts: Counter[State] = Counter()
        self.end: StudyFinished | None = None
        self.done = 0
        self._front: Front[str] = Front(())
        self._began = time.monotonic()
        self._seconds = 0.0
        self._timed = 0

    def apply(self, event: Event) -> None:
        """Updates the state from one event."""
        match event:
            case StudyStarted():
                self.study, self.best, self.done = event, event.best, event.finished
                self._front = Front([each["direction"] for each in event.objectives])
                for trial in event.pareto or ():
                    self._add_to_pareto(trial)
            case TrialStarted():
                self.running[event.number] = TrialLine(event.trial, event.values, time.monotonic())
            case MetricReported():
                self._apply_metric(event)
            case TrialRetries() | TrialPaused():
                self.running.pop(event.number, None)
            case TrialFinished():
                self._apply_finished(event)
            case StudyFinished():
                self.end, self.best = event, event.best
                self.pareto = {trial["trial"]: trial for trial in event.pareto or ()}

    @property
    def objectives(self) -> list[str]:
        """The names of the objectives, when there are several."""
        return several_objectives(self.study)

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
        names = self.objectives or [self.study.objective if self.study else event.metric]
        if line is None:
            return
        kept = {name: text for name, text in line.reports.items() if name in names}
        if event.metric in names or not kept:
            # A new mapping, because another thread may draw the old one.
            line.reports, line.step = {**kept, event.metric: number_text(event.value)}, event.step

    def _apply_finished(self, event: TrialFinished) -> None:
        self.running.pop(event.number, None)
        self.finished.appendleft(event)
        self.counts[event.state] += 1
        self.done = event.finished
        if event.state in FINISHED:
            self._seconds += event.duration
            self._timed += 1
        if event.is_best:
            found = {name: getattr(event, name) for name in ("trial", "objective", "metrics", "values")}
            if self.objectives:
                self._add_to_pareto(found)
            else:
                self.best = found

    def _add_to_pareto(self, trial: dict[str, Any]) -> None:
        self.pareto[trial["trial"]] = trial
        self._front.add(trial["trial"], tuple(trial["metrics"][name] for name in self.objectives))
        self.pareto = {name: self.pareto[name] for name in self._front.members()}
        self.best = next(iter(self.pareto.values()))


def headline(study: StudyStarted) -> str:
    """Returns a description of the study in one line."""
    sought = aims_text(
        study.objectives or [{"name": study.objective, "direction": study.direction, "goal": study.goal}]
    )
    at_once = "" if study.parallel == 1 else f", {study.parallel} at once"
    trials = f"{study.total} trials"
    if study.total < study.max_trials:
        trials += f" (all points; the budget is {study.max_trials})"
    return f"{study.study}: {sought}, {study.algorithm} with seed {study.seed}, {trials}{at_once}"


def aims_text(objectives: Sequence[Mapping[str, Any]]) -> str:
    """Returns the objectives of a study on one line: ``minimize loss (goal 0.1)``."""
    return ", ".join(f"{aim['direction']} {aim['name']}{_goal(aim['goal'])}" for aim in objectives)


def targets(end: StudyFinished) -> list[str]:
    """Returns a line for each target of the study: ``accuracy at least 0.95: not met (0.91)``."""
    found = (TargetResult(**target) for target in end.targets)
    return [f"{target.name} {target.bounds}: {target.result}" for target in found]


def pareto_headline(count: int) -> str:
    """Returns the line above the trials of the Pareto set."""
    trials = f"{count} trial{'' if count == 1 else 's'}"
    return f"Pareto set: {trials} (no other trial is as good in every objective and better in one)"


def several_objectives(study: StudyStarted | None) -> list[str]:
    """Returns the names of the objectives; nothing when there is one only."""
    objectives = [] if study is None else study.objectives
    return [each["name"] for each in objectives] if len(objectives) > 1 else []


def _goal(goal: float | None) -> str:
    return "" if goal is None else f" (goal {number_text(goal)})"
