"""Some trials of a study, by a condition, by an order or by their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import UnknownNameError, UsageError
from kftune.metrics.curves import Curve
from kftune.metrics.targets import TargetResult
from kftune.results.layout import RunFolder
from kftune.results.origins import COLUMNS, cells
from kftune.results.records import SCORED, Meta, TrackedObjective, Trial
from kftune.results.trials import Trials


class Wanted(NamedTuple):
    """Which trials, and in which order."""

    where: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a trial with these values is wanted."""
    sort: str | None = None
    """A column; trials without a value of it come last."""
    reverse: bool = False
    top: int | None = None
    """How many, from the first one; without `sort` the best ones."""


class Selected(Trials):
    """Some trials of others. What is best is the best of them.

    Args:
        trials: The others.
        wanted: Which ones.

    Raises:
        UnknownNameError: There is no column to sort by.
    """

    def __init__(self, trials: Trials, wanted: Wanted) -> None:
        self.meta, self.place, self.notes = trials.meta, trials.place, trials.notes
        self._all = trials
        self._chosen = _chosen(trials, wanted)

    def trials(self) -> list[Trial]:
        """Returns the trials, in the order that is wanted."""
        return list(self._chosen)

    def all_curves(self, metric: str | None = None) -> Iterator[tuple[int, str, Curve]]:
        """Yields the number of the trial, the metric and the curve, by number.

        Args:
            metric: Only this one; None for all metrics.
        """
        numbers = {trial.number for trial in self._chosen}
        return (each for each in self._all.all_curves(metric) if each[0] in numbers)

    def name_of(self, number: int) -> str:
        """Returns the name of the trial with this number."""
        return self._all.name_of(number)

    def active_seconds(self) -> float:
        """Returns how long all runs of the study took together."""
        return self._all.active_seconds()

    def reason(self) -> str | None:
        """Returns what ended the study."""
        return self._all.reason()

    def targets(self) -> list[TargetResult]:
        """Returns the targets of the study."""
        return self._all.targets()

    @property
    def folder(self) -> RunFolder | None:
        """The folder with logs and outputs."""
        return self._all.folder

    def close(self) -> None:
        """Closes what is open."""
        self._all.close()


def names_of(meta: Meta) -> list[str]:
    """Returns the columns that a trial has values in: metrics, hyperparameters, and what is recorded of every trial.

    Args:
        meta: The study.
    """
    return [
        *dict.fromkeys(
            [*(metric.name for metric in meta.metrics), *meta.fixed, *meta.space, *_OWN, *COLUMNS, *_hparams(meta)]
        )
    ]


def _hparams(meta: Meta) -> list[str]:
    return [f"hparams.{name}" for name in (*meta.fixed, *meta.space)]


_OWN: dict[str, Callable[[Trial], Any]] = {
    "number": lambda trial: trial.number,
    "trial": lambda trial: trial.name,
    "state": lambda trial: trial.state,
    "duration": lambda trial: trial.duration,
    "objective": lambda trial: trial.objective,
    "attempt": lambda trial: trial.attempt,
    "started": lambda trial: trial.started,
    "ended": lambda trial: trial.ended,
    "exit_code": lambda trial: trial.exit_code,
    "message": lambda trial: trial.message,
    "stopped_by": lambda trial: trial.stopped_by,
}


def values_of(trial: Trial, meta: Meta) -> dict[str, Any]:
    """Returns the value of each column; a metric has precedence over a hyperparameter of its name.

    Args:
        trial: The trial.
        meta: Its study.
    """
    given = {**meta.fixed, **trial.point}
    reported = {
        metric.name: trial.metrics[metric.name].number(metric.reduce)
        for metric in meta.metrics
        if metric.name in trial.metrics
    }
    own = {name: read(trial) for name, read in _OWN.items()}
    named = {f"hparams.{name}": value for name, value in given.items()}
    missing = {metric.name: None for metric in meta.metrics}
    return {**named, **cells(trial), **own, **given, **missing, **reported}


def ranked(results: Trials, metric: str | None = None) -> list[Trial]:
    """Returns the trials with a result, the best one first.

    Args:
        results: The trials.
        metric: What counts: an objective, or a metric whose minimum or maximum is recorded; None: the first objective.

    Raises:
        UnknownNameError: No metric has that name.
        UsageError: It is not known which of its values are better.
    """
    objective = sought(results.meta, metric)
    sign = 1 if objective.direction == "minimize" else -1
    is_first = objective.name == results.meta.objective.name
    found = []
    for trial in results.trials():
        values = trial.metrics.get(objective.name)
        number = trial.objective if is_first else None if values is None else values.number(objective.reduce)
        if trial.state in SCORED and number is not None:
            found.append((sign * number, trial.number, trial))
    return [trial for _, _, trial in sorted(found, key=lambda each: each[:2])]


def sought(meta: Meta, metric: str | None) -> TrackedObjective:
    """Returns what counts of a study, with its direction.

    Args:
        meta: The study.
        metric: An objective, or a metric whose minimum or maximum is recorded; None: the first objective.

    Raises:
        UnknownNameError: No metric has that name.
        UsageError: It is not known which of its values are better.
    """
    objectives = {objective.name: objective for objective in meta.objectives}
    if metric is None:
        return meta.objectives[0]
    if metric in objectives:
        return objectives[metric]
    reduces = {each.name: each.reduce for each in meta.metrics}
    if metric not in reduces:
        raise UnknownNameError("metric", metric, [*reduces])
    if reduces[metric] == "latest":
        raise UsageError(
            f"{metric} is no objective, and its latest value is recorded, so which one is better is not known; "
            f"sort by it: kftune results --sort {metric}"
        )
    return TrackedObjective(metric, reduces[metric], "minimize" if reduces[metric] == "min" else "maximize", None)


def _chosen(results: Trials, wanted: Wanted) -> Sequence[Trial]:
    meta, trials = results.meta, results.trials()
    if wanted.where is not None:
        trials = [trial for trial in trials if wanted.where(values_of(trial, meta))]
    if wanted.sort is not None:
        trials = _sorted(trials, wanted.sort, meta, reverse=wanted.reverse)
    elif wanted.top is not None:
        numbers = {trial.number for trial in trials}
        trials = [trial for trial in ranked(results) if trial.number in numbers]
        trials = trials[::-1] if wanted.reverse else trials
    elif wanted.reverse:
        trials = trials[::-1]
    return trials if wanted.top is None else trials[: wanted.top]


def _sorted(trials: Sequence[Trial], name: str, meta: Meta, *, reverse: bool) -> list[Trial]:
    known = names_of(meta)
    if name not in known:
        raise UnknownNameError("column", name, known)
    values = {trial.number: values_of(trial, meta).get(name) for trial in trials}
    with_one = [trial for trial in trials if values[trial.number] is not None]
    without = [trial for trial in trials if values[trial.number] is None]
    return [*sorted(with_one, key=lambda trial: _order(values[trial.number]), reverse=reverse), *without]


def _order(value: Any) -> tuple[bool, Any]:
    """Returns a key that orders numbers before texts."""
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else str(value)
