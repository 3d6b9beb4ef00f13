"""The objectives of a study: one under `objective`, or several under `objectives`; and what is derived from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from kftune.metrics.definition import MetricDefinition
from kftune.spec.part import PartError
from kftune.study.objective import MetricSpec, Objective, Reduce

EITHER: dict[str, Any] = {"oneOf": [{"required": ["objective"]}, {"required": ["objectives"]}]}
"""Says in a JSON Schema that a study has one of the two keys."""


class HasObjectives(Protocol):
    """What is needed of a study: its objectives and metrics."""

    @property
    def model_fields_set(self) -> set[str]:
        """The keys that its file has."""

    @property
    def reductions(self) -> Mapping[str, Reduce]:
        """Its metrics, the objectives first."""

    @property
    def objective(self) -> Objective | None:
        """Under the key `objective`."""

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Under the key `objectives`."""


def not_given() -> Any:
    """Returns a substitute for an objective that the file does not have, until `settle` sets it."""


def settle(study: HasObjectives) -> None:
    """Gives a study both forms: `objectives` has all of them, and `objective` is the first.

    Args:
        study: The study, with what its file has.

    Raises:
        PartError: It has both keys, or neither.
    """
    objective, several = study.objective, study.objectives
    if objective is not None and several:
        raise PartError(
            "a study has objective or objectives, not both; write all of them under objectives, the first of which is "
            "the one that Katib gets, and remove objective (on a command line: ~objective)",
            ("objectives",),
            at_key=True,
        )
    if objective is not None:
        study.__dict__["objectives"] = (objective,)
    elif several:
        study.__dict__["objective"] = several[0]
    else:
        raise PartError(
            "a study needs an objective: objective: {metric: val_loss, direction: minimize}, or a list of several "
            "under objectives"
        )


def reductions_of(objectives: Sequence[Objective], metrics: Sequence[MetricSpec]) -> dict[str, Reduce]:
    """Returns name of each metric -> which value of a trial is used; the objectives first, in their order.

    Args:
        objectives: The objectives.
        metrics: The other metrics.

    Raises:
        PartError: Two have the same name.
    """
    found: dict[str, Reduce] = {}
    for index, objective in enumerate(objectives):
        _check_new(objective.metric, found, ("objectives", index, "metric"))
        found[objective.metric] = objective.reduction
    for index, spec in enumerate(metrics):
        _check_new(spec.name, found, ("metrics", index))
        found[spec.name] = spec.reduce
    return found


def _check_new(name: str, found: Iterable[str], path: Sequence[str | int]) -> None:
    if name in found:
        raise PartError(f"metric names must differ, but {name!r} is used twice", path)


def definitions_of(objectives: Sequence[Objective], metrics: Sequence[MetricSpec]) -> tuple[MetricDefinition, ...]:
    """Returns the metrics that scripts print in another format.

    Args:
        objectives: The objectives.
        metrics: The other metrics.
    """
    specs = [(each.metric, each.regex) for each in objectives] + [(spec.name, spec.regex) for spec in metrics]
    return tuple([MetricDefinition(name, regex) for name, regex in specs if regex])


def comparable(objectives: Sequence[Objective]) -> dict[str, Any]:
    """Returns what makes results comparable: the first objective, and under `others` the further ones, if any.

    A list of one gives the same as a single objective, so that results go on being those of the same study.
    """
    first, *others = [
        {"metric": each.metric, "direction": each.direction, "reduce": each.reduction} for each in objectives
    ]
    if not others:
        return first
    return {**first, "others": [{**each, "regex": one.regex} for each, one in zip(others, objectives[1:], strict=True)]}


def place_of(metric: str, study: HasObjectives) -> tuple[str, *tuple[int, ...]]:
    """Returns the keys that lead to a metric in a study: ``objective``, ``objectives``, 1 or ``metrics``, 0.

    Args:
        metric: Its name.
        study: The study.
    """
    index, objectives = list(study.reductions).index(metric), len(study.objectives)
    if index >= objectives:
        return "metrics", index - objectives
    return ("objective",) if "objective" in study.model_fields_set else ("objectives", index)
