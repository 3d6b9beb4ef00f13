"""`percentile`: ends trials that are worse than most of the succeeded trials at the same position."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Annotated, ClassVar

from pydantic import Field

from kftune.spec.quantities import NO_BOOL
from kftune.stopping.history import Histories, History
from kftune.stopping.rule import Delay, Reports, TrialRule, comes_due, is_due


class Percentile(TrialRule):
    """Ends a trial if its best value is not among the best share of the succeeded trials' values at the same position.

    With `keep: 50` the limit is their median.

    Source: Optuna, PercentilePruner; the interval counts from the first report here, not from the delay.
    """

    kind: ClassVar[str] = "percentile"

    keep: Annotated[float, Field(gt=0, lt=100), NO_BOOL]
    """The share of trials that continue, in percent."""
    interval: Reports = 1
    """The rule is applied once in so many reports."""
    delay: Delay = 0
    """The rule is not applied before the report of this number."""
    min_trials: Reports = 5
    """The number of succeeded trials with a report at the position before which no trial is stopped."""

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
        if own.best is None or not is_due(own.count, self.interval, self.delay):
            return ""
        values = histories.values_at(own.position, succeeded=True)
        if len(values) < self.min_trials:
            return ""
        limit = percentile(values, self.keep if histories.minimize else 100 - self.keep)
        if not isfinite(limit) or not histories.better(limit, own.best):
            return ""
        return (
            f"at report {own.count} its best value is {own.best:g}, worse than {limit:g}, the limit of the best "
            f"{self.keep:g} % of the succeeded trials"
        )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Returns a percentile, interpolated between the two nearest values as NumPy does.

    Args:
        ordered: At least one value, in ascending order.
        percent: From 0 to 100.
    """
    place = (len(ordered) - 1) * (percent / 100)
    below = int(place)
    share, low = place - below, ordered[below]
    high = ordered[min(below + 1, len(ordered) - 1)]
    # The form that is exact at both ends.
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
