"""`median`: Katib's medianstop, which stops a trial that is worse than an average of the trials before it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import ClassVar

from kftune.stopping.history import Histories, History
from kftune.stopping.rule import Reports, TrialRule


class Median(TrialRule):
    """Ends a trial if its best value is worse than the average of the succeeded trials.

    It looks once, at the report of the number `start_step`. The limit is the mean over all succeeded trials of the mean
    of their first `start_step` values. This is what Katib's medianstop computes, which is not a median in spite of its
    name; `percentile` with `keep: 50` compares with a median.

    Source: katib v0.19.0, pkg/earlystopping/v1beta1/medianstop/service.py;
        cmd/metricscollector/v1beta1/file-metricscollector/main.go: the best value so far is compared.
    """

    kind: ClassVar[str] = "median"

    min_trials: Reports = 3
    """The number of succeeded trials before which no trial is stopped."""
    start_step: Reports = 4
    """The number of the report at which a trial is judged; so many first reports of the other trials count."""

    def can_judge(self, history: History) -> bool:
        """Whether a trial has come far enough for the rule to judge it at least once."""
        return history.count >= self.start_step

    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop now; empty while it may go on.

        Args:
            trial: The number of the trial.
            histories: What all trials have reported so far, this report included.
        """
        own = histories.of(trial)
        if own.best is None or own.count != self.start_step:
            return ""
        limit = self.limit(other.mean_of_first(self.start_step) for other in histories.others(trial) if other.ended)
        if limit is None or not isfinite(limit) or not histories.better(limit, own.best):
            return ""
        return (
            f"at report {own.count} its best value is {own.best:g}, worse than {limit:g}, the mean of the "
            f"succeeded trials"
        )

    def limit(self, means: Iterable[float | None]) -> float | None:
        """Returns the mean of the means of succeeded trials; None while there are too few.

        Args:
            means: The mean of the first reports of each; None if its reports are not known.
        """
        total, count = 0.0, 0
        for mean in means:
            if mean is not None:
                total, count = total + mean, count + 1
        return total / count if count >= self.min_trials else None
