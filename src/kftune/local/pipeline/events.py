"""The events of a running pipeline: for the views, and as JSON lines for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kftune.local.study.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStarted(Event):
    """A run starts, or resumes an earlier one that was cut short or failed."""

    pipeline: str
    run: str
    folder: str
    runtime: str
    """process or container."""
    parallel: int
    """How many steps run at the same time."""
    parameters: dict[str, Any]
    steps: dict[str, int | None]
    """Step -> how often it runs; None where only the run itself shows that. The exit step is the last."""
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    """A step's process runs."""

    task: str
    """The step, or ``loop/NUMBER/step`` of a loop, from 1."""
    step: str
    index: int | None
    """Index of its loop's item, from 0; None outside of loops."""
    attempt: int
    log: str
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepPrinted(Event):
    """A line that a step printed: every line of a tune step, the latest one every half second of others."""

    task: str
    step: str
    tune: bool
    line: str


@dataclass(frozen=True, slots=True)
class StepRetries(Event):
    """A try failed, or was ended from outside, and another will follow."""

    task: str
    step: str
    attempt: int
    """That try."""
    message: str
    wait: float
    """Seconds until the next try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(Event):
    """A step is over, and its outputs are on the disk."""

    task: str
    step: str
    index: int | None
    state: str
    """Succeeded, Cached (taken from an earlier run), Kept (done before this run was cut short), Skipped, Failed, NotRun
    (one that it waits for has failed, or any with ``on_failure: stop``) or Stopped."""
    message: str
    outputs: dict[str, Any]
    """Output -> its value, or the path of the artifact."""
    duration: float | None
    """Seconds of the last try."""
    exit_code: int | None
    log: str | None


@dataclass(frozen=True, slots=True)
class PipelineFinished(Event):
    """The run has ended."""

    state: str
    """Succeeded, Failed or Interrupted."""
    message: str
    counts: dict[str, int]
    """State -> number of steps; each item of a loop counts."""
    results: dict[str, dict[str, Any]]
    """The last steps that ran, and what they wrote; and every model that was written outside of loops."""
    seconds: float
    """How long this run took."""
