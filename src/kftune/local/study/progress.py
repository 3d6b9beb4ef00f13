"""Counts finished trials, keeps the best ones, and decides when a run is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from kftune.local.processes.process import INTERRUPTED
from kftune.local.study.events import StudyStarted
from kftune.local.study.plan import StudyPlan, counted
from kftune.local.study.stopping import Judge
from kftune.metrics.values import MetricValues
from kftune.results import FINISHED, SCORED, Front, Score, State, Trial, score_of
from kftune.results.records import UNSUCCESSFUL
from kftune.results.store import Store

Reason = Literal[
    "GoalReached",
    "MaxFailedReached",
    "MaxTrialsReached",
    "SearchSpaceExhausted",
    "WallClock",
    "StoppingRule",
    "SharedBudget",
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
        best: The best trial of the study; None while none has succeeded. With several objectives, the trial of the
            Pareto set that is the best in the first of them.
        pareto: With several objectives, the trials of the Pareto set.
    """

    state: OutcomeState
    reason: Reason
    message: str
    counts: dict[State, int]
    best: Trial | None
    pareto: tuple[Trial, ...] = ()

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
        again: The numbers of those that run again, and do not count until then.

    Attributes:
        finished: The number of trials that count against the budget.
        failed: The number of failed ones.
    """

    def __init__(
        self,
        plan: StudyPlan,
        store: Store,
        trials: Iterable[Trial],
        judge: Judge,
        again: Collection[int] = frozenset(),
    ) -> None:
        self._plan = plan
        self._judge = judge
        self._store = store
        self._objectives = plan.meta.objectives
        self._several = len(self._objectives) > 1
        self._states: dict[int, State] = {}
        self._front: Front[int] = Front([objective.direction for objective in self._objectives])
        self._goal: int | None = None
        self.finished = 0
        self.failed = 0
        for trial in trials:
            if trial.number in again:
                self._states[trial.number] = trial.state
            else:
                self.add(trial.number, trial.state, self.score(trial.objective, trial.metrics))

    def score(self, objective: float | None, metrics: Mapping[str, MetricValues]) -> Score | None:
        """Returns a trial's value of each objective; None if one of them is missing.

        Args:
            objective: The value of the first objective.
            metrics: What the trial reported.
        """
        return score_of(objective, metrics, self._objectives[1:])

    def add(self, number: int, state: State, score: Score | None) -> bool:
        """Counts a trial that has ended.

        Args:
            number: Its number.
            state: How it ended.
            score: Its value of each objective; None when it has none.

        Returns:
            Whether it is the best one now, or with several objectives in the Pareto set. Trials may end in any order;
            of equal ones, the one with the lowest number is the best.
        """
        self._states[number] = state
        self.finished += state in FINISHED
        self.failed += state in UNSUCCESSFUL
        if state not in SCORED or score is None:
            return False
        if self._goal is None and self._plan.reached(score):
            self._goal = number
        is_in_front = self._front.add(number, score)
        return is_in_front and (self._several or self._front.best() == number)

    def reached(self, *, exhausted: bool = False) -> Reason | None:
        """Returns what ends the run; None while nothing does.

        Args:
            exhausted: Whether the sampler has no further point.

        Source: katib, pkg/controller.v1beta1/experiment/util/status_util.go: first the goal, then failed trials, then
        the number of trials. Reasons that Katib does not have come last.
        """
        plan = self._plan
        if self._goal is not None:
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
        number = self._front.best()
        return None if number is None else self._store.trial(number)

    def pareto(self) -> tuple[Trial, ...]:
        """With several objectives, the trials of the Pareto set, the best in the first objective first."""
        return tuple(self._store.trial(number) for number in self._front.members()) if self._several else ()

    def found(self) -> dict[str, Any]:
        """The fields of an event: the best trial, and with several objectives the Pareto set."""
        best = self.best()
        return {
            "best": None if best is None else self._summary(best),
            "pareto": [self._summary(trial) for trial in self.pareto()] if self._several else None,
        }

    def _summary(self, trial: Trial) -> dict[str, Any]:
        metrics = counted(trial.metrics, self._plan.meta.metrics)
        return {"trial": trial.name, "objective": trial.objective, "metrics": metrics, "values": trial.point}

    def started(self, total: int, parallel: int) -> StudyStarted:
        """The event of a run that starts.

        Args:
            total: How many trials the study can have.
            parallel: How many run at the same time.
        """
        meta = self._store.meta
        return StudyStarted(
            study=meta.name,
            folder=str(self._store.folder.path),
            algorithm=meta.algorithm,
            seed=meta.run_seed,
            objective=meta.objective.name,
            direction=meta.direction,
            goal=meta.goal,
            max_trials=self._plan.meta.max_trials,
            total=total,
            parallel=parallel,
            wall_clock=self.wall_clock_left(),
            finished=self.finished,
            objectives=[objective._asdict() for objective in meta.objectives],
            **self.found(),
        )

    def outcome(self, reason: Reason) -> Outcome:
        """How the run ended."""
        best = self.best()
        failed = reason == "MaxFailedReached" or best is None
        state: OutcomeState = "Interrupted" if reason == "Interrupted" else "Failed" if failed else "Succeeded"
        counts = dict(sorted(Counter(self._states.values()).items()))
        return Outcome(state, reason, self._message(reason, best), counts, best=best, pareto=self.pareto())

    def stop_message(self, reason: Reason) -> str:
        """Why a trial that was still running is stopped."""
        return {
            "GoalReached": "stopped: another trial has reached the goal",
            "MaxFailedReached": "stopped: too many other trials have failed",
            "StoppingRule": "stopped: a stopping rule has ended the study",
            "WallClock": "stopped: the study's wall clock has run out",
            "SharedBudget": "stopped: the budget of all entities is used up",
            "Interrupted": "stopped: the run was interrupted; the next run starts it again with the same values",
        }.get(reason, "stopped: the study is over")

    def _message(self, reason: Reason, best: Trial | None) -> str:
        plan = self._plan
        none = "" if best is not None else "; no trial has succeeded"
        if reason == "GoalReached" and best is not None and self._goal is not None:
            return self._goal_message(self._store.trial(self._goal) if self._several else best)
        if reason == "MaxFailedReached":
            return (
                f"{self.failed} of {self.finished} trials have failed (max_failed={plan.max_failed}); kftune logs "
                f"shows what they printed. To resume, raise {plan.failed_hint}, or run them again with --retry-failed; "
                f"to start over, run with --fresh"
            )
        if reason == "MaxTrialsReached":
            return f"{self._have_finished()} (max_trials={plan.meta.max_trials}){none}"
        if reason == "SearchSpaceExhausted":
            found = "no further point was found that the constraints and the class accept"
            what = found if plan.restricted else "all points of the space were tried"
            return f"{what}, after {self.finished} trials{none}"
        if reason == "StoppingRule":
            return f"{self._judge.over()}; {self._have_finished()}{none}"
        if reason == "SharedBudget":
            return f"the budget of all entities is used up; {self._have_finished()}{none}"
        if reason == "WallClock":
            return f"the wall clock of {plan.wall_clock:g} s has run out after {self.finished} trials{none}"
        return f"interrupted after {self.finished} of {plan.meta.max_trials} trials; the same command resumes the run"

    def _have_finished(self) -> str:
        return "1 trial has finished" if self.finished == 1 else f"{self.finished} trials have finished"

    def _goal_message(self, trial: Trial) -> str:
        """Says which goals a trial has reached."""
        score = self.score(trial.objective, trial.metrics) or ()
        reached = [
            f"{objective.name}={value} (goal {objective.goal:g})"
            for objective, value in zip(self._objectives, score, strict=True)
            if objective.goal is not None
        ]
        goals = "the goal" if len(reached) == 1 else "all goals"
        return f"{trial.name} has reached {goals}: {', '.join(reached)}"
