"""Katib's early stopping service `medianstop`: its settings, and the rules that new trials get.

Its "median" is the mean of the succeeded trials' means over their first reports.

Source: katib v0.19.0, pkg/earlystopping/v1beta1/medianstop/service.py; recorded runs of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kftune.errors import KatibError
from kftune.katib.go.numbers import python_int
from kftune.katib.trial.stopping import StopRule

_DEFAULTS = {"min_trials_required": 3, "start_step": 4}
SETTINGS = tuple(_DEFAULTS)
_MOST_STEPS = 2**31 - 1

Setting = tuple[str, str]
"""Name and value as text."""


class MedianStopError(KatibError):
    """The service fails. Katib asks again, and the Experiment makes no progress until it answers."""


class RefusedSetting(NamedTuple):
    """A setting with which the Experiment fails."""

    place: int
    """Its index, from 0."""
    unknown: bool
    """Whether the name is wrong; otherwise the value is."""
    message: str
    """The service's words."""


class Finished(NamedTuple):
    """One trial as the service sees it."""

    name: str
    succeeded: bool
    values: Sequence[str]
    """The reported values of the objective, in order of time."""
    stopped: bool = False
    """Whether it was stopped early; Katib's service passes over such trials."""


def refused_setting(settings: Iterable[Setting]) -> RefusedSetting | None:
    """Returns the first setting that the service refuses, or None."""
    for place, (name, text) in enumerate(settings):
        if name not in SETTINGS:
            return RefusedSetting(place, True, f"unknown setting {name} for algorithm medianstop")
        whole = python_int(text)
        if whole is None:
            message = f"failed to validate {name}({text}): invalid literal for int() with base 10: {text!r}"
            return RefusedSetting(place, False, message)
        if whole < 1:
            bound = "greater than zero (>0)" if name == SETTINGS[0] else "greater or equal than one (>=1)"
            return RefusedSetting(place, False, f"{name} must be {bound}")
    return None


class MedianStop:
    """The service of one Experiment; it remembers the trials that it has seen succeed.

    Args:
        settings: The settings of the Experiment; the last one of a name counts.
        objective: The objective's metric.
        objective_type: `maximize`; with any other type smaller values are better.

    Raises:
        MedianStopError: A setting is not an integer; see `refused_setting`.
    """

    def __init__(self, settings: Iterable[Setting], objective: str, objective_type: str) -> None:
        given = {name: _whole(name, text) for name, text in settings if name in SETTINGS}
        self._min_trials, self._start_step = (_DEFAULTS | given).values()
        self._objective = objective
        self._comparison = "less" if objective_type == "maximize" else "greater"
        self._means: dict[str, float] = {}

    def rules(self, trials: Iterable[Finished]) -> list[StopRule]:
        """Returns the rules of the trials that are created next.

        Args:
            trials: All trials of the Experiment so far.

        Raises:
            MedianStopError: A succeeded trial has no reports, or one that is not a number; or the settings allow no
                rule.
        """
        for trial in trials:
            if trial.succeeded and trial.name not in self._means:
                self._means[trial.name] = self._mean(trial)
        if len(self._means) < self._min_trials:
            return []
        if not self._means or self._start_step > _MOST_STEPS:
            raise MedianStopError("min_trials_required must be above 0, and start_step must have 32 bits")
        mean = _sum(self._means.values()) / len(self._means)
        return [StopRule(self._objective, str(mean), self._comparison, self._start_step)]

    def _mean(self, trial: Finished) -> float:
        texts = trial.values[: self._start_step]
        if not texts:
            raise MedianStopError(f"trial {trial.name}: it succeeded, and reported nothing of {self._objective}")
        try:
            return _sum(map(float, texts)) / len(texts)
        except ValueError as error:
            raise MedianStopError(f"trial {trial.name}: {error}") from None


def _whole(name: str, text: str) -> int:
    whole = python_int(text)
    if whole is None:
        raise MedianStopError(f"{name}: invalid literal for int() with base 10: {text!r}")
    return whole


def _sum(numbers: Iterable[float]) -> float:
    """Adds one by one, as the service's Python does; newer Pythons round less."""
    total = 0.0
    for number in numbers:
        total += number
    return total
