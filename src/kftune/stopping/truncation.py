"""`truncation`: ends the worst of the trials that have come as far."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from kftune.spec.quantities import NO_BOOL
from kftune.stopping.history import Histories, History
from kftune.stopping.rule import Delay, Reports, TrialRule, comes_due, is_due


class Truncation(TrialRule):
    """Ends a trial if its value is among the worst of all trials at the same position, the given share of them.

    Equal values count as equally good: if all are equal, none is stopped.

    Source: Azure Machine Learning, TruncationSelectionPolicy.
    """

    kind: ClassVar[str] = "truncation"

    interval: Reports = 1
    """The rule is applied once in so many reports."""
    percentage: Annotated[int, Field(ge=1, le=99), NO_BOOL]
    """The share of trials that is stopped, from 1 to 99 percent."""
    delay: Delay = 0
    """The rule is not applied before the report of this number."""
    exclude_finished: bool = False
    """Whether to compare with running trials only."""

    def can_judge(self, history: History) -> bool:
        """Whether a trial has come far enough for the rule to judge it at least once."""
        return comes_due(history.count, self.interval, self.delay)

    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop now; empty while it may go on.

        Args:
            trial: The number of the trial.
            histories: What all trials have reported so far, this report included.
        """
        own = histories.of(trial)
        if not own.values or not is_due(own.count, self.interval, self.delay):
            return ""
        value = own.values[-1]
        values = self._running(histories, own.position) if self.exclude_finished else histories.values_at(own.position)
        compared = len(values)  # the trial is one of them
        not_better = compared - bisect_left(values, value) if histories.minimize else bisect_right(values, value)
        if not_better * 100 > compared * self.percentage:
            return ""
        return (
            f"at report {own.count} its value is {value:g}, among the worst {self.percentage} % of the {compared} "
            f"trials that have come as far"
        )

    def _running(self, histories: Histories, position: int) -> Sequence[float]:
        """Returns the values of the running trials that reach a position, in ascending order."""
        values = (each.value_at(position) for each in histories.running() if each.reaches(position))
        return sorted(value for value in values if value is not None)
