"""What a rule decides for the trials that Katib creates now, from the trials that have ended."""

from __future__ import annotations

import math
from collections.abc import Iterable

from kftune.earlystopping.approximation import stop_rules
from kftune.katib.go.numbers import go_float
from kftune.katib.trial.medianstop import Finished
from kftune.katib.trial.stopping import StopRule
from kftune.stopping import Histories, Report, TrialRule


class FixedRules:
    """The decisions of one Experiment; it remembers the trials that it has seen end.

    Args:
        rule: The rule.
        objective: The objective's metric.
        objective_type: `maximize`; with any other type smaller values are better, as in Katib's own service.
    """

    def __init__(self, rule: TrialRule, objective: str, objective_type: str) -> None:
        self._rule = rule
        self._objective = objective
        self._histories = Histories(objective, minimize=objective_type != "maximize")
        self._seen: dict[str, int] = {}

    def knows(self, trial: str) -> bool:
        """Whether a trial has been seen with its reports."""
        return trial in self._seen

    def rules(self, trials: Iterable[Finished]) -> list[StopRule]:
        """Returns the rules of the trials that are created next: at most one.

        Args:
            trials: All trials of the Experiment so far, or the new ones.
        """
        for trial in trials:
            self._add(trial)
        return stop_rules(self._rule, self._histories)

    def _add(self, trial: Finished) -> None:
        if trial.name in self._seen or not (trial.succeeded or trial.stopped):
            return
        numbers = [number for text in trial.values if (number := go_float(text)) is not None and math.isfinite(number)]
        if not numbers:
            return
        place = self._seen[trial.name] = len(self._seen)
        for number in numbers:
            self._histories.add(place, Report(self._objective, number))
        self._histories.end(place, succeeded=trial.succeeded)
