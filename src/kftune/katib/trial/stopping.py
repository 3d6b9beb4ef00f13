"""Early stopping in a trial: the collector watches the log and stops the training when all its rules are met.

Source: katib v0.19.0, cmd/metricscollector/v1beta1/file-metricscollector/main.go (watchMetricsFile, updateStopRules).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kftune.errors import KatibError
from kftune.katib.go.numbers import go_float
from kftune.katib.go.text import trim_space
from kftune.katib.trial.collector import FORMATS, json_object, matches


class StoppingError(KatibError):
    """The collector ends with an error, and the trial's pod fails."""


class StopRule(NamedTuple):
    """One rule; a trial is stopped when it has met all of its rules."""

    name: str
    """The metric."""
    value: str
    comparison: str
    """`equal`, `less` or `greater`; a rule with another comparison is never met."""
    start_step: int = 0
    """The only report of the metric at which the rule is checked, from 1; 0 for every report."""


_NO_RULE = StopRule("", "", "")


class StopWatch:
    """Watches a trial's log line by line.

    `left` holds the rules that are not met yet, `best` the objective's best value so far, if a rule has read one.

    Args:
        rules: The trial's rules.
        objective: The objective's metric. Its rules compare the best value so far, other rules the reported value.
        objective_type: `minimize` or `maximize`; with any other type the first value stays the best.
        filters: As for `kftune.katib.trial.collector.collect`.
        format: `TEXT` or `JSON`.
    """

    def __init__(
        self,
        rules: Sequence[StopRule],
        objective: str,
        objective_type: str,
        filters: Sequence[str] = (),
        format: str = "TEXT",
    ) -> None:
        self.left = list(rules)
        self.best: float | None = None
        self._objective = objective
        self._type = objective_type
        self._filters = tuple(filters)
        self._format = format
        self._steps = {rule.name: rule.start_step for rule in rules if rule.start_step != 0}

    def line(self, line: bytes) -> bool:
        """Reads the next line; returns whether the training is stopped at it.

        Args:
            line: The line without its newline.

        Raises:
            StoppingError: A value on a line with a rule's metric is not a number, or the line is not a JSON object.
            CollectorPanic: Go does not compile a filter.
        """
        if self._format not in FORMATS:
            raise StoppingError("Format must be set to TEXT or JSON")
        text = line.decode("utf-8", "surrogateescape")
        has_metric = self._text_line(text) if self._format == "TEXT" else self._json_line(text)
        return has_metric and not self.left

    def _text_line(self, line: str) -> bool:
        if not any(rule.name in line for rule in self.left):
            return False
        for name, text in matches(line, self._filters):
            value = _number(text, name)
            # Go iterates over the initial number of rules, while rules that are met move in the list.
            places = list(self.left)
            for index in range(len(places)):
                if places[index].name == name:
                    self._report(places, index, value)
        return True

    def _json_line(self, line: str) -> bool:
        try:
            found = json_object(line)
        except ValueError as error:
            raise StoppingError(f"Failed to unmarshal logs in JSON format, log: {line}, error: {error}") from None
        if not any(rule.name in found for rule in self.left):
            return False
        places = list(self.left)
        for index in range(len(places)):
            text = found.get(places[index].name)
            if isinstance(text, str):
                self._report(places, index, _number(trim_space(text), places[index].name))
        return True

    def _report(self, places: list[StopRule], index: int, value: float) -> None:
        """Handles a value of one rule's metric; `places` ends with an empty rule for each that was met on this line."""
        rule = places[index]
        if rule.name == self._objective:
            value = self.best = self._better(value)
        if rule.name in self._steps:
            self._steps[rule.name] -= 1
            if self._steps[rule.name] != 0:
                return
        limit = go_float(rule.value)
        if limit is None:
            raise StoppingError(f"Unable to parse value {rule.value} to float for rule metric {rule.name}")
        met = {"equal": value == limit, "less": value < limit, "greater": value > limit}
        if met.get(rule.comparison):
            last = len(self.left) - 1
            if index > last:
                raise StoppingError(f"Index {index} out of range stopRules")
            places[index] = places[last]
            places[last] = _NO_RULE
            self.left = places[:last]

    def _better(self, value: float) -> float:
        best = self.best
        if best is None or (self._type == "maximize" and value > best) or (self._type == "minimize" and value < best):
            return value
        return best


def _number(text: str, name: str) -> float:
    value = go_float(text)
    if value is None:
        raise StoppingError(f"Unable to parse value {text!r} to float for metric {name}")
    return value
