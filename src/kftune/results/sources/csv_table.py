"""A table of trials: what ``kftune results --format csv`` prints, Optuna's ``trials_dataframe``, or any CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import StoreError, listed, suggestion
from kftune.metrics.values import MetricValues
from kftune.results.origins import COLUMNS
from kftune.results.records import SCORED, Origin, State, TrackedMetric, Trial
from kftune.results.sources.hints import NO_HINTS, Hints
from kftune.results.trials import Recorded, Trials, plain_meta

_NAMES = ("trial", "name", "number", "experiment_name", "id")
_STATES: dict[str, State] = {
    **dict.fromkeys(("succeeded", "success", "complete", "completed", "finished", "done", "ok"), "Succeeded"),
    **dict.fromkeys(("failed", "fail", "failure", "crashed", "error"), "Failed"),
    **dict.fromkeys(("earlystopped", "pruned", "stopped"), "EarlyStopped"),
    **dict.fromkeys(("killed", "cancelled", "canceled"), "Killed"),
    **dict.fromkeys(("created", "waiting", "pending", "queued"), "Created"),
    "metricsunavailable": "MetricsUnavailable",
    "running": "Running",
    "paused": "Paused",
}
_OTHERS = ("state", "status", "duration", "pareto", "started", "ended", "exit_code", "message", "stopped_by", *COLUMNS)
_OPTUNA = ("datetime_start", "datetime_complete", "user_attrs_", "system_attrs_", "intermediate_values")
_PARAM = "params_"
_BOOLS = {"true": True, "false": False}
_SHOWN = 8

_Row = Mapping[str, str]


class _Columns(NamedTuple):
    name: str | None
    """The column with the names of trials."""
    metrics: list[str]
    """The objective first."""
    fields: dict[str, str]
    """Hyperparameter -> its column."""
    state: str | None


def read(text: str, place: str, hints: Hints = NO_HINTS) -> Trials:
    """Returns the rows of a CSV file as trials.

    Args:
        text: The text.
        place: The file, for messages.
        hints: The objective and its direction, which a table does not say.

    Raises:
        StoreError: It is not a table, or the objective is not known.
    """
    header, rows = _rows(text, place)
    if hints.objective is None or hints.direction is None:
        raise StoreError(
            f"a table does not say what is optimized: give --objective and --direction minimize or maximize, or the "
            f"study (--study FILE); the columns are: {listed(header)}",
            place,
        )
    columns = _columns(header, hints, place)
    typed = {name: _typed([row[column] for row in rows]) for name, column in columns.fields.items()}
    direction = hints.direction
    reduce = "min" if direction == "minimize" else "max"
    metrics = [TrackedMetric(name, reduce if name == hints.objective else "latest") for name in columns.metrics]
    trials = [
        _trial(number, row, columns, {name: typed[name][number - 1] for name in typed}, f"{place}:{number + 1}")
        for number, row in enumerate(rows, start=1)
    ]
    meta = plain_meta(
        "table",
        direction=direction,
        metrics=tuple(metrics),
        max_trials=len(trials),
        space={name: {} for name in columns.fields},
    )
    notes = [] if hints.metrics else [_about_fields([*columns.fields])]
    return Recorded(meta, trials, place=place, notes=notes)


def _about_fields(names: Sequence[str]) -> str:
    if not names:
        return "no column is a hyperparameter"
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return (
        f"hyperparameters are the columns {shown}; --metrics NAMES says which are metrics, or --study FILE decides it"
    )


def _rows(text: str, place: str) -> tuple[list[str], list[_Row]]:
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise StoreError(f"this is not CSV: {error}", place) from error
    if not lines:
        raise StoreError("a table has a first line with the names of its columns, but this file is empty", place)
    header = [name.strip() for name in lines[0]]
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise StoreError(f"the names of columns must differ, but {twice!r} is there twice; rename one", f"{place}:1")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise StoreError(
                f"every row has {len(header)} cells, like the first one, but this has {len(line)}", f"{place}:{number}"
            )
    return header, [dict(zip(header, line, strict=True)) for line in lines[1:]]


def _columns(header: Sequence[str], hints: Hints, place: str) -> _Columns:
    for wanted in (hints.objective or "", *hints.columns):
        if wanted not in header:
            raise StoreError(f"there is no column {wanted!r}; {suggestion(wanted, header)}", f"{place}:1")
    named = dict.fromkeys((hints.objective or "", *hints.metrics, *hints.columns))
    metrics = [name for name in named if name in header]
    name = next((each for each in _NAMES if each in header and each not in metrics), None)
    state = next((each for each in ("state", "status") if each in header), None)
    is_optuna = any(each.startswith(_PARAM) for each in header)
    fields = {}
    for each in header:
        is_other = each in (name, *metrics, *_OTHERS) or (is_optuna and not each.startswith(_PARAM))
        if not is_other and not each.startswith(_OPTUNA):
            fields[each.removeprefix(_PARAM) if is_optuna else each.removeprefix("hparams.")] = each
    return _Columns(name, metrics, fields, state)


def _typed(texts: Sequence[str]) -> list[Any]:
    """Returns the values of a column: numbers or booleans if all of them are; empty cells have none."""
    given = [text for text in texts if text]
    for convert in (int, float, lambda text: _BOOLS[text.lower()]):
        try:
            values = {text: convert(text) for text in given}
        except (ValueError, KeyError):
            continue
        return [values.get(text) for text in texts]
    return [text or None for text in texts]


def _trial(number: int, row: _Row, columns: _Columns, values: Mapping[str, Any], place: str) -> Trial:
    metrics = {name: MetricValues(row[name], row[name], row[name], 0) for name in columns.metrics if _number(row[name])}
    objective = _number(row[columns.metrics[0]])
    state = _state(row, columns, objective, place)
    seed = row.get("origin.seed", "")
    return Trial(
        number=number,
        name=(row[columns.name] if columns.name else "") or str(number),
        state=state,
        attempt=1,
        assignment={name: row[column] for name, column in columns.fields.items() if row[column]},
        point={name: value for name, value in values.items() if value is not None},
        metrics=metrics,
        objective=objective.value if objective and state in SCORED else None,
        started=row.get("started") or row.get("datetime_start") or None,
        ended=row.get("ended") or row.get("datetime_complete") or None,
        duration=found.value if (found := _number(row.get("duration", ""))) else None,
        exit_code=int(row["exit_code"]) if row.get("exit_code", "").lstrip("-").isdigit() else None,
        message=row.get("message", ""),
        pid=None,
        pid_started=None,
        origin=Origin(
            row.get("origin.algorithm", ""),
            {},
            int(seed) if seed.isdigit() else None,
            row.get("origin.code", ""),
            row.get("origin.revision", ""),
        ),
        stopped_by=row.get("stopped_by", ""),
    )


class _Number(NamedTuple):
    value: float


def _number(text: str) -> _Number | None:
    """Returns the finite number that a text is."""
    try:
        value = float(text)
    except ValueError:
        return None
    return _Number(value) if math.isfinite(value) else None


def _state(row: _Row, columns: _Columns, objective: _Number | None, place: str) -> State:
    text = row[columns.state].strip() if columns.state else ""
    if not text:
        return "Succeeded" if objective else "MetricsUnavailable"
    known = text.rpartition(".")[2].replace(" ", "").replace("_", "").lower()
    if known not in _STATES:
        raise StoreError(f"the state {text!r} is not known; {suggestion(known, _STATES)}", place)
    return _STATES[known]
