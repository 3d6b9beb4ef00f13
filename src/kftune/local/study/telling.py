"""Tells of a running study: emits its events, those about an end only when it is on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kftune.local.study.events import (
    Event,
    MetricReported,
    Note,
    OnEvent,
    TrialFinished,
    TrialPaused,
    TrialRetries,
    TrialStarted,
)
from kftune.local.study.plan import counted
from kftune.local.study.retries import Retry
from kftune.local.study.running import RunningTrial
from kftune.results import TrackedMetric, Trial, TrialEnd, TrialStart
from kftune.results.store import Store

_BETWEEN_REPORTS = 0.5


class Telling:
    """The events of one run.

    Args:
        store: Its results.
        emit: Called with each event; None if nobody wants to know.
    """

    def __init__(self, store: Store, emit: OnEvent | None) -> None:
        self._store = store
        self._emit = emit
        self._unsaid: list[Callable[[], Event]] = []
        self._unsynchronised = False

    def now(self, event: Callable[[], Event]) -> None:
        """Emits an event."""
        if self._emit is not None:
            self._emit(event())

    def note(self, text: str) -> None:
        """Emits a note."""
        self.now(lambda: Note(text))

    def end(self) -> None:
        """Notes that the end of a trial was stored, which `settle` writes to the disk."""
        self._unsynchronised = True

    def settle(self) -> None:
        """Writes ended trials to disk, then emits the events that waited for that.

        The next trial is already running by then, so the wait for the disk costs little.
        """
        if self._unsynchronised:
            self._store.synchronise()
            self._unsynchronised = False
        unsaid, self._unsaid = self._unsaid, []
        for event in unsaid:
            self.now(event)

    def started(self, start: TrialStart, gpus: tuple[str, ...]) -> None:
        """Tells later that a trial runs.

        Args:
            start: What is stored of its start.
            gpus: The devices that it has.
        """
        name = self._store.name(start.number)
        self._unsaid.append(
            lambda: TrialStarted(
                trial=name,
                number=start.number,
                attempt=start.attempt,
                values=start.point,
                log=str(self._store.folder.log(name)),
                gpus=gpus,
                goes_on=start.goes_on,
            )
        )

    def retries(self, trial: Trial, retry: Retry) -> None:
        """Tells later that another try of a trial follows.

        Args:
            trial: The trial, as it is stored.
            retry: The next try.
        """
        self._unsaid.append(lambda: TrialRetries(trial.name, trial.number, trial.attempt, retry.message, retry.kind))

    def paused(self, number: int, ending: TrialEnd) -> None:
        """Tells later that a trial waits.

        Args:
            number: The trial.
            ending: How its part has ended.
        """
        self._unsaid.append(
            lambda: TrialPaused(
                trial=self._store.name(number),
                number=number,
                objective=ending.objective,
                duration=round(ending.duration, 3),
                message=ending.message,
            )
        )

    def finished(
        self,
        number: int,
        point: Mapping[str, Any],
        ending: TrialEnd,
        metrics: Sequence[TrackedMetric],
        *,
        is_best: bool,
        finished: int,
    ) -> None:
        """Tells later that a trial has ended.

        Args:
            number: The trial.
            point: Its values.
            ending: How it has ended.
            metrics: The metrics to tell of.
            is_best: Whether it is the best one now.
            finished: How many trials have ended.
        """
        self._unsaid.append(
            lambda: TrialFinished(
                trial=self._store.name(number),
                number=number,
                state=ending.state,
                objective=ending.objective,
                metrics=counted(ending.metrics, metrics),
                values=dict(point),
                duration=round(ending.duration, 3),
                exit_code=ending.exit_code,
                message=ending.message,
                is_best=is_best,
                finished=finished,
            )
        )

    def feeder(self, running: RunningTrial) -> Callable[[bytes], object]:
        """Returns what takes the output of a trial."""
        feed = running.reader.feed
        if self._emit is None:
            return feed

        def feed_and_emit(chunk: bytes) -> None:
            for metric in feed(chunk):
                self.metric(running, metric)

        return feed_and_emit

    def metric(self, running: RunningTrial, metric: str) -> None:
        """Tells of a report, but not of each one.

        Args:
            running: The trial.
            metric: What it has reported.
        """
        moment = time.monotonic()
        if moment - running.reported.get(metric, -_BETWEEN_REPORTS) < _BETWEEN_REPORTS:
            return
        running.reported[metric] = moment
        values = running.reader.latest(metric)
        if values is not None:
            self.now(
                lambda: MetricReported(
                    trial=self._store.name(running.number),
                    number=running.number,
                    metric=metric,
                    value=float(values.latest),
                    text=values.latest,
                    step=values.step,
                )
            )
