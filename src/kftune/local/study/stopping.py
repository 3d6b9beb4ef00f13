"""Applies the stopping rules of a study to its running trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kftune.results import State
from kftune.stopping import Histories, Report, Rule, StudyRule, TrialRule


class Stop(NamedTuple):
    """Why a trial stops before its end."""

    message: str
    counts: bool = True
    """Whether the value that the trial has reached counts."""


class Judge:
    """Hears what trials report, and says which of them, and when the study, should end.

    Args:
        rules: The study's rules.
        objective: The name of the objective.
        minimize: Whether lower values are better.
    """

    def __init__(self, rules: Iterable[Rule], objective: str, *, minimize: bool) -> None:
        rules = tuple(rules)
        self._of_trials = [rule for rule in rules if isinstance(rule, TrialRule)]
        self._of_study = [rule for rule in rules if isinstance(rule, StudyRule)]
        self._histories = Histories(objective, minimize=minimize)

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
                    return Stop(f"stopped early by {rule.kind}: {why}", rule.counts)
        return None

    def recall(self, trial: int, reports: Iterable[Report], state: State) -> None:
        """Takes a trial that an earlier run has finished.

        Args:
            trial: Its number.
            reports: All its reports.
            state: How it ended.
        """
        for report in reports:
            self._histories.add(trial, report)
        self.ended(trial, state)

    def ended(self, trial: int, state: State) -> None:
        """Notes that a trial has ended.

        Args:
            trial: Its number.
            state: How it ended.
        """
        self._histories.end(trial, succeeded=state == "Succeeded")

    def forget(self, trial: int) -> None:
        """Drops what a trial has reported, because it starts again."""
        self._histories.forget(trial)

    def over(self) -> str:
        """Returns why the study is over; empty while it is not."""
        for rule in self._of_study:
            why = rule.over(self._histories)
            if why:
                return f"{rule.kind}: {why}"
        return ""
