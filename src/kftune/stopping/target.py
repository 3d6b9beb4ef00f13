"""`target`: ends a study when a trial is good enough in every respect."""

from __future__ import annotations

from math import inf
from typing import ClassVar

from pydantic import Field

from kftune.spec.part import Part, PartError
from kftune.spec.quantities import Number, Seconds
from kftune.stopping.facts import EndedTrial, StudyFacts, TargetResult
from kftune.stopping.rule import Reports, StudyRule


class Bound(Part):
    """What a metric must reach."""

    at_least: Number | None = None
    """The value must be this or more."""
    at_most: Number | None = None
    """The value must be this or less."""

    def model_post_init(self, context: object, /) -> None:
        """Checks that there is a bound, and a value that both allow."""
        low, high = self.at_least, self.at_most
        if low is None and high is None:
            raise PartError("a target needs at_least or at_most; for example at_least: 0.95")
        if low is not None and high is not None and low > high:
            raise PartError(f"no value is at least {low:g} and at most {high:g}", ("at_least",))


class Target(StudyRule):
    """Ends the study when one trial meets all targets.

    The result of the study says which targets were met, by the trial that met most of them.
    """

    kind: ClassVar[str] = "target"

    metrics: dict[str, Bound] = Field(default_factory=dict)
    """What the value that counts of each metric must reach."""
    training_time_per_epoch: Seconds | None = None
    """The longest duration of a trial, divided by the number of its reports of the objective."""
    convergence_epochs: Reports | None = None
    """The last position at which a trial may have the best value of its objective."""

    def model_post_init(self, context: object, /) -> None:
        """Checks that there is a target."""
        if not self.metrics and self.training_time_per_epoch is None and self.convergence_epochs is None:
            raise PartError("target needs a target; for example metrics: {accuracy: {at_least: 0.95}}")

    def over(self, study: StudyFacts) -> str:
        """Returns why the study is over; empty while it is not."""
        for trial in study.ended:
            if all(target.met for target in self._judged(trial, study)):
                names = ", ".join(target.name for target in self._judged(trial, study))
                return f"trial {trial.number} has met all targets: {names}"
        return ""

    def targets(self, study: StudyFacts) -> list[TargetResult]:
        """Returns what was met by the trial that has met most targets, of several ones by the one with the best value.

        Args:
            study: What is known of the study so far.
        """
        sign = 1 if study.histories.minimize else -1

        def rank(trial: EndedTrial) -> tuple[int, float, int]:
            met = sum(target.met for target in self._judged(trial, study))
            return -met, sign * trial.objective if trial.objective is not None else inf, trial.number

        with_value = [trial for trial in study.ended if trial.objective is not None]
        return self._judged(min(with_value, key=rank) if with_value else None, study)

    def _judged(self, trial: EndedTrial | None, study: StudyFacts) -> list[TargetResult]:
        found = [
            _result(name, trial, trial.metrics.get(name) if trial else None, bound)
            for name, bound in self.metrics.items()
        ]
        if self.training_time_per_epoch is not None:
            value = trial.seconds / trial.reports if trial and trial.reports else None
            found.append(_result("training_time_per_epoch", trial, value, Bound(at_most=self.training_time_per_epoch)))
        if self.convergence_epochs is not None:
            best = study.histories.of(trial.number).best_position if trial else None
            found.append(_result("convergence_epochs", trial, best, Bound(at_most=self.convergence_epochs)))
        return found


def _result(name: str, trial: EndedTrial | None, value: float | None, bound: Bound) -> TargetResult:
    low, high = bound.at_least, bound.at_most
    return TargetResult(
        name=name,
        met=value is not None and (low is None or value >= low) and (high is None or value <= high),
        trial=None if trial is None else trial.number,
        value=value,
        at_least=low,
        at_most=high,
    )
