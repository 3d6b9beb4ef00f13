"""`RunningTrial`: what the engine knows of a trial while its process runs. `attend` listens to all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from kftune.local.processes.listener import Listener
from kftune.local.processes.lost import LossWatch
from kftune.local.processes.process import TrialProcess
from kftune.local.samplers import Suggestion
from kftune.local.study.plan import Reader
from kftune.local.study.stopping import Stop


class Hears(Protocol):
    """What a running trial belongs to: the run of its study."""

    def heard(self, running: RunningTrial) -> None:
        """Takes note of what a trial has printed, or that it has ended."""

    def look(self, running: RunningTrial) -> None:
        """Looks for the reports of a trial that writes them elsewhere."""


@dataclass(eq=False)
class RunningTrial:
    """A trial with a running process."""

    study: Hears
    number: int
    suggestion: Suggestion
    reader: Reader
    gpus: tuple[str, ...]
    watch: LossWatch | None
    seconds_before: float = 0.0
    """How long it ran before it waited."""
    process: TrialProcess = field(init=False)
    reported: dict[str, float] = field(default_factory=dict)
    stopped: str = ""
    early: Stop | None = None

    def hear_last(self, stop: Stop | None) -> None:
        """Takes what its last reports mean. It has ended, so only whether they count is of interest."""
        if stop is not None and not stop.counts and (self.early is None or self.early.counts):
            self.early = stop

    @property
    def pauses(self) -> bool:
        """Whether it was asked to pause."""
        return self.early is not None and self.early.pauses

    @property
    def objective(self) -> float | None:
        """The value of the objective that counts, after the end."""
        return self.reader.objective if self.early is None or self.early.counts else None


def attend(listener: Listener[RunningTrial], longest: float | None = None) -> None:
    """Waits for a process, or until something is due, and tells the study of each trial that has something to say.

    Args:
        listener: The running trials, of one study or of several.
        longest: How many seconds to wait at most; None for no limit.
    """
    until = None if longest is None else time.monotonic() + longest
    for running in listener.listen(until, *(running.reader.next_look for running in listener)):
        running.study.heard(running)
    moment = time.monotonic()
    for running in listener:
        due = running.reader.next_look
        if due is not None and due <= moment:
            running.study.look(running)
