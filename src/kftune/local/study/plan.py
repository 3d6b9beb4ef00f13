"""What the engine has to know of what it runs. A study and an Experiment each make one; the engine knows neither."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from kftune.local.processes.process import TrialProcess
from kftune.metrics.values import MetricValues
from kftune.results import State, TrackedMetric


class Reader(Protocol):
    """Reads what one trial reports, while it runs and when it has ended.

    Attributes:
        stop: Why the trial shall stop before its end; empty as long as it need not.
    """

    stop: str

    @property
    def next_look(self) -> float | None:
        """When `look` must be called (monotonic clock); None when all comes through `feed`."""

    def feed(self, chunk: bytes) -> Sequence[str]:
        """Takes a piece of the trial's output; gives the metrics that were reported in it."""

    def look(self) -> Sequence[str]:
        """Looks for reports elsewhere; gives the metrics that were reported since."""

    def latest(self, metric: str) -> MetricValues | None:
        """What is known so far of a metric whose latest report is a finite number; else None."""

    def close(self) -> None:
        """The trial has ended: reads what is left."""

    @property
    def values(self) -> dict[str, MetricValues]:
        """Everything that was reported, after `close`."""

    @property
    def objective(self) -> float | None:
        """The objective's value that stands for the trial, after `close`; None when it is no finite number."""

    def why_failed(self) -> str:
        """Why a trial with exit code 0 has failed all the same; empty when it has not."""

    def why_unavailable(self, log: Path) -> str:
        """Why there is no objective; empty when there is one."""

    def ended(self, state: State) -> None:
        """How the trial ended."""


class Devices(Protocol):
    """What trials share."""

    def take(self) -> tuple[str, ...]:
        """The devices of one more trial."""

    def give_back(self, devices: Sequence[str]) -> None:
        """Devices that a trial no longer uses."""


class Launcher(Protocol):
    """Starts trials.

    Attributes:
        parallel: How many trials run at once.
        notes: What the user should know of how trials run here.
        devices: The GPUs that they share.
    """

    parallel: int
    notes: list[str]

    @property
    def devices(self) -> Devices:
        """The GPUs that trials share."""

    def start(
        self, trial: str, assignment: Mapping[str, str], feed: Callable[[bytes], object], gpus: Sequence[str] = ()
    ) -> TrialProcess:
        """Starts one trial.

        Raises:
            OSError: The program cannot be started.
            ValueError: These values cannot be passed to it.
        """

    def prepare(self, trial: str) -> None:
        """Makes what the next trial will need, while there is time."""

    def discard(self) -> None:
        """Takes back what was prepared and not used."""


class Plan(NamedTuple):
    """How far a run goes, what counts in it, and how its trials are read."""

    metrics: tuple[TrackedMetric, ...]
    """What trials report, the objective first."""
    direction: str
    """minimize or maximize."""
    goal: float | None
    max_trials: int
    max_failed: int | None
    """The run fails when so many trials have failed; None sets no limit."""
    reader: Callable[[str], Reader]
    """Makes the reader of the trial with that name, just before it starts."""
    wall_clock: float | None = None
    """Seconds for the whole run."""
    grace: float = 30.0
    """Seconds between the request to stop and the kill."""
    limit_name: str = "trial_timeout"
    """What its file calls the longest time of a trial."""
    failed_hint: str = "budget.max_failed"
    """What its file calls `max_failed`."""

    @property
    def objective(self) -> TrackedMetric:
        """The metric that counts."""
        return self.metrics[0]

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


def counted(values: Mapping[str, MetricValues], metrics: Sequence[TrackedMetric]) -> dict[str, float]:
    """The value that counts, of each metric that has one."""
    found = {metric.name: values[metric.name].number(metric.reduce) for metric in metrics if metric.name in values}
    return {name: number for name, number in found.items() if number is not None and math.isfinite(number)}
