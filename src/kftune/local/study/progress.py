"""Counts finished trials, keeps the best one, and decides when a run is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from kftune.local.processes.process import INTERRUPTED
from kftune.local.study.plan import StudyPlan, counted
from kftune.local.study.stopping import Judge
from kftune.results import FINISHED, SCORED, State, Trial
from kftune.results.records import UNSUCCESSFUL
from kftune.results.store import Store

Reason = Literal[
    "GoalReached",
    "MaxFailedReached",
    "MaxTrialsReached",
    "SearchSpaceExhausted",
    "WallClock",
    "StoppingRule",
    "Interrupted",
]
"""What ends a run."""

OutcomeState = Literal["Succeeded", "Failed", "Interrupted"]


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        state: Succeeded, Failed (too many failed trials, or none succeeded) or Interrupted.
        reason: What ended it.
        message: The reason as a sentence.
        counts: State -> number of trials.
        best: The best trial of the study; None while none has succeeded.
    """

    state: OutcomeState
    reason: Reason
    message: str
    counts: dict[State, int]
    best: Trial | None

    @property
    def exit_code(self) -> int:
        """The exit code for a command: 0 done, 1 failed, 130 interrupted."""
        return {"Succeeded": 0, "Failed": 1, "Interrupted": INTERRUPTED}[self.state]


class Progress:
    """Counts the trials of a run.

    Args:
        plan: What ends the run.
        store: Its results.
        trials: The trials of earlier runs.
        judge: Knows whether a stopping rule ends the study.

    Attributes:
        finished: The number of trials that count against the budget.
        failed: The number of failed ones.
    """

    def __init__(self, plan: StudyPlan, store: Store, trials: Iterable[Trial], judge: Judge) -> None:
        self._plan = plan
        self._judge = judge
        self._store = store
        self._states: dict[int, State] = {}
        self._best: tuple[float, int] | None = None
        self.finished = 0
        self.failed = 0
        for trial in trials:
            self.add(trial.number, trial.state, trial.objective)

    def add(self, number: int, state: State, objective: float | None) -> bool:
        """Counts a trial that has ended.

        Args:
            number: Its number.
            state: How it ended.
            objective: Its value of the objective; None when it has none.

        Returns:
            Whether it is the best one now.
        """
        self._states[number] = state
        self.finished += state in FINISHED
        self.failed += state in UNSUCCESSFUL
        if state not in SCORED or objective is None:
            return False
        best = None if self._best is None else self._best[0]
        if self._best is not None and best == objective:
            # Trials may end in any order; of equal ones, the one with the lowest number is the best.
            self._best = (objective, min(number, self._best[1]))
        elif self._plan.better(objective, best):
            self._best = (objective, number)
        return self._best is not None and self._best[1] == number

    def reached(self, *, exhausted: bool = False) -> Reason | None:
        """Returns what ends the run; None while nothing does.

        Args:
            exhausted: Whether the sampler has no further point.

        Source: katib, pkg/controller.v1beta1/experiment/util/status_util.go: first the goal, then failed trials, then
        the number of trials. Reasons that Katib does not have come last.
        """
        plan = self._plan
        if self._best is not None and plan.reached(self._best[0]):
            return "GoalReached"
        if self.failed and plan.max_failed is not None and self.failed >= plan.max_failed:
            return "MaxFailedReached"
        if self.finished >= plan.meta.max_trials:
            return "MaxTrialsReached"
        if exhausted:
            return "SearchSpaceExhausted"
        if self._judge.over():
            return "StoppingRule"
        left = self.wall_clock_left()
        return "WallClock" if left is not None and left <= 0 else None

    def wall_clock_left(self) -> float | None:
        """Seconds left of the wall clock, over all runs; None when it has none."""
        limit = self._plan.wall_clock
        return None if limit is None else limit - self._store.active_seconds

    def seconds_left(self) -> float | None:
        """Seconds until the study may be over without the end of a trial; None if time does not end it."""
        left = [seconds for seconds in (self.wall_clock_left(), self._judge.seconds_left()) if seconds is not None]
        return min(left, default=None)

    def best(self) -> Trial | None:
        """The best trial; None while none has succeeded."""
        return None if self._best is None else self._store.trial(self._best[1])

    def best_summary(self) -> dict[str, Any] | None:
        """The best trial, for an event: trial, objective, metrics, values."""
        best = self.best()
        if best is None:
            return None
        metrics = counted(best.metrics, self._plan.meta.metrics)
        return {"trial": best.name, "objective": best.objective, "metrics": metrics, "values": best.point}

    def outcome(self, reason: Reason) -> Outcome:
        """How the run ended."""
        best = self.best()
        failed = reason == "MaxFailedReached" or best is None
        state: OutcomeState = "Interrupted" if reason == "Interrupted" else "Failed" if failed else "Succeeded"
        counts = dict(sorted(Counter(self._states.values()).items()))
        return Outcome(state, reason, self._message(reason, best), counts, best)

    def stop_message(self, reason: Reason) -> str:
        """Why a trial that was still running is stopped."""
        return {
            "GoalReached": "stopped: another trial has reached the goal",
            "MaxFailedReached": "stopped: too many other trials have failed",
            "StoppingRule": "stopped: a stopping rule has ended the study",
            "WallClock": "stopped: the study's wall clock has run out",
            "Interrupted": "stopped: the run was interrupted; the next run starts it again with the same values",
        }.get(reason, "stopped: the study is over")

    def _message(self, reason: Reason, best: Trial | None) -> str:
        plan = self._plan
        none = "" if best is not None else "; no trial has succeeded"
        if reason == "GoalReached" and best is not None:
            name, goal = plan.meta.objective.name, plan.meta.goal
            return f"{best.name} has reached the goal: {name}={best.objective} (goal {goal:g})"
        if reason == "MaxFailedReached":
            return (
                f"{self.failed} of {self.finished} trials have failed (max_failed={plan.max_failed}); kftune logs "
                f"shows what they printed. To resume, raise {plan.failed_hint}; to start over, run with --fresh"
            )
        if reason == "MaxTrialsReached":
            return f"{self.finished} trials have finished (max_trials={plan.meta.max_trials}){none}"
        if reason == "SearchSpaceExhausted":
            return f"all points of the space were tried, after {self.finished} trials{none}"
        if reason == "StoppingRule":
            return f"{self._judge.over()}; {self.finished} trials have finished{none}"
        if reason == "WallClock":
            return f"the wall clock of {plan.wall_clock:g} s has run out after {self.finished} trials{none}"
        return f"interrupted after {self.finished} of {plan.meta.max_trials} trials; the same command resumes the run"
