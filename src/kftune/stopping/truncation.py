"""`truncation`: ends the worst trials of those that have come as far."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kftune.spec.quantities import NO_BOOL
from kftune.stopping.history import Histories
from kftune.stopping.rule import Delay, Reports, TrialRule, is_due


class Truncation(TrialRule):
    """Ends a trial whose value is among the worst of all trials at the same position, the given share of them.

    Equal values count as equally good: if all are equal, none is stopped.

    Source: Azure Machine Learning, TruncationSelectionPolicy.
    """

    kind: ClassVar[str] = "truncation"

    interval: Reports = 1
    """The rule is applied at every report whose number is a multiple of this."""
    percentage: Annotated[int, Field(ge=1, le=99), NO_BOOL]
    """The share of trials that is stopped, from 1 to 99 percent."""
    delay: Delay = 0
    """The rule is not applied before the report of this number."""
    exclude_finished: bool = False
    """Whether to compare with running trials only."""

    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop now; empty while it may go on."""
        own = histories.of(trial)
        if not own.values or not is_due(own.count, self.interval, self.delay):
            return ""
        value = own.values[-1]
        others = [
            each
            for other in histories.others(trial)
            if other.reaches(own.position)
            and (other.running or not self.exclude_finished)
            and (each := other.value_at(own.position)) is not None
        ]
        compared = len(others) + 1
        not_better = compared - sum(histories.better(each, value) for each in others)
        if not_better * 100 > compared * self.percentage:
            return ""
        return (
            f"after {own.count} reports its value is {value:g}, among the worst {self.percentage} % of the {compared} "
            f"trials that have come as far"
        )
