"""`RunningTrial`: what the engine knows of a trial while its process runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from kftune.local.processes.lost import LossWatch
from kftune.local.processes.process import TrialProcess
from kftune.local.samplers import Suggestion
from kftune.local.study.plan import Reader
from kftune.local.study.stopping import Stop


@dataclass(eq=False)
class RunningTrial:
    """A trial with a running process."""

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
