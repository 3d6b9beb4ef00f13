"""Whether a study's targets were met: what its run finds, its results store and its views show."""

from __future__ import annotations

from typing import NamedTuple


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
