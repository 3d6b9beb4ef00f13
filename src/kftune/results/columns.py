"""The table of trials with typed values: numbers, booleans and texts, and None for what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from kftune.results.origins import COLUMNS
from kftune.results.pareto import front_of
from kftune.results.records import Meta, Trial
from kftune.results.trials import Trials

LAST = (*COLUMNS, "started", "ended", "exit_code", "message", "stopped_by")
"""The columns after the hyperparameters."""

ColumnKind = Literal["boolean", "integer", "number", "text", "json"]
_INT64 = range(-(2**63), 2**63)
_MOST_EXACT = 2**53
"""Above it, not every integer is a double."""


def kind_of(values: Iterable[Any]) -> ColumnKind:
    """Returns what all values of a column are; json if they have nothing in common, or are lists or mappings.

    Args:
        values: The values. None says nothing; an integer that 64 bits do not hold is none.
    """
    given = [value for value in values if value is not None]
    kinds = {type(value) for value in given}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int} and all(value in _INT64 for value in given):
        return "integer"
    if kinds and kinds <= {int, float} and all(type(value) is float or abs(value) <= _MOST_EXACT for value in given):
        return "number"
    return "text" if kinds <= {str} else "json"


def utf8(text: str) -> str:
    """Returns a text with what UTF-8 has no form for escaped, as in names of files that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def first_columns(meta: Meta) -> dict[str, str]:
    """Returns the columns before the hyperparameters, and for each the metric that it has; empty where it has none.

    A metric with the name of another column has the prefix ``metrics.``.

    Args:
        meta: The study.
    """
    own = ("trial", "state", "duration", *(("pareto",) if meta.more_objectives else ()))
    names = [metric.name for metric in meta.metrics]
    columns = {f"metrics.{name}" if name in own or name in LAST else name: name for name in names}
    return {**dict.fromkeys(own[:3], ""), **columns, **dict.fromkeys(own[3:], "")}


def hparams_columns(meta: Meta) -> dict[str, str]:
    """Returns hyperparameter -> its column: its name, with the prefix ``hparams.`` where another column has it.

    Args:
        meta: The study.
    """
    taken = {*first_columns(meta), *LAST}
    names = dict.fromkeys((*meta.fixed, *meta.space))
    return {name: f"hparams.{name}" if name in taken else name for name in names}


def typed_columns(results: Trials) -> dict[str, list[Any]]:
    """Returns column -> the value of each trial, with the columns of the CSV.

    Args:
        results: The results.
    """
    meta, trials = results.meta, results.trials()
    reduces = {metric.name: metric.reduce for metric in meta.metrics}
    found: dict[str, list[Any]] = {
        column: [counted_value(trial, metric, reduces[metric]) for trial in trials] if metric else []
        for column, metric in first_columns(meta).items()
    }
    found["trial"] = [trial.name for trial in trials]
    found["state"] = [trial.state for trial in trials]
    found["duration"] = [trial.duration for trial in trials]
    if meta.more_objectives:
        front = set(front_of(trials, meta).members())
        found["pareto"] = [trial.number in front for trial in trials]
    for name, column in hparams_columns(meta).items():
        found[column] = [{**meta.fixed, **trial.point}.get(name) for trial in trials]
    return {**found, **_last(trials)}


def counted_value(trial: Trial, name: str, reduce: str) -> float | None:
    """Returns the value of a metric that counts for a trial; None if it has none.

    Args:
        trial: The trial.
        name: The metric.
        reduce: min, max or latest.
    """
    return trial.metrics[name].number(reduce) if name in trial.metrics else None


def _last(trials: Sequence[Trial]) -> dict[str, list[Any]]:
    rows = [
        (
            trial.origin.algorithm or None,
            trial.origin.seed,
            trial.origin.code or None,
            trial.origin.revision or None,
            trial.started,
            trial.ended,
            trial.exit_code,
            trial.message or None,
            trial.stopped_by or None,
        )
        for trial in trials
    ]
    return {name: [row[place] for row in rows] for place, name in enumerate(LAST)}
