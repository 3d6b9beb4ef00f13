"""Trials that wait at a rung of a stopping rule, until they are among the best there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from kftune.local.samplers import Sampler, Suggestion
from kftune.local.study.events import now
from kftune.local.study.plan import StudyPlan
from kftune.local.study.stopping import Judge
from kftune.results import Score, Trial, TrialEnd
from kftune.results.store import Store

_CHUNK = 1 << 16


class Pauses:
    """The trials of a run that wait, and what the algorithm has heard of them.

    The algorithm hears of a trial once: when it pauses for the first time, of its value so far. Most trials wait until
    the study ends, and the algorithm needs their values before that.

    Args:
        judge: Knows which trials may go on.
        sampler: The algorithm.
        trials: The trials of earlier runs.
    """

    def __init__(self, judge: Judge, sampler: Sampler, trials: Iterable[Trial]) -> None:
        self._judge = judge
        self._sampler = sampler
        self._waiting = {trial.number: trial for trial in trials if trial.goes_on}
        self._told = set(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, trial: Trial) -> None:
        """Lets a trial wait.

        Args:
            trial: The trial, as it is stored.
        """
        self._waiting[trial.number] = trial
        self._judge.paused(trial.number)

    def next(self) -> Trial | None:
        """Returns the trial that goes on next; None if no one may."""
        found = self._judge.promotable(self._waiting) if self._waiting else ()
        return self._waiting.pop(found[0]) if found else None

    def end(self) -> list[tuple[Trial, TrialEnd]]:
        """Returns the trials that wait, with their ends; no one waits afterwards."""
        trials, self._waiting = list(self._waiting.values()), {}
        return [(trial, self._end(trial)) for trial in trials]

    def _end(self, trial: Trial) -> TrialEnd:
        return TrialEnd(
            state="EarlyStopped",
            metrics=trial.metrics,
            objective=trial.objective,
            ended=now(),
            duration=trial.duration or 0.0,
            exit_code=trial.exit_code,
            message=self._judge.why_waits(trial.number),
            retried=trial.retried,
            stopped_by=trial.stopped_by,
        )

    def tell(self, number: int, score: Score | None) -> None:
        """Tells the algorithm of a trial that has ended or waits, unless it knows.

        Args:
            number: The trial.
            score: Its value of each objective; None when it has none.
        """
        if number not in self._told:
            self._told.add(number)
            self._sampler.tell_score(number, score)

    def begins_again(self, number: int, suggestion: Suggestion) -> None:
        """Lets the algorithm wait for the result of a trial that starts from the beginning.

        Args:
            number: The trial.
            suggestion: Its values so far.
        """
        if number in self._told:
            self._told.remove(number)
            self._sampler.repeat(number, suggestion.drawn)


def with_last_reports(store: Store, plan: StudyPlan) -> list[Trial]:
    """Returns the trials of earlier runs, when what a killed run has not stored of them is stored.

    A trial that went on may have written a checkpoint and reported more before the run was killed. It goes on from that
    checkpoint, so its reports must not get lost; they are in its log.

    Args:
        store: The results.
        plan: Makes the readers of trials.
    """
    trials = store.trials()
    cut_short = [trial for trial in trials if trial.goes_on and trial.state == "Running"]
    for trial in cut_short:
        reader = plan.reader(trial.name)
        reader.restore(trial, store.curves(trial.number))
        with suppress(FileNotFoundError), store.folder.log(trial.name).open("rb") as file:
            while line := file.readline(_CHUNK):
                if line.endswith(b"\n") or len(line) == _CHUNK:  # a last line may be cut off
                    reader.feed(line)
        reader.close()
        ending = TrialEnd(
            state="Killed",
            metrics=reader.values,
            objective=reader.objective,
            ended=now(),
            duration=trial.duration or 0.0,
            exit_code=None,
            message="the run was killed; the trial goes on when it is its turn",
            retried=trial.retried,
            stopped_by=trial.stopped_by,
        )
        store.end(trial.number, ending, reader.curves)
    return store.trials() if cut_short else trials
