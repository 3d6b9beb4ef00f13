"""`threshold`: ends trials that leave the range in which a result is of use."""

from __future__ import annotations

from typing import ClassVar

from kftune.spec.part import PartError
from kftune.spec.quantities import Number
from kftune.stopping.history import Histories, History
from kftune.stopping.rule import Delay, TrialRule


class Threshold(TrialRule):
    """Ends a trial that reports a value above or below a limit: one that diverges, or takes too long.

    Its values do not count: the trial cannot be the best one, and the algorithm hears that it has no result.
    """

    kind: ClassVar[str] = "threshold"
    counts: ClassVar[bool] = False

    above: Number | None = None
    """A trial stops when it reports more than this."""
    below: Number | None = None
    """A trial stops when it reports less than this."""
    metric: str | None = None
    """The metric to watch: the objective if none is given, or one of the study's metrics."""
    delay: Delay = 0
    """The rule is not applied before the report of this number."""

    def model_post_init(self, context: object, /) -> None:
        """Checks that there is a limit, and a value that both allow."""
        if self.above is None and self.below is None:
            raise PartError("threshold needs above or below, but got neither; for example above: 10")
        if self.above is not None and self.below is not None and self.below > self.above:
            raise PartError(
                f"each value is above {self.above:g} or below {self.below:g}, so every trial would stop; below must "
                f"not be greater than above",
                ("below",),
            )

    @property
    def watches(self) -> str | None:
        """The metric after whose reports the rule judges; None for the objective."""
        return self.metric

    def can_judge(self, history: History) -> bool:
        """Whether a trial has come far enough for the rule to judge it at least once."""
        return history.count >= max(self.delay, 1)

    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop now; empty while it may go on.

        Args:
            trial: The number of the trial.
            histories: What all trials have reported so far, this report included.
        """
        own = histories.of(trial, self.metric)
        if not own.values or own.count < self.delay:
            return ""
        value, name = own.values[-1], self.metric or histories.objective
        if self.above is not None and value > self.above:
            return f"{name}={value:g} is above {self.above:g}, so its results do not count"
        if self.below is not None and value < self.below:
            return f"{name}={value:g} is below {self.below:g}, so its results do not count"
        return ""
