"""What the engine needs to know about a study or an Experiment, and how it reads trials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kftune.local.study.smaller import Smaller
from kftune.metrics.curves import Curve
from kftune.metrics.values import MetricValues
from kftune.results import Meta, Score, State, TrackedMetric, Trial
from kftune.stopping import Report, Rule
from kftune.study.retries import NONE_RUNS_AGAIN, RetryLimits


class Reader(ABC):
    """Reads what one trial reports, while it runs and when it has ended.

    Attributes:
        stop: Why the trial should stop before its end; empty while it need not.
        stop_rule: The kind of the rule that says so.
        given_up: Why `close` did not read everything; such a trial counts as cut short. Empty if it did.
        next_look: When `look` must be called (monotonic clock); None if everything comes through `feed`.
    """

    stop = ""
    stop_rule = ""
    given_up = ""
    next_look: float | None = None

    def restore(self, trial: Trial, curves: Mapping[str, Curve]) -> None:  # noqa: B027  # no other trials go on
        """Takes what an earlier part of the trial has reported, before anything else.

        Args:
            trial: The trial, as it is stored.
            curves: Its curves.
        """

    def feed(self, chunk: bytes) -> Sequence[str]:
        """Takes a piece of the trial's output; returns the metrics reported in it."""
        return ()

    def look(self) -> Sequence[str]:
        """Looks for reports elsewhere; returns the metrics reported since the last look."""
        return ()

    @abstractmethod
    def latest(self, metric: str) -> MetricValues | None:
        """Returns the values so far of a metric; None if its latest report is not a finite number."""

    def reports(self) -> Sequence[Report]:
        """Returns the finite values that were reported since the last call, in their order."""
        return ()

    @property
    def curves(self) -> Mapping[str, Curve]:
        """What was reported over time."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """Reads the rest when the trial has ended."""

    @property
    @abstractmethod
    def values(self) -> dict[str, MetricValues]:
        """Everything that was reported; available after `close`."""

    @property
    @abstractmethod
    def objective(self) -> float | None:
        """The trial's value of the objective, after `close`; None when it is not a finite number."""

    def why_failed(self) -> str:
        """Returns why a trial with exit code 0 failed; empty if it did not."""
        return ""

    @abstractmethod
    def why_unavailable(self, log: Path) -> str:
        """Returns why there is no objective; empty if there is one."""

    def ended(self, state: State) -> None:  # noqa: B027  # most readers need not know
        """Takes note of how the trial ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyPlan:
    """What ends a run, which metrics count, and how trials are read.

    Attributes:
        meta: The stored facts: metrics, direction, goal, number of trials.
        max_failed: The number of failed trials that ends the run; None sets no limit.
        reader: Makes the reader of the trial of that name, just before it starts.
        wall_clock: Seconds for all runs together; None sets no limit.
        grace: Seconds between the request to stop and the kill.
        limit_name: What the file calls a trial's time limit.
        failed_hint: What the file calls `max_failed`.
        restricted: Whether the study may refuse points of its space.
        rules: What ends trials, or the run, before their time.
        retries: How often a trial that has failed starts again.
        smaller: How values get smaller when memory runs out; None if they do not.
    """

    meta: Meta
    max_failed: int | None
    reader: Callable[[str], Reader]
    wall_clock: float | None = None
    grace: float = 30.0
    limit_name: str = "trial_timeout"
    failed_hint: str = "budget.max_failed"
    rules: Sequence[Rule] = ()
    restricted: bool = False
    retries: RetryLimits = NONE_RUNS_AGAIN
    smaller: Smaller | None = None

    def reached(self, score: Score) -> bool:
        """Whether a trial with these values has reached all goals that are given; False without a goal."""
        objectives = self.meta.objectives
        has_goal = any(objective.goal is not None for objective in objectives)
        return has_goal and all(each.reached(value) for each, value in zip(objectives, score, strict=True))


def counted(values: Mapping[str, MetricValues], metrics: Sequence[TrackedMetric]) -> dict[str, float]:
    """Returns the value that counts of each metric that has a finite one.

    Args:
        values: What a trial reported.
        metrics: The metrics, and which of their values counts.
    """
    found = {metric.name: values[metric.name].number(metric.reduce) for metric in metrics if metric.name in values}
    return {name: number for name, number in found.items() if number is not None}
