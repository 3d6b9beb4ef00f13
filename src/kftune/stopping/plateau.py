"""`plateau`: ends trials that have stopped to become better."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kftune.spec.part import PartError
from kftune.spec.quantities import NO_BOOL
from kftune.stopping.history import Histories, History
from kftune.stopping.rule import Delay, Reports, TrialRule


class Plateau(TrialRule):
    """Ends a trial whose last reports have not made its best value better. It compares with no other trial."""

    kind: ClassVar[str] = "plateau"

    patience: Reports
    """The number of last reports in which the best value must have become better."""
    min_delta: Annotated[float, Field(ge=0), NO_BOOL] = 0.0
    """A change that is not greater than this is none."""
    metric: str | None = None
    """The metric to watch: the objective if none is given, or one of the study's metrics."""
    direction: Literal["minimize", "maximize"] | None = None
    """Whether lower or higher values of `metric` are better; for the objective the study says so."""
    delay: Delay = 0
    """The rule is not applied before the report of this number."""

    def model_post_init(self, context: object, /) -> None:
        """Checks that the direction is known once."""
        if self.metric is not None and self.direction is None:
            raise PartError(
                f"plateau needs direction with a metric: minimize if lower values of {self.metric} are better, "
                f"otherwise maximize"
            )
        if self.metric is None and self.direction is not None:
            raise PartError("direction belongs to metric; the direction of the objective is that of the study")

    @property
    def watches(self) -> str | None:
        """The metric after whose reports the rule judges; None for the objective."""
        return self.metric

    def can_judge(self, history: History) -> bool:
        """Whether a trial has come far enough for the rule to judge it at least once."""
        return history.count > self.patience and history.count >= self.delay

    def judge(self, trial: int, histories: Histories) -> str:
        """Returns why a trial should stop now; empty while it may go on.

        Args:
            trial: The number of the trial.
            histories: What all trials have reported so far, this report included.
        """
        own = histories.of(trial, self.metric)
        minimize = histories.minimize if self.direction is None else self.direction == "minimize"
        bests = own.bests(minimize=minimize)
        if own.count < self.delay or len(bests) <= self.patience:
            return ""
        earlier, best = bests[-self.patience - 1], bests[-1]
        if (earlier - best if minimize else best - earlier) > self.min_delta:
            return ""
        name = self.metric or histories.objective
        return f"its best {name} has been {earlier:g} for {self.patience} reports"
