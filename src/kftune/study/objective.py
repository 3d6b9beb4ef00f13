"""The metrics, the objective and the budget of a study."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from kftune.metrics import check_metric_name
from kftune.metrics.definition import MetricDefinition
from kftune.spec.part import Part, PartError, located
from kftune.spec.quantities import Seconds

Direction = Literal["minimize", "maximize"]
Reduce = Literal["min", "max", "latest"]


@lru_cache(256)
def _metric_name(value: str) -> str:
    with located():
        check_metric_name(value)
    return value


MetricName = Annotated[str, AfterValidator(_metric_name)]


def _regex(value: str | None, info: ValidationInfo) -> str | None:
    if value is not None:
        with located():
            MetricDefinition(info.data.get("name") or info.data.get("metric") or "loss", value)
    return value


MetricRegex = Annotated[str | None, AfterValidator(_regex)]


class MetricSpec(Part):
    """A metric that trials report."""

    name: MetricName
    """Its name in the metric line, or the name for the value that `regex` finds."""
    reduce: Reduce | None = None
    """Which value of a trial is used: the lowest, the highest or the latest."""
    regex: MetricRegex = None
    """For scripts that print another format: a pattern with one group, the value."""


class Objective(Part):
    """The metric that a study minimizes or maximizes."""

    metric: MetricName
    """The name of the metric."""
    direction: Direction
    """Whether lower or higher values are better."""
    goal: float | None = None
    """The study ends when a trial reaches this value."""
    reduce: Reduce | None = None
    """Which value of a trial is used; default: the best one (min or max, by direction)."""
    regex: MetricRegex = None
    """For scripts that print another format: a pattern with one group, the value."""

    @property
    def reduction(self) -> Reduce:
        """Which value of a trial is used."""
        return self.reduce or ("min" if self.direction == "minimize" else "max")


class Budget(Part):
    """The limits of a study."""

    max_trials: int = Field(10, ge=1)
    """Number of trials."""
    parallel: int = Field(1, ge=1)
    """Trials at the same time."""
    max_failed: int | None = Field(None, ge=0)
    """The study fails when this many trials (or all, if fewer) failed or reported no objective; default: 3."""
    trial_timeout: Seconds | None = None
    """Longest duration of one trial. On a cluster it counts from the start of the trial's pods on their nodes, for a
    TrainJob from its creation."""
    wall_clock: Seconds | None = None
    """Longest duration of the study."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        if self.parallel > self.max_trials:
            raise PartError(
                f"parallel must be at most max_trials, but parallel={self.parallel} and max_trials={self.max_trials}",
                ("parallel",),
            )

    @property
    def failures_allowed(self) -> int:
        """The number of failed trials that ends the study as failed."""
        return min(3 if self.max_failed is None else self.max_failed, self.max_trials)
