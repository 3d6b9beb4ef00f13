"""`bandit`: ends trials if their best value is too far from the best of all trials at the same position."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from kftune.spec.part import PartError
from kftune.spec.quantities import NO_BOOL
from kftune.stopping.history import Histories, History
from kftune.stopping.rule import Delay, Reports, TrialRule, comes_due, is_due

Slack = Annotated[float, Field(ge=0), NO_BOOL]


class Bandit(TrialRule):
    """Ends a trial if its best value is further from the best value of all trials than a slack allows.

    Source: Azure Machine Learning, BanditPolicy.
    """

    kind: ClassVar[str] = "bandit"

    interval: Reports = 1
    """The rule is applied once in so many reports."""
    slack_factor: Slack | None = None
    """The slack as a share: when maximizing, a trial stops below best / (1 + slack_factor)."""
    slack_amount: Slack | None = None
    """The slack as a distance: when maximizing, a trial stops below best - slack_amount."""
    delay: Delay = 0
    """The rule is not applied before the report of this number."""

    def model_post_init(self, context: object, /) -> None:
        """Checks that there is one slack."""
        given = [name for name in ("slack_factor", "slack_amount") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "neither"
            raise PartError(
                f"bandit needs slack_factor or slack_amount, but got {found}; for example slack_factor: 0.1"
            )

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
        # The trial itself may lead: the limit is never better than the leader.
        leader = histories.leader_at(own.position)
        if leader is None:
            return ""
        limit = self.limit(leader, minimize=histories.minimize)
        if histories.better(own.best, limit) or own.best == limit:
            return ""
        return f"at report {own.count} its best value is {own.best:g}, worse than {limit:g} (best trial: {leader:g})"

    def limit(self, leader: float, *, minimize: bool) -> float:
        """Returns the worst value of a trial that continues.

        Azure's definition has values above 0 only. Below 0 this is its mirror image, so that the limit is never better
        than the leader: to maximize -loss means the same as to minimize loss.

        Args:
            leader: The best value of all trials.
            minimize: Whether lower values are better.
        """
        if self.slack_amount is not None:
            return leader + self.slack_amount if minimize else leader - self.slack_amount
        factor = 1 + (self.slack_factor or 0.0)
        return leader * factor if minimize == (leader >= 0) else leader / factor
