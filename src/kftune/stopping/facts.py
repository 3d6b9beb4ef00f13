"""What is known of a study while it runs, in the form that rules which end the study ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kftune.stopping.history import Histories


class EndedTrial(NamedTuple):
    """A trial that counts against the budget."""

    number: int
    """Its number."""
    objective: float | None
    """Its value of the objective; None when it has none that counts."""
    metrics: Mapping[str, float]
    """The value that counts of each metric that it reported."""
    seconds: float
    """How long it ran."""
    reports: int
    """How often it reported the objective."""


class StudyFacts(NamedTuple):
    """A study so far."""

    histories: Histories
    """What all trials have reported."""
    ended: Sequence[EndedTrial]
    """The trials that have ended, in the order of their ends."""
    trial_seconds: float
    """How long all trials together have run, those that run now included."""
    running: int = 0
    """The number of trials that run now."""
    seconds: float = 0.0
    """How long all runs of the study together took."""


class TargetResult(NamedTuple):
    """Whether a target of a study was met."""

    name: str
    """The metric, or the key of the target."""
    met: bool
    """Whether it was met."""
    trial: int | None
    """The number of the trial; None while no trial has a value."""
    value: float | None
    """The trial's value; None when it has none."""
    at_least: float | None = None
    """The least value that meets the target; None for no such bound."""
    at_most: float | None = None
    """The greatest value that meets the target; None for no such bound."""

    @property
    def bounds(self) -> str:
        """What the value must be: ``at least 0.95``."""
        found = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        found += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        return " and ".join(found)

    @property
    def result(self) -> str:
        """Whether it was met, and by which value: ``not met (0.91)``."""
        value = "no value" if self.value is None else f"{self.value:g}"
        return f"{'met' if self.met else 'not met'} ({value})"
