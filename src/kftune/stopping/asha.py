"""`asha`: asynchronous successive halving, which stops all but the best trials at each rung."""

from __future__ import annotations

from typing import ClassVar

from kftune.spec.part import PartError
from kftune.stopping.history import Histories, History
from kftune.stopping.rule import Reports, TrialRule
from kftune.stopping.rungs import Factor, Ladder, Resource


class Asha(TrialRule):
    """Ends a trial that is not among the best at a rung: at min_resource, and at each multiple by the factor.

    A trial is judged when it reaches a rung, and does not wait for others. The resource is the step that the script
    reports; without steps, the number of the report.

    Source: Optuna, SuccessiveHalvingPruner; Li et al., A system for massively parallel hyperparameter tuning.
    """

    kind: ClassVar[str] = "asha"

    min_resource: Resource = 1
    """The position of the first rung."""
    max_resource: Resource | None = None
    """The position at which a trial has all it needs: no rung is there or after it. None for no limit."""
    reduction_factor: Factor = 3
    """Of the trials that reach a rung, one in so many goes on; the next rung is at so many times the position."""
    brackets: Reports = 1
    """The trials are shared among so many brackets, each of which begins one rung later."""

    def model_post_init(self, context: object, /) -> None:
        """Checks that the rungs fit between both resources."""
        if self.max_resource is None:
            return
        if self.max_resource <= self.min_resource:
            raise PartError(
                f"max_resource must be above min_resource, but {self.max_resource} is not above {self.min_resource}",
                ("max_resource",),
            )
        most = self.ladder.most_brackets
        if self.brackets > most:
            raise PartError(
                f"from {self.min_resource} to {self.max_resource} there are at most {most} brackets with a "
                f"reduction_factor of {self.reduction_factor}, but got {self.brackets}",
                ("brackets",),
            )

    @property
    def ladder(self) -> Ladder:
        """The rungs."""
        return Ladder(self.min_resource, self.reduction_factor, self.max_resource, self.brackets)

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
