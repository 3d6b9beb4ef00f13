"""`Trials`: one study's trials, wherever they are recorded. `Recorded` holds those that were read into memory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Self

from kftune.errors import UnknownNameError
from kftune.metrics.curves import Curve
from kftune.metrics.targets import TargetResult
from kftune.results.layout import RunFolder, slug
from kftune.results.pareto import front_of
from kftune.results.records import FINISHED, SCORED, Meta, State, Trial


class Trials(ABC):
    """One study's trials.

    Attributes:
        meta: The study.
        place: Where they come from, for messages.
        notes: What a reader has to know about them, such as what was left out.
    """

    meta: Meta
    place: str
    notes: Sequence[str] = ()

    @abstractmethod
    def trials(self) -> list[Trial]:
        """Returns every trial, by number."""

    @abstractmethod
    def all_curves(self, metric: str | None = None) -> Iterator[tuple[int, str, Curve]]:
        """Yields the number of the trial, the metric and the curve, by number.

        Args:
            metric: Only this one; None for all metrics.

        Raises:
            StoreError: A curve is damaged.
        """

    def curves(self, trial: Trial) -> dict[str, Curve]:
        """Returns what a trial reported over time, by metric; a trial that runs has no curves yet.

        Raises:
            StoreError: A curve is damaged.
        """
        return {metric: curve for number, metric, curve in self.all_curves() if number == trial.number}

    def trial(self, name: str) -> Trial:
        """Returns one trial, by its name or number.

        Raises:
            UnknownNameError: There is no such trial.
        """
        trials = self.trials()
        number = int(name) if name.isascii() and name.isdigit() else None
        found = [trial for trial in trials if name == trial.name] or [each for each in trials if number == each.number]
        if not found:
            raise UnknownNameError("trial", name, [trial.name for trial in trials])
        return found[0]

    def name_of(self, number: int) -> str:
        """Returns the name of the trial with this number."""
        return self.meta.trial_name(number)

    def best(self, objective: int = 0) -> Trial | None:
        """Returns the best trial, the first of equal ones; None while no trial has succeeded.

        Args:
            objective: The place of the objective that counts; with several objectives, the best trial in it that is in
                the Pareto set.
        """
        trials = self.trials()
        if self.meta.more_objectives:
            number = front_of(trials, self.meta).best(objective)
            return next((trial for trial in trials if trial.number == number), None)
        return best_of(trials, self.meta.direction)

    def pareto(self) -> list[Trial]:
        """Returns the trials of the Pareto set, the best in the first objective first."""
        trials = {trial.number: trial for trial in self.trials()}
        return [trials[number] for number in front_of(trials.values(), self.meta).members()]

    def counts(self) -> dict[State, int]:
        """Returns state -> number of trials, without states that no trial has."""
        return dict(sorted(Counter(trial.state for trial in self.trials()).items()))

    def active_seconds(self) -> float:
        """Returns how long all runs of the study took together; 0 if it is not known."""
        return 0.0

    def reason(self) -> str | None:
        """Returns what ended the last run, such as ``MaxTrialsReached``; None while it runs, or when it was killed."""
        return None

    def targets(self) -> list[TargetResult]:
        """Returns the targets of the study, as the last run that ended has left them."""
        return []

    def writer(self) -> str | None:
        """Returns the number of the process that writes these results now, as text; None if no run goes on."""
        return None

    @property
    def folder(self) -> RunFolder | None:
        """The folder with logs and outputs; None if these trials have none."""
        return None

    def close(self) -> None:  # noqa: B027  # what is in memory needs no closing
        """Closes what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Recorded(Trials):
    """Trials in memory.

    Args:
        meta: The study.
        trials: Its trials, with numbers that ascend.
        curves: Number -> metric -> curve.
        place: Where they come from, for messages.
        reason: What ended the study, if that is known.
        targets: Whether its targets were met.
        active_seconds: How long it ran.
        counts: State -> number of trials, where more trials are known than recorded.
        notes: What a reader has to know about them.
    """

    def __init__(
        self,
        meta: Meta,
        trials: Sequence[Trial],
        *,
        place: str,
        curves: Mapping[int, Mapping[str, Curve]] | None = None,
        reason: str | None = None,
        targets: Sequence[TargetResult] = (),
        active_seconds: float = 0.0,
        counts: Mapping[State, int] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.meta, self.place, self.notes = meta, place, notes
        self._counts = counts
        self._trials, self._curves = list(trials), curves or {}
        self._reason, self._targets, self._active_seconds = reason, list(targets), active_seconds

    def trials(self) -> list[Trial]:
        """Returns every trial, by number."""
        return list(self._trials)

    def all_curves(self, metric: str | None = None) -> Iterator[tuple[int, str, Curve]]:
        """Yields the number of the trial, the metric and the curve, by number.

        Args:
            metric: Only this one; None for all metrics.
        """
        for number, curves in sorted(self._curves.items()):
            for name, curve in sorted(curves.items()):
                if metric in (None, name):
                    yield number, name, curve

    def counts(self) -> dict[State, int]:
        """Returns state -> number of trials, without states that no trial has."""
        return super().counts() if self._counts is None else dict(sorted(self._counts.items()))

    def name_of(self, number: int) -> str:
        """Returns the name of the trial with this number."""
        return self._names.get(number, str(number))

    @cached_property
    def _names(self) -> dict[int, str]:
        return {trial.number: trial.name for trial in self._trials}

    def active_seconds(self) -> float:
        """Returns how long all runs of the study took together; 0 if it is not known."""
        return self._active_seconds

    def reason(self) -> str | None:
        """Returns what ended the study; None if it is not known."""
        return self._reason

    def targets(self) -> list[TargetResult]:
        """Returns the targets of the study."""
        return list(self._targets)


def durations(trials: Iterable[Trial]) -> list[float]:
    """Returns how many seconds trials took that have ended, whatever their end."""
    return [trial.duration for trial in trials if trial.state in FINISHED and trial.duration is not None]


def best_of(trials: Iterable[Trial], direction: str) -> Trial | None:
    """Returns the trial with the best value of the first objective, the first of equal ones; None if none has a value.

    Args:
        trials: The trials.
        direction: minimize or maximize.
    """
    sign = 1 if direction == "minimize" else -1
    scored = [
        (sign * trial.objective, trial.number, trial)
        for trial in trials
        if trial.state in SCORED and trial.objective is not None and math.isfinite(trial.objective)
    ]
    return min(scored)[2] if scored else None


def plain_meta(name: str, **known: object) -> Meta:
    """Returns the record of a study of which little is known.

    Args:
        name: Its name.
        known: The fields of `Meta` that are known.
    """
    unknown: dict[str, object] = {
        "slug": slug(name),
        "direction": "minimize",
        "metrics": (),
        "goal": None,
        "algorithm": "",
        "settings": {},
        "seed": None,
        "max_trials": 0,
        "parallel": 1,
        "fixed": {},
        "space": {},
        "identity": "",
        "compared": {},
        "created": "",
        "version": "",
    }
    return Meta(**{**unknown, "name": name, **known})  # type: ignore[arg-type]
