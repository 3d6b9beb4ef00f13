"""The events of a running study: for the views, and as JSON lines for other programs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar

from kftune.results import State


def now() -> str:
    """The time in UTC, to the millisecond: ``2026-11-21T08:30:00.125Z``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, with its time."""

    kind: ClassVar[str]
    time: str = field(default_factory=now, kw_only=True)
    entity: str = field(default="", kw_only=True)
    """The entity that it is about; empty in a study without entities."""

    def __init_subclass__(cls) -> None:
        """Makes the kind from the class's name: ``study_started`` from StudyStarted."""
        cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def to_dict(self) -> dict[str, Any]:
        """The event as a JSON object: ``event`` (its kind), ``time`` (UTC), ``entity`` if any, and its fields."""
        own = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in ("time", "entity")}
        return {"event": self.kind, "time": self.time, **({"entity": self.entity} if self.entity else {}), **own}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStarted(Event):
    """A run starts, or resumes earlier results."""

    study: str
    folder: str
    algorithm: str
    seed: int
    objective: str
    """The first one of several, like direction and goal."""
    direction: str
    goal: float | None
    max_trials: int
    total: int
    """Trials that can run: max_trials, or all points of the space if these are fewer."""
    parallel: int
    wall_clock: float | None
    """Seconds left of the study's wall clock."""
    finished: int
    """Trials that earlier runs finished."""
    best: dict[str, Any] | None = None
    """The best of these: trial, objective, metrics, values."""
    objectives: list[dict[str, Any]] = field(default_factory=list)
    """All objectives: name, reduce, direction, goal."""
    pareto: list[dict[str, Any]] | None = None
    """With several objectives, the Pareto set of earlier trials, each like `best`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted(Event):
    """A trial's process runs."""

    trial: str
    number: int
    attempt: int
    values: dict[str, Any]
    """The searched values."""
    log: str
    gpus: tuple[str, ...] = ()
    goes_on: bool = False
    """Whether it goes on after it has waited."""


@dataclass(frozen=True, slots=True)
class MetricReported(Event):
    """A trial reported a metric. Of several reports within half a second, only the first is an event."""

    trial: str
    number: int
    metric: str
    value: float
    text: str
    step: int | None


@dataclass(frozen=True, slots=True)
class TrialRetries(Event):
    """A try of a trial has failed, and another will follow."""

    trial: str
    number: int
    attempt: int
    """The try that has failed."""
    message: str
    reason: str
    """failed, lost or out_of_memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPaused(Event):
    """A trial waits at a rung of a stopping rule; it may go on, or end with the study."""

    trial: str
    number: int
    objective: float | None
    """Its value so far."""
    duration: float
    message: str
    """Why it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFinished(Event):
    """A trial has ended, and its result is on the disk."""

    trial: str
    number: int
    state: State
    objective: float | None
    metrics: dict[str, float]
    """The value that counts of each reported metric."""
    values: dict[str, Any]
    duration: float
    exit_code: int | None
    message: str
    is_best: bool
    """Whether it is the best so far; with several objectives, whether it is in the Pareto set so far."""
    finished: int
    """Trials that count against the budget, this one included."""


@dataclass(frozen=True, slots=True)
class StudyFinished(Event):
    """The run has ended."""

    state: str
    """Succeeded, Failed or Interrupted."""
    reason: str
    message: str
    counts: dict[State, int]
    best: dict[str, Any] | None
    """trial, objective, metrics, values; with several objectives, the best in the first one."""
    seconds: float
    """How long this run took."""
    targets: list[dict[str, Any]] = field(default_factory=list)
    """The targets of the study: name, met, trial, value, at_least, at_most."""
    pareto: list[dict[str, Any]] | None = None
    """With several objectives, the Pareto set, each like `best`."""

    @property
    def why(self) -> str:
        """The reason in brackets, for people; empty where it says no more than the state."""
        return "" if self.reason == self.state else f" ({self.reason})"


@dataclass(frozen=True, slots=True)
class Note(Event):
    """Something that the user should know."""

    message: str


OnEvent = Callable[[Event], None]
