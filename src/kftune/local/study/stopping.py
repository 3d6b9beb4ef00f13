"""Applies the stopping rules of a study to its running trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from kftune.local.study.plan import counted
from kftune.metrics.values import MetricValues
from kftune.results import FINISHED, SCORED, Meta, State, Trial
from kftune.stopping import Histories, Report, Rule, StudyRule, TrialRule
from kftune.stopping.facts import EndedTrial, StudyFacts, TargetResult
from kftune.stopping.rules import key_of


class Stop(NamedTuple):
    """Why a trial stops before its end."""

    message: str
    counts: bool = True
    """Whether the value that the trial has reached counts."""


class Judge:
    """Hears what trials report, and says which of them, and when the study, should end.

    Args:
        rules: The study's rules.
        meta: The objective and the metrics.
        clock: Returns how long all runs of the study together took, in seconds.
    """

    def __init__(self, rules: Iterable[Rule], meta: Meta, clock: Callable[[], float]) -> None:
        rules = tuple(rules)
        self._meta = meta
        self._clock = clock
        self._of_trials = [rule for rule in rules if isinstance(rule, TrialRule)]
        self._of_study = [rule for rule in rules if isinstance(rule, StudyRule)]
        self._histories = Histories(meta.objective.name, minimize=meta.direction == "minimize")
        self._began: dict[int, float] = {}
        self._spent = 0.0
        self._ended: list[EndedTrial] = []
        self._over = ""

    def began(self, trial: int) -> None:
        """Notes that a trial runs.

        Args:
            trial: Its number.
        """
        if self._of_study:
            self._began[trial] = self._clock()

    def hear(self, trial: int, reports: Sequence[Report]) -> Stop | None:
        """Takes what a trial has reported; returns why it should stop, None while it may go on.

        Args:
            trial: Its number.
            reports: Its new reports.
        """
        stop = None
        for report in reports:
            self._histories.add(trial, report)
            stop = stop or self._judged(trial, report)
        return stop

    def _judged(self, trial: int, report: Report) -> Stop | None:
        for rule in self._of_trials:
            if report.metric == (rule.watches or self._histories.objective):
                why = rule.judge(trial, self._histories)
                if why:
                    return Stop(f"stopped early by {key_of(rule)}: {why}", rule.counts)
        return None

    def recall(self, trials: Iterable[Trial], curves: Callable[[int], Iterable[Report]] = lambda number: ()) -> None:
        """Takes the trials that earlier runs have ended.

        Args:
            trials: The trials.
            curves: Returns all reports of a trial, by its number.
        """
        if not self._of_trials and not self._of_study:
            return
        for trial in sorted(trials, key=lambda each: (each.ended or "", each.number)):
            self._spent += trial.duration or 0.0
            if trial.state not in FINISHED:
                continue
            for report in curves(trial.number):
                self._histories.add(trial.number, report)
            self.ended(trial.number, trial.state, trial.objective, trial.metrics, trial.duration or 0.0)

    def ended(
        self,
        trial: int,
        state: State,
        objective: float | None,
        values: Mapping[str, MetricValues],
        seconds: float,
    ) -> None:
        """Notes that a trial has ended.

        Args:
            trial: Its number.
            state: How it ended.
            objective: Its value of the objective that counts; None when it has none.
            values: Everything that it reported.
            seconds: How long it ran.
        """
        self._histories.end(trial, succeeded=state == "Succeeded")
        if self._of_study:
            reports = values[self._histories.objective].count if self._histories.objective in values else 0
            metrics = counted(values, self._meta.metrics)
            scored = objective if state in SCORED else None
            self._ended.append(EndedTrial(trial, scored, metrics, seconds, reports))
        self._settle(trial)

    def forget(self, trial: int) -> None:
        """Drops what a trial has reported, because it starts again; the time that it took still counts.

        Args:
            trial: Its number.
        """
        self._histories.forget(trial)
        self._settle(trial)

    def _settle(self, trial: int) -> None:
        began = self._began.pop(trial, None)
        if began is not None:
            self._spent += self._clock() - began

    def over(self) -> str:
        """Returns why the study is over; empty while it is not. Once it is, it stays so."""
        if not self._over and self._of_study:
            facts = self._facts()
            reasons = ((key_of(rule), rule.over(facts)) for rule in self._of_study)
            self._over = next((f"{key}: {why}" for key, why in reasons if why), "")
        return self._over

    def seconds_left(self) -> float | None:
        """Returns after how many seconds a rule may end the study without the end of a trial; None if none does."""
        if not self._of_study:
            return None
        facts = self._facts()
        left = [seconds for rule in self._of_study if (seconds := rule.seconds_left(facts)) is not None]
        return min(left, default=None)

    def targets(self) -> list[TargetResult]:
        """Returns the targets of the study, and which of them were met."""
        if not self._of_study:
            return []
        facts = self._facts()
        return [target for rule in self._of_study for target in rule.targets(facts)]

    def notes(self) -> list[str]:
        """Returns what the user should know of the rules that end trials, when the study is over."""
        found = []
        for rule in self._of_trials:
            name = rule.watches or self._meta.objective.name
            histories = [self._histories.of(number, name) for number, _ in self._histories.all()]
            most = max((history.count for history in histories), default=0)
            if most == 1 and rule.counts:
                found.append(
                    f"stopping: {key_of(rule)} could stop nothing early, because each trial reported {name} once; "
                    f"report it after each epoch, with kftune.report({name}=..., step=...)"
                )
            elif most and not any(map(rule.can_judge, histories)):
                found.append(
                    f"stopping: {key_of(rule)} has judged no trial, because none reported {name} more than {most} "
                    f"times; its settings begin later"
                )
        return found

    def _facts(self) -> StudyFacts:
        now = self._clock()
        running = sum(now - began for began in self._began.values())
        return StudyFacts(self._histories, self._ended, self._spent + running, len(self._began), now)
