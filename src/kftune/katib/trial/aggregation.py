"""Reduces a trial's rows as Katib does: minimum, maximum and latest value of each metric.

Source: katib v0.19.0, pkg/controller.v1beta1/trial/trial_controller_util.go (getMetrics).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kftune.errors import KatibError
from kftune.katib.go import times
from kftune.katib.go.numbers import go_float
from kftune.katib.trial.collector import UNAVAILABLE, Row


class AggregationError(KatibError):
    """Katib cannot read a trial's rows; it retries forever."""


class Metric(NamedTuple):
    """One metric of a trial's observation, with the values as they were printed."""

    name: str
    min: str = UNAVAILABLE
    max: str = UNAVAILABLE
    latest: str = UNAVAILABLE


def observation(rows: Iterable[Row], names: Iterable[str]) -> list[Metric]:
    """Returns one metric for each name, in their order (Katib's own order is random).

    Args:
        rows: The rows of the database.
        names: The metrics that have a strategy; others are left out.

    Raises:
        AggregationError: The timestamp of a row cannot be read.
    """
    observing = Observing(names)
    for row in rows:
        observing.take(row)
    return observing.metrics()


class Observing:
    """Makes the observation row by row, and keeps no row.

    Args:
        names: The metrics that have a strategy; others are left out.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._found = {name: Metric(name) for name in names}
        self._latest: dict[str, times.Instant] = {}

    def take(self, row: Row) -> None:
        """Takes the next row.

        Raises:
            AggregationError: Its timestamp cannot be read.
        """
        if row.name not in self._found:
            return
        metric = _with_value(self._found[row.name], row.value)
        time = times.parse(row.timestamp)
        if time is None:
            raise AggregationError(f"failed to parse timestamps {row.timestamp}")
        if row.name not in self._latest or self._latest[row.name] <= time:
            self._latest[row.name] = time
            metric = metric._replace(latest=row.value)
        self._found[row.name] = metric

    def metrics(self) -> list[Metric]:
        """Returns one metric for each name, in their order."""
        return list(self._found.values())


def _with_value(metric: Metric, text: str) -> Metric:
    """Keeps the first of equal values; NaN is neither less nor greater than any value."""
    value = go_float(text)
    if value is None:
        return metric
    if metric.min == UNAVAILABLE:
        return metric._replace(min=text, max=text)
    if value < (go_float(metric.min) or 0.0):
        return metric._replace(min=text)
    if value > (go_float(metric.max) or 0.0):
        return metric._replace(max=text)
    return metric
