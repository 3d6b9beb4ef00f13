"""What the experiments of a list should reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from kftune.errors import UnknownNameError
from kftune.metrics.curves import Curve
from kftune.metrics.targets import TargetResult
from kftune.results import Trial
from kftune.stopping.target import Bound
from kftune.validation import InputProblem, findings

SECONDS = "training_time_per_epoch"
"""The target for the duration, divided by the number of reports of the objective."""
EPOCHS = "convergence_epochs"
"""The target for the step of the best value of the objective."""


class Target(NamedTuple):
    """What an experiment should reach."""

    name: str
    """Its key in the file."""
    measured: str
    """The metric, or `SECONDS` or `EPOCHS`."""
    bound: Bound

    def judged(self, trial: Trial, reductions: Mapping[str, str], curves: Mapping[str, Curve]) -> TargetResult:
        """Returns whether an experiment has met it.

        Args:
            trial: The experiment, as it is stored.
            reductions: The metrics, the objective first -> which value is used.
            curves: What it reported over time.
        """
        value = self._value(trial, reductions, curves) if trial.objective is not None else None
        return TargetResult(
            name=self.name,
            met=self.bound.holds(value),
            trial=trial.number,
            value=value,
            at_least=self.bound.at_least,
            at_most=self.bound.at_most,
        )

    def _value(self, trial: Trial, reductions: Mapping[str, str], curves: Mapping[str, Curve]) -> float | None:
        objective, reduce = next(iter(reductions.items()))
        if self.measured == SECONDS:
            reports = trial.metrics[objective].count
            return trial.duration / reports if trial.duration is not None and reports else None
        if self.measured == EPOCHS:
            curve = curves.get(objective)
            return None if curve is None else best_step(curve, reduce)
        values = trial.metrics.get(self.measured)
        return None if values is None else values.number(reductions[self.measured])


def best_step(curve: Curve, reduce: str) -> int:
    """Returns the first step with the value that counts.

    Args:
        curve: What was reported.
        reduce: min, max or latest.
    """
    if reduce == "latest":
        return curve.steps[-1]
    best = min(curve.values) if reduce == "min" else max(curve.values)
    return curve.steps[curve.values.index(best)]


class ReadTarget(NamedTuple):
    """A target, or what is wrong with it."""

    target: Target | None
    problem: InputProblem | None


def read_target(name: str, given: object, names: Mapping[str, str], reductions: Mapping[str, str]) -> ReadTarget:
    """Returns a target: a number, or bounds.

    Args:
        name: Its key.
        given: What the list has for it.
        names: The targets that there are -> what they measure.
        reductions: The metrics -> which value is used: the lowest must be at most the number, the highest at least.
    """
    if name not in names:
        return _wrong(name, str(UnknownNameError("target", name, names)), at_key=True)
    measured, low_or_high = names[name], given
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        reduce = reductions.get(measured, "min")
        if reduce == "latest":
            return _wrong(name, f"say what the latest value must be: {name}: {{at_most: {given}}}, or at_least")
        low_or_high = {"at_least" if reduce == "max" else "at_most": given}
    if not isinstance(low_or_high, Mapping):
        return _wrong(name, f"a target is a number, or at_least and at_most, but is {given!r}")
    try:
        bound: Any = Bound.model_validate(low_or_high)
    except ValidationError as error:
        return _wrong(name, "; ".join(map(str, findings(error, Bound))))
    return ReadTarget(Target(name, measured, bound), None)


def _wrong(name: str, message: str, *, at_key: bool = False) -> ReadTarget:
    return ReadTarget(None, InputProblem((name,), message, at_key))
