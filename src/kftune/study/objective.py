"""What counts in a study, and how far it goes: metrics, the objective, the budget."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from kftune.errors import MetricError
from kftune.metrics import check_metric_name
from kftune.metrics.definition import MetricDefinition
from kftune.spec.part import Part, PartError
from kftune.spec.quantities import Seconds

Direction = Literal["minimize", "maximize"]
Reduce = Literal["min", "max", "latest"]


@lru_cache(256)
def _metric_name(value: str) -> str:
    try:
        check_metric_name(value)
    except MetricError as error:
        raise PartError(str(error)) from error
    return value


MetricName = Annotated[str, AfterValidator(_metric_name)]


def _regex(value: str | None, info: ValidationInfo) -> str | None:
    if value is not None:
        try:
            MetricDefinition(info.data.get("name") or info.data.get("metric") or "loss", value)
        except MetricError as error:
            raise PartError(str(error)) from error
    return value


MetricRegex = Annotated[str | None, AfterValidator(_regex)]


class MetricSpec(Part):
    """A metric that trials report."""

    name: MetricName
    """Its name in the metric line, or the name to give to what `regex` finds."""
    reduce: Reduce | None = None
    """Which of a trial's values counts: the least, the greatest or the latest."""
    regex: MetricRegex = None
    """For scripts that print their own format: a pattern with one group, the value."""


class Objective(Part):
    """What a study tries to make small or large."""

    metric: MetricName
    """The metric's name."""
    direction: Direction
    """Whether less or more is better."""
    goal: float | None = None
    """The study ends when a trial gets there."""
    reduce: Reduce | None = None
    """Which of a trial's values counts; left out, the best one (min or max by direction)."""
    regex: MetricRegex = None
    """For scripts that print their own format: a pattern with one group, the value."""

    @property
    def reduction(self) -> Reduce:
        """Which of a trial's values counts."""
        return self.reduce or ("min" if self.direction == "minimize" else "max")

    def better(self, value: float, than: float | None) -> bool:
        """Whether `value` beats `than`; the first of two equal ones stays the best."""
        if than is None:
            return True
        return value < than if self.direction == "minimize" else value > than

    def reached(self, value: float) -> bool:
        """Whether `value` is as good as the goal."""
        if self.goal is None:
            return False
        return value <= self.goal if self.direction == "minimize" else value >= self.goal


class Budget(Part):
    """How far a study goes."""

    max_trials: int = Field(10, ge=1)
    """Trials in all."""
    parallel: int = Field(1, ge=1)
    """Trials at once."""
    max_failed: int | None = Field(None, ge=0)
    """The study fails when so many trials have failed or reported no objective (or all, if fewer); left out, 3."""
    trial_timeout: Seconds | None = None
    """The longest that one trial may take."""
    wall_clock: Seconds | None = None
    """The longest that the study may take."""

    def model_post_init(self, context: object, /) -> None:
        """Checks what the fields by themselves cannot."""
        if self.parallel > self.max_trials:
            raise PartError(
                f"parallel must be at most max_trials, but parallel={self.parallel} and max_trials={self.max_trials}",
                ("parallel",),
            )

    @property
    def failures_allowed(self) -> int:
        """The number of failed trials that ends the study as failed."""
        return min(3 if self.max_failed is None else self.max_failed, self.max_trials)
