"""What the rows of one trial of an Experiment come to; the rows are not kept, because a trial may report millions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from kftune.errors import KatibError
from kftune.katib.go.numbers import go_float
from kftune.katib.trial.aggregation import Metric, Observing
from kftune.katib.trial.collector import Row

_FIRST = 3


class Tally:
    """Takes the rows of one trial.

    Args:
        names: The metrics, the objective first.
        counts: Whether a row counts.
        has_rules: Whether rules of early stopping need the values of the objective.

    Attributes:
        latest: Metric -> the text of its latest row.
        counts: Metric -> how many of its rows count.
        first: The first values of the objective.
        are_numbers: Whether all its values are numbers, nan and infinity among them.
        objectives: All its values that count; empty if there are no rules of early stopping.
        error: Why Katib cannot make the observation; None if it can.
    """

    def __init__(self, names: Sequence[str], counts: Callable[[Row], bool], *, has_rules: bool) -> None:
        self.latest: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.first: list[str] = []
        self.are_numbers = True
        self.objectives: list[str] = []
        self.error: KatibError | None = None
        self._counts = counts
        self._has_rules = has_rules
        self._objective = names[0]
        self._counted = Observing(names)
        self._all = Observing((self._objective,))

    def take(self, rows: Iterable[Row]) -> None:
        """Takes further rows."""
        for row in rows:
            self.latest[row.name] = row.value
            is_objective = row.name == self._objective
            if is_objective:
                self._take_objective(row.value)
            counts = self._counts(row)
            if counts:
                self.counts[row.name] += 1
                if is_objective and self._has_rules:
                    self.objectives.append(row.value)
            try:
                self._all.take(row)
                if counts:
                    self._counted.take(row)
            except KatibError as error:
                self.error = self.error or error

    def metrics(self) -> list[Metric]:
        """Returns the observation, the objective first; its latest value may be nan."""
        found = self._counted.metrics()
        found[0] = found[0]._replace(latest=self._all.metrics()[0].latest)
        return found

    def _take_objective(self, text: str) -> None:
        if len(self.first) < _FIRST:
            self.first.append(text)
        self.are_numbers = self.are_numbers and go_float(text) is not None
