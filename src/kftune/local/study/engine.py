"""Parts of a run of a study: starts trials, hears them, stores their results, and says when the study is over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.listener import Listener
from kftune.local.samplers import Sampler, Suggestion
from kftune.local.study.audience import Audience
from kftune.local.study.events import OnEvent, StudyFinished, now
from kftune.local.study.failure import end_state
from kftune.local.study.pauses import Pauses, with_last_reports
from kftune.local.study.plan import StudyPlan
from kftune.local.study.progress import Outcome, Progress, Reason
from kftune.local.study.retries import Ended, Retries, Retry
from kftune.local.study.running import RunningTrial
from kftune.local.study.stopping import Judge, Stop
from kftune.local.study.telling import Telling
from kftune.local.study.trials import Trials
from kftune.results import SCORED, Origin, State, Trial, TrialEnd, TrialStart
from kftune.results.store import Store

# When the sampler takes longer than this to answer, ended trials are stored before it is asked.
_QUICK_ANSWER = 0.01


class StudyEngine:
    """One study, or one Experiment, that runs. What calls it has the loop: `StudyAlone`, or one for several studies.

    Args:
        plan: What ends the run, and how trials are read.
        store: Where results go; it has those of earlier runs.
        sampler: What to try; it knows earlier trials.
        trials: How trials start.
        interrupts: Counts Ctrl-C and requests to stop.
        emit: Called with each event.
        retry_failed: Whether trials of earlier runs run again that failed or reported no objective.
        listener: Listens to the trials of several studies; None for a study that runs alone.

    Attributes:
        running: The trials that run now.
    """

    def __init__(
        self,
        plan: StudyPlan,
        store: Store,
        sampler: Sampler,
        trials: Trials,
        interrupts: Interrupts,
        emit: OnEvent | None = None,
        *,
        retry_failed: bool = False,
        listener: Listener[RunningTrial] | None = None,
    ) -> None:
        self._plan = plan
        self._store = store
        self._sampler = sampler
        self._trials = trials
        self._interrupts = interrupts
        self._audience = Audience(emit, interrupts)
        self._telling = Telling(store, self._audience if emit else None)
        trials.runner.tell = self._telling.note
        trials.runner.patience.asked_to_stop = lambda: interrupts.count > 0
        store.wait_with(trials.runner.patience.hold)
        self._origin = store.meta.origin(trials.code, trials.revision)
        self._judge = Judge(plan.rules, store.meta, lambda: store.active_seconds)
        earlier = with_last_reports(store, plan)
        self._again = Retries(plan.retries, plan.smaller, sampler, earlier, failed_too=retry_failed)
        self._judge.recall(store, earlier, self._again.numbers)
        self._pauses = Pauses(self._judge, sampler, earlier)
        self._progress = Progress(plan, store, earlier, self._judge, self._again.numbers)
        self._next_number = store.next_number()
        self._exhausted = False
        self._answer_seconds = 0.0
        self._listener: Listener[RunningTrial] = Listener(interrupts) if listener is None else listener
        self._began = 0.0
        self.running: set[RunningTrial] = set()

    # -- the parts of a run --------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Tells of the start."""
        self._began = time.monotonic()
        total = self._sampler.total(self._plan.meta.max_trials)
        self._telling.now(lambda: self._progress.started(total, self._trials.parallel))
        for note in (*self._trials.notes, *self._sampler.notes):
            self._telling.note(note)

    def over(self) -> Reason | None:
        """Returns what ends the study now; None while nothing does."""
        if self._interrupts.count:
            return "Interrupted"
        waits = self.running or self._again or self._pauses
        return self._progress.reached(exhausted=self._exhausted and not waits)

    @property
    def places(self) -> int:
        """How many trials there are, with those that start again."""
        return self.taken + len(self._again)

    @property
    def starts_again(self) -> bool:
        """Whether a trial waits that starts again."""
        return bool(self._again)

    @property
    def failed(self) -> int:
        """How many trials have failed."""
        return self._progress.failed

    @property
    def taken(self) -> int:
        """How many trials have a place in the budget: those that have ended, run or wait."""
        return self._progress.finished + len(self.running) + len(self._pauses)

    def seconds_left(self) -> float | None:
        """Returns after how many seconds the study may be over without the end of a trial; None if none."""
        return self._progress.seconds_left()

    def start_next(self, *, more: bool = True) -> bool:
        """Starts a trial if one may start now; returns whether it does.

        Args:
            more: Whether it may be one that takes a place in the budget.
        """
        if len(self.running) >= self._trials.parallel or not self._may_start():
            return False
        paused = self._pauses.next()
        if paused is not None:
            self._go_on(paused)
        elif not more or not self._may_start_more():
            return False
        elif self._again:
            self._start_again()
        else:
            return self._start_new()
        return True

    @property
    def trial_seconds(self) -> float:
        """How long all trials took, with all their tries and with those that run."""
        return self._judge.trial_seconds

    def stop(self, reason: Reason) -> None:
        """Asks the running trials to end."""
        message = self._progress.stop_message(reason)
        for running in self.running:
            running.stopped = message
            running.process.stop()

    def settle(self) -> None:
        """Writes ended trials to disk, and the time that all trials took."""
        self._store.trial_seconds = self._judge.trial_seconds
        self._telling.settle()

    def conclude(self, reason: Reason) -> Outcome:
        """Stores and tells what ended the study; returns the outcome."""
        for note in (*self._judge.notes(), *self._again.notes()):
            self._telling.note(note)
        targets = [target._asdict() for target in self._judge.targets()]
        self._store.conclude(reason, targets)
        outcome = self._progress.outcome(reason)
        self._telling.now(
            lambda: StudyFinished(
                state=outcome.state,
                reason=outcome.reason,
                message=outcome.message,
                counts=outcome.counts,
                **self._progress.found(),
                seconds=time.monotonic() - self._began,
                targets=targets,
            )
        )
        return outcome

    # -- starting ------------------------------------------------------------------------------------------------

    def _may_start(self) -> bool:
        return not self._interrupts.count and not self._progress.reached()

    def _may_start_more(self) -> bool:
        return self.taken < self._plan.meta.max_trials and not self._exhausted and self._may_start()

    def _go_on(self, trial: Trial) -> None:
        self._store.folder.move_aside(trial.name, trial.attempt, only_log=True)
        reported = trial.metrics.get(self._plan.meta.objective.name)
        # Without rules, the judge knows no reports.
        position = self._judge.let_go(trial.number) or (reported and reported.step) or 1
        self._again.promoted(trial.number, position)
        suggestion = Suggestion(trial.point, trial.assignment, trial.point)
        self._start(trial.number, trial.attempt + 1, suggestion, self._origin_of(trial), before=trial)

    def _origin_of(self, trial: Trial) -> Origin:
        return trial.origin._replace(code=self._origin.code, revision=self._origin.revision)

    def _start_again(self) -> None:
        trial, suggestion = self._again.next()
        self._store.folder.move_aside(trial.name, trial.attempt)
        self._start(trial.number, trial.attempt + 1, suggestion, self._origin_of(trial))

    def _start_new(self) -> bool:
        if self._answer_seconds > _QUICK_ANSWER:
            self.settle()
        number, asked = self._next_number, time.perf_counter()
        suggestion = self._sampler.ask(number)
        self._answer_seconds = time.perf_counter() - asked
        if suggestion is None:
            # The end of a running trial may bring new points.
            self._exhausted = not self.running and not self._pauses
            return False
        self._next_number += 1
        self._trials.prepare(self._store.name(number))
        self._start(number, 1, suggestion, suggestion.origin(self._origin))
        return True

    def _start(
        self, number: int, attempt: int, suggestion: Suggestion, origin: Origin, *, before: Trial | None = None
    ) -> None:
        """Starts a trial; with `before` it goes on in its output folder."""
        name, goes_on = self._store.name(number), self._again.of(number).promoted if before else None
        reader, gpus = self._plan.reader(name), self._trials.devices.take()
        running = RunningTrial(
            study=self, number=number, suggestion=suggestion, reader=reader, gpus=gpus, watch=self._again.watch()
        )
        if before is not None:
            reader.restore(before, self._store.curves(number))
            running.seconds_before = before.duration or 0.0
        problem = ""
        pid = pid_started = None
        try:
            process = self._trials.start(
                name, suggestion.assignment, self._telling.feeder(running), gpus, goes_on=goes_on
            )
            running.process = process
            pid, pid_started = process.pid, process.started
        except (OSError, ValueError) as error:
            self._store.check_place()
            problem = f"the program could not be started: {error}"
        else:
            self._listener.add(running)
            self.running.add(running)
            self._judge.began(number)
        # A kill before the next line leaves a process that the store does not know. `remove_leftovers` finds it by its
        # environment.
        start = TrialStart(
            number=number,
            attempt=attempt,
            assignment=suggestion.assignment,
            point=suggestion.point,
            started=now(),
            origin=origin,
            pid=pid,
            pid_started=pid_started,
            retried=self._again.of(number),
            goes_on=before is not None,
        )
        self._store.start(start)
        self._telling.started(start, gpus)
        if problem:
            self._trials.devices.give_back(running.gpus)
            self._end(running, "Failed", problem, running.seconds_before, None)

    # -- listening -----------------------------------------------------------------------------------------------

    def heard(self, running: RunningTrial) -> None:
        """Takes note of what a trial has printed, or that it has ended."""
        self._judge_reports(running)
        if running.process.returncode is not None:
            self._finish(running)

    def look(self, running: RunningTrial) -> None:
        """Looks for the reports of a trial that writes them elsewhere."""
        for metric in running.reader.look():
            self._telling.metric(running, metric)
        self._judge_reports(running)

    def _judge_reports(self, running: RunningTrial) -> None:
        """Asks a trial to end that its reader, or a stopping rule, gives up."""
        if running.early is None:
            reader = running.reader
            early = self._judge.hear(running.number, reader.reports())
            if early is not None and early.pauses and running.process.returncode is not None:
                early = None  # it has reached its end
            running.early = early or (Stop(reader.stop, rule=reader.stop_rule) if reader.stop else None)
        if running.early is not None:
            running.process.stop()

    # -- ending ------------------------------------------------------------------------------------------------

    def _finish(self, running: RunningTrial) -> None:
        process = running.process
        self.running.discard(running)
        self._trials.devices.give_back(running.gpus)
        running.reader.close()
        running.stopped = running.stopped or running.reader.given_up
        running.hear_last(self._judge.hear(running.number, running.reader.reports()))
        log = self._store.folder.log(self._store.name(running.number))
        duration, code = running.seconds_before + process.ended - process.began, process.returncode
        if running.pauses and not process.timed_out:
            self._pause(running, duration, code)
            return
        if running.stopped:
            self._end(running, "Killed", running.stopped, duration, code)
            return
        state, message = end_state(self._plan, process, running.reader, log)
        if running.early is not None and not process.timed_out:
            state, message = "EarlyStopped", running.early.message
        if state == "Failed":
            ended = Ended(process, running.watch, log, message)
            found = self._again.after(running.number, running.suggestion, ended)
            if isinstance(found, Retry):
                self._retry(running, found, duration, code)
                return
            message = found
        self._end(running, state, message, duration, code)

    def _retry(self, running: RunningTrial, retry: Retry, duration: float, code: int | None) -> None:
        """Lets a trial start again. Until then it is stored as one that was cut short, with the counts of its retries.

        A kill right here leaves a trial that the next run starts again, with the same counts.
        """
        self._store_end(running, "Killed", retry.message, duration, code)
        trial = self._store.trial(running.number)
        self._judge.forget(trial.number)
        self._pauses.begins_again(trial.number, running.suggestion)
        self._again.add(trial, retry)
        self._progress.add(trial.number, trial.state, None)
        self._telling.retries(trial, retry)

    def _pause(self, running: RunningTrial, duration: float, code: int | None) -> None:
        """Lets a trial wait, unless it has reached the goal. It does not count as finished."""
        number, message = running.number, running.early.message if running.early else ""
        score = self._progress.score(running.objective, running.reader.values)
        if score is not None and self._plan.reached(score):
            self._end(running, "EarlyStopped", message, duration, code)
            return
        ending = self._store_end(running, "Paused", message, duration, code)
        self._pauses.add(self._store.trial(number))
        self._pauses.tell(number, score)
        self._progress.add(number, "Paused", None)
        self._telling.paused(number, ending)

    def end_paused(self) -> None:
        """Ends the trials that wait, since none of them can go on any more."""
        for trial, ending in self._pauses.end():
            self._store.end(trial.number, ending)
            self._telling.end()
            self._ended(trial.number, trial.point, ending)

    def _store_end(
        self, running: RunningTrial, state: State, message: str, duration: float, code: int | None
    ) -> TrialEnd:
        ending = TrialEnd(
            state=state,
            metrics=running.reader.values,
            objective=running.objective,
            ended=now(),
            duration=round(duration, 6),
            exit_code=code,
            message=message,
            retried=self._again.of(running.number),
            stopped_by=running.early.rule if running.early and state in ("EarlyStopped", "Paused") else "",
        )
        self._store.end(running.number, ending, running.reader.curves)
        self._telling.end()
        running.reader.ended(state)
        return ending

    def _end(self, running: RunningTrial, state: State, message: str, duration: float, code: int | None) -> None:
        """Stores how a trial ended; `_settle` writes it to disk and emits the event."""
        ending = self._store_end(running, state, message, duration, code)
        self._ended(running.number, running.suggestion.point, ending)

    def _ended(self, number: int, point: Mapping[str, Any], ending: TrialEnd) -> None:
        """Tells all parts of the run of a trial's end, which is stored."""
        state = ending.state
        score = self._progress.score(ending.objective, ending.metrics)
        self._judge.ended(number, state, ending.objective, ending.metrics, ending.duration)
        self._pauses.tell(number, score if state in SCORED else None)
        is_best = self._progress.add(number, state, score)
        finished, metrics = self._progress.finished, self._plan.meta.metrics
        self._telling.finished(number, point, ending, metrics, is_best=is_best, finished=finished)
