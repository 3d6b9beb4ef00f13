"""`hyperband`: successive halving in several brackets, of which some stop trials early and some late."""

from __future__ import annotations

from typing import ClassVar

from kftune.spec.part import PartError
from kftune.stopping.history import Histories, History
from kftune.stopping.rule import TrialRule
from kftune.stopping.rungs import Factor, Ladder, Resource


class Hyperband(TrialRule):
    """Ends trials as `asha` does, in all brackets that fit between both resources.

    The bracket of a trial follows from its number. In the first bracket trials are stopped from min_resource on, in the
    last one hardly ever, so a trial that begins slowly has a chance there.

    Source: Li et al., Hyperband, algorithm 1, for the number of brackets and their shares; rungs as in `asha`.
    """

    kind: ClassVar[str] = "hyperband"

    min_resource: Resource = 1
    """The position of the first rung of the first bracket."""
    max_resource: Resource
    """The position at which a trial has all it needs: no rung is there or after it."""
    reduction_factor: Factor = 3
    """Of the trials that reach a rung, one in so many goes on; the next rung is at so many times the position."""

    def model_post_init(self, context: object, /) -> None:
        """Checks that there is a rung between both resources."""
        if self.max_resource < self.min_resource * self.reduction_factor:
            least = self.min_resource * self.reduction_factor
            raise PartError(
                f"hyperband needs two brackets or more: max_resource must be {least} or more (min_resource times "
                f"reduction_factor), but got {self.max_resource}",
                ("max_resource",),
            )

    @property
    def ladder(self) -> Ladder:
        """The rungs."""
        ladder = Ladder(self.min_resource, self.reduction_factor, self.max_resource)
        return ladder._replace(brackets=ladder.most_brackets)

    def can_judge(self, history: History) -> bool:
        """Whether a trial has come far enough for the rule to judge it at least once."""
        return history.position >= self.min_resource

    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop now; empty while it may go on.

        Args:
            trial: The number of the trial.
            histories: What all trials have reported so far, this report included.
        """
        return self.ladder.judge(trial, histories)
