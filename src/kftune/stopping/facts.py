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
    joins_pareto: bool | None = None
    """With several objectives, whether it brought something new into the Pareto set when it ended."""


class StudyFacts(NamedTuple):
    """A study so far."""

    histories: Histories
    """What all trials have reported."""
    ended: Sequence[EndedTrial]
    """The trials that have ended, in the order of their ends."""
    trial_seconds: float
    """How long all trials together have run, with the ones that run now."""
    running: int = 0
    """The number of trials that run now."""
    seconds: float = 0.0
    """How long all runs of the study together took."""
