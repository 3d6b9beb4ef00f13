"""The metrics, the objective and the budget of a study."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from kftune.metrics import check_metric_name
from kftune.metrics.curves import LEAST, MOST
from kftune.metrics.definition import MetricDefinition
from kftune.spec.part import Part, PartError, located
from kftune.spec.quantities import NO_BOOL, Count, Money, Number, Seconds
from kftune.study.retries import NO_RETRIES, RetryBudget

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
    reduce: Reduce = "latest"
    """Which value of a trial is used: the lowest, the highest or the latest."""
    regex: MetricRegex = None
    """For scripts that print another format: a pattern with one group, the value."""


class Objective(Part):
    """A metric that a study minimizes or maximizes."""

    metric: MetricName
    """The name of the metric."""
    direction: Direction
    """Whether lower or higher values are better."""
    goal: Number | None = None
    """The study ends when a trial reaches this value; with several objectives, all goals that are given."""
    reduce: Reduce | None = None
    """Which value of a trial is used; default: the best one (min or max, by direction)."""
    regex: MetricRegex = None
    """For scripts that print another format: a pattern with one group, the value."""

    @property
    def reduction(self) -> Reduce:
        """Which value of a trial is used."""
        return self.reduce or ("min" if self.direction == "minimize" else "max")


def _or_none(retries: Any) -> Any:
    """Returns what a study without `retries` has for null, with which an override switches them off."""
    return NO_RETRIES if retries is None else retries


def _limit(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"limit": value}
    if isinstance(value, Mapping | CostLimit):
        return value
    raise PartError(f"must be a sum such as 50, or a mapping with limit and per_hour, but got {value!r}")


class CostLimit(Part):
    """What all trials of a study may cost together."""

    limit: Money
    """The sum, in the currency of the prices."""
    per_hour: Money | None = None
    """What one hour of one trial costs; default: what its resources cost by the price table, ``prices.yaml``."""


CostLimitField = Annotated[CostLimit, BeforeValidator(_limit, json_schema_input_type=Money | CostLimit)]
"""`CostLimit`, or its sum alone."""


class Budget(Part):
    """The limits of a study."""

    max_trials: Count = Field(10, ge=1)
    """Number of trials."""
    parallel: Count = Field(1, ge=1)
    """Trials at the same time; at most max_trials are."""
    max_failed: Annotated[int, Field(ge=0), NO_BOOL] | None = None
    """The study fails when this many trials (or all, if fewer) failed or reported no objective; default: 3."""
    trial_timeout: Seconds | None = None
    """Longest duration of one trial. On a cluster it counts from the start of the trial's pods on their nodes, for a
    TrainJob from its creation."""
    wall_clock: Seconds | None = None
    """Longest duration of the study, on this machine; Katib has none."""
    max_cost: CostLimitField | None = None
    """What all trials may cost together, on this machine; Katib has no such limit. A number is the limit."""
    retries: Annotated[RetryBudget, BeforeValidator(_or_none, json_schema_input_type=RetryBudget | None)] = NO_RETRIES
    """How often a trial runs again after a failure, the loss of its node, or for want of memory; null: never."""
    metrics_per_trial: Count = Field(MOST, ge=LEAST)
    """Reports of each metric of a trial to keep, on this machine; of more, evenly spaced ones are kept."""

    @property
    def at_once(self) -> int:
        """The number of trials at the same time: `parallel`, but no more than there are."""
        return min(self.parallel, self.max_trials)

    @property
    def failures_allowed(self) -> int:
        """The number of failed trials that ends the study as failed."""
        return min(self._most_failed, self.max_trials)

    @property
    def limits_on_failures(self) -> str:
        """The keys to raise so that a study which has failed can go on."""
        failed = ["budget.max_failed"] if self._most_failed <= self.max_trials else []
        trials = ["budget.max_trials"] if self._most_failed >= self.max_trials else []
        return " and ".join(failed + trials)

    @property
    def _most_failed(self) -> int:
        return 3 if self.max_failed is None else self.max_failed
