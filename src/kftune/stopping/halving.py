"""The base class of the rules that halve the trials at each rung, `asha` and `hyperband`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

from kftune.stopping.history import Histories, History
from kftune.stopping.rule import TrialRule
from kftune.stopping.rungs import Factor, Ladder, Resource


class Halving(TrialRule):
    """Judges trials at the rungs of a ladder."""

    type: Literal["stopping", "promotion"] = "stopping"
    """`stopping` ends a trial that is not among the best at a rung. `promotion` lets it wait there with its checkpoint;
    it goes on in the same output folder once it is among the best."""
    min_resource: Resource = 1
    """The position of the first rung; with brackets, of the first one."""
    reduction_factor: Factor = 3
    """Of the trials that reach a rung, one in so many goes on; the next rung is at so many times the position."""

    @property
    @abstractmethod
    def ladder(self) -> Ladder:
        """The rungs."""

    @property
    def pauses_at(self) -> Ladder | None:
        """The rungs at which trials wait; None if they end there."""
        return self.ladder if self.type == "promotion" else None

    def can_judge(self, history: History) -> bool:
        """Whether a trial has come far enough for the rule to judge it at least once."""
        return history.position >= self.min_resource

    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop now; empty while it may go on.

        Args:
            trial: The number of the trial.
            histories: What all trials have reported so far, this report included.
        """
        return "" if self.type == "promotion" else self.ladder.judge(trial, histories)
