"""Early stopping inside a trial: the collector watches the log, and stops the training when all its rules are met.

Source: katib v0.19.0, cmd/metricscollector/v1beta1/file-metricscollector/main.go (watchMetricsFile, updateStopRules).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kftune.errors import KatibError
from kftune.katib.go.numbers import go_float, go_int
from kftune.katib.go.text import trim_space
from kftune.katib.trial.collector import FORMATS, json_object, matches


class StoppingError(KatibError):
    """The collector ends at once, and the trial's pod fails."""


class StopRule(NamedTuple):
    """One rule; a trial is stopped when it has met all of its rules."""

    name: str
    """The metric."""
    value: str
    comparison: str
    """`equal`, `less` or `greater`; no other one is ever met."""
    start_step: int = 0
    """At which report of the metric the rule is looked at, and only then; 0 for every report."""

    @property
    def flag(self) -> str:
        """As it is passed to the collector."""
        return f"{self.name};{self.value};{self.comparison};{self.start_step}"


def stop_rule(flag: str) -> StopRule:
    """The rule that the collector makes of an argument of its process.

    Raises:
        StoppingError: The argument has not four parts, or the last is no number.
    """
    parts = flag.split(";")
    if len(parts) != 4:
        raise StoppingError(f"Invalid Early Stopping rule: {flag}")
    start_step = go_int(parts[3])
    if start_step is None:
        raise StoppingError(f"Parse start step {parts[3]} to int error: strconv.Atoi: parsing {parts[3]!r}")
    return StopRule(parts[0], parts[1], parts[2], start_step)


_NO_RULE = StopRule("", "", "")


class StopWatch:
    """Watches a trial's log line by line.

    Args:
        rules: The trial's rules.
        objective: The objective's metric; of it the best value so far counts, of others the value itself.
        objective_type: `minimize` or `maximize`; for any other the first value stays the best.
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
        self._rules = list(rules)
        self._objective = objective
        self._type = objective_type
        self._filters = tuple(filters)
        self._format = format
        self._best: float | None = None
        self._steps = {rule.name: rule.start_step for rule in rules if rule.start_step != 0}

    @property
    def left(self) -> tuple[StopRule, ...]:
        """The rules that are not met yet."""
        return tuple(self._rules)

    @property
    def best(self) -> float | None:
        """The objective's best value so far, as far as rules asked for it."""
        return self._best

    def line(self, line: bytes) -> bool:
        """Takes the next line in.

        Args:
            line: Without its newline.

        Returns:
            Whether the training is stopped at this line.

        Raises:
            StoppingError: A value on a line with a rule's metric is no number, or the line is no JSON object.
            CollectorPanic: Go does not compile a filter.
        """
        if self._format not in FORMATS:
            raise StoppingError("Format must be set to TEXT or JSON")
        text = line.decode("utf-8", "surrogateescape")
        looked_at = self._text_line(text) if self._format == "TEXT" else self._json_line(text)
        return looked_at and not self._rules

    def _text_line(self, line: str) -> bool:
        if not any(rule.name in line for rule in self._rules):
            return False
        for name, text in matches(line, self._filters):
            value = _number(text, name)
            # Go walks over as many places as there were rules at the start, and sees those that have moved meanwhile.
            places = list(self._rules)
            for index in range(len(places)):
                if places[index].name == name:
                    self._report(places, index, value)
        return True

    def _json_line(self, line: str) -> bool:
        try:
            found = json_object(line)
        except ValueError as error:
            raise StoppingError(f"Failed to unmarshal logs in JSON format, log: {line}, error: {error}") from None
        if not any(rule.name in found for rule in self._rules):
            return False
        places = list(self._rules)
        for index in range(len(places)):
            text = found.get(places[index].name)
            if isinstance(text, str):
                self._report(places, index, _number(trim_space(text), places[index].name))
        return True

    def _report(self, places: list[StopRule], index: int, value: float) -> None:
        """One value of a rule's metric.

        Args:
            places: The rules that are left, then as many empty ones as have been met since the walk began.
            index: The rule's place.
            value: What was reported.
        """
        rule = places[index]
        if rule.name == self._objective:
            value = self._best = self._better(value)
        if rule.name in self._steps:
            self._steps[rule.name] -= 1
            if self._steps[rule.name] != 0:
                return
        limit = go_float(rule.value)
        if limit is None:
            raise StoppingError(f"Unable to parse value {rule.value} to float for rule metric {rule.name}")
        met = {"equal": value == limit, "less": value < limit, "greater": value > limit}
        if met.get(rule.comparison):
            last = len(self._rules) - 1
            if index > last:
                raise StoppingError(f"Index {index} out of range stopRules")
            places[index] = places[last]
            places[last] = _NO_RULE
            self._rules = places[:last]

    def _better(self, value: float) -> float:
        best = self._best
        if best is None or (self._type == "maximize" and value > best) or (self._type == "minimize" and value < best):
            return value
        return best


def _number(text: str, name: str) -> float:
    value = go_float(text)
    if value is None:
        raise StoppingError(f"Unable to parse value {text!r} to float for metric {name}")
    return value
