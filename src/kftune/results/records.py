"""What is kept of a study and of each trial. Plain tuples: reading results loads neither pydantic nor the engine."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

State = Literal["Created", "Running", "Succeeded", "Failed", "Killed", "MetricsUnavailable", "EarlyStopped"]
"""Katib's trial states. Killed: stopped before its end because the study ended or was interrupted; it has no result."""

FINISHED: tuple[State, ...] = ("Succeeded", "Failed", "MetricsUnavailable", "EarlyStopped")
"""States that count against the budget and are never left again."""

SCORED: tuple[State, ...] = ("Succeeded", "EarlyStopped")
"""States in which a trial can be the best one."""

UNSUCCESSFUL: tuple[State, ...] = ("Failed", "MetricsUnavailable")
"""States that count as a failure."""


UNAVAILABLE = "unavailable"
"""What Katib has for a value that was never reported, or is no number."""


class Values(NamedTuple):
    """What one trial reported of one metric; the texts are as it printed them."""

    min: str
    max: str
    latest: str
    count: int  # type: ignore[assignment]  # a tuple has a method of this name, which nobody needs here
    """How often it was reported."""
    step: int | None = None
    """The step of the latest report."""

    def text(self, reduce: str) -> str:
        """The value that stands for the trial."""
        return self.min if reduce == "min" else self.max if reduce == "max" else self.latest

    def number(self, reduce: str) -> float | None:
        """The same as a number; None when the text is none.

        Source: katib, suggestionclient.go: the latest stands in for a least or greatest that is unavailable.
        """
        text = self.text(reduce)
        try:
            return float(self.latest if text == UNAVAILABLE else text)
        except ValueError:
            return None


class Metric(NamedTuple):
    """A metric that the study keeps."""

    name: str
    reduce: str
    """min, max or latest."""


class Meta(NamedTuple):
    """What is kept of the study itself."""

    name: str
    slug: str
    direction: str
    """minimize or maximize."""
    metrics: tuple[Metric, ...]
    """The objective first."""
    goal: float | None
    algorithm: str
    settings: dict[str, Any]
    seed: int
    """The study's own, or the one that was drawn when it has none."""
    max_trials: int
    parallel: int
    fixed: dict[str, Any]
    """Hyperparameters that are not searched, by dotted name."""
    space: dict[str, Any]
    """What is searched: dotted name -> the domain as a study file writes it."""
    identity: str
    """Hash of what makes results comparable."""
    compared: dict[str, Any]
    """What that hash is made of, to tell what changed."""
    created: str
    """When the first run began (UTC)."""
    version: str
    """The kftune that wrote it last."""
    experiment: dict[str, Any] | None = None
    """The Experiment with Katib's defaults, when it was one that ran."""

    @property
    def objective(self) -> Metric:
        """The metric that counts."""
        return self.metrics[0]


class Trial(NamedTuple):
    """One trial."""

    number: int
    name: str
    state: State
    attempt: int
    """How often it was started; more than 1 when a run was cut short."""
    assignment: dict[str, str]
    """The texts it was given, by dotted name."""
    point: dict[str, Any]
    """The searched values, by dotted name."""
    metrics: dict[str, Values]
    """What it reported."""
    objective: float | None
    """The objective's value that stands for the trial."""
    started: str | None
    """UTC."""
    ended: str | None
    duration: float | None
    """Seconds."""
    exit_code: int | None
    """The process's exit code; minus the signal that ended it."""
    message: str
    """Why it did not succeed."""
    pid: int | None
    pid_started: float | None
    """Seconds from the machine's start to the process's; so a later run finds what a killed one has left."""


class Ending(NamedTuple):
    """How a trial ended."""

    state: State
    metrics: dict[str, Values]
    objective: float | None
    ended: str
    duration: float
    exit_code: int | None
    message: str = ""
