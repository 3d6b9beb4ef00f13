"""Results as a Parquet file: typed columns, with nulls for what is missing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kftune.errors import MissingExtraError
from kftune.results.columns import first_columns, kind_of, typed_columns, utf8
from kftune.results.export import curves_to_rows
from kftune.results.times import moment
from kftune.results.trials import Trials

if TYPE_CHECKING:
    import pyarrow

_WHOLE = ("origin.seed", "exit_code")
_TIMES = ("started", "ended")
_TEXTS = ("entity", "trial", "state", "message", "stopped_by")


def to_parquet(results: Trials, *, curves: bool = False) -> bytes:
    """Returns the bytes of a Parquet file: one row for each trial, with the columns of the CSV.

    Metrics are doubles, times are timestamps in UTC. A hyperparameter is a boolean, an integer, a double or a text, as
    all its values are; values of other kinds, or of several, are the text of their JSON. The metadata of the schema has
    ``kftune.study`` and ``kftune.direction``.

    Args:
        results: The results.
        curves: Whether to return one row for each report instead.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    return _file([(None, results)], results.meta.name, curves)


def entities_to_parquet(study: str, entities: Iterable[tuple[str, Trials]], *, curves: bool = False) -> bytes:
    """Returns the bytes of a Parquet file with the trials of many entities; its first column is ``entity``.

    Args:
        study: The name of the study.
        entities: The name of each entity, and its results.
        curves: Whether to return one row for each report instead.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    return _file(entities, study, curves)


def _file(parts: Iterable[tuple[str | None, Trials]], study: str, curves: bool) -> bytes:
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("parquet", "pyarrow", "take --format csv") from error
    columns: dict[str, list[Any]] = {}
    metrics, about, rows = set[str](), {"kftune.study": study}, 0
    for entity, results in parts:
        meta = results.meta
        found = _curves(results) if curves else typed_columns(results)
        new = len(found["trial"])
        found = found if entity is None else {"entity": [entity] * new, **found}
        for name in found:
            columns.setdefault(name, [None] * rows)  # the entities before have no such column
        for name, values in columns.items():
            values += found.get(name, [None] * new)
        rows += new
        metrics |= {column for column, metric in first_columns(meta).items() if metric}
        about |= {"kftune.objective": meta.objective.name, "kftune.direction": meta.direction}
    kinds = {"step": pyarrow.int64(), "value": pyarrow.float64(), "seconds": pyarrow.float64()}
    table = pyarrow.table(
        {
            name: pyarrow.array(values, kinds.get(name, pyarrow.string()))
            if curves
            else _column(name, values, metrics, pyarrow)
            for name, values in columns.items()
        }
    )
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(about), file)
    return file.getvalue()


def _curves(results: Trials) -> dict[str, list[Any]]:
    header, rows = curves_to_rows(results)
    return {name: [row[place] for row in rows] for place, name in enumerate(header)}


def _column(name: str, values: Sequence[Any], metrics: set[str], arrow: Any) -> pyarrow.Array:
    if name in metrics or name == "duration":
        return arrow.array(values, arrow.float64())
    if name in _TIMES:
        return arrow.array([moment(value) for value in values], arrow.timestamp("us", tz="UTC"))
    if name in _WHOLE:
        return _of_values(values, arrow) if {*values} != {None} else arrow.array(values, arrow.int64())
    if name in _TEXTS or name.startswith("origin."):
        return _texts(values, arrow)
    return _of_values(values, arrow)


def _of_values(values: Sequence[Any], arrow: Any) -> pyarrow.Array:
    """Returns a column of the type that all values have; of JSON texts if they have none in common."""
    kind = kind_of(values)
    if kind == "json":
        texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
        return _texts(texts, arrow)
    if kind == "text":
        return _texts(values, arrow)
    if kind == "number":
        return arrow.array([None if value is None else float(value) for value in values], arrow.float64())
    return arrow.array(values, arrow.bool_() if kind == "boolean" else arrow.int64())


def _texts(values: Sequence[str | None], arrow: Any) -> pyarrow.Array:
    return arrow.array([None if value is None else utf8(value) for value in values], arrow.string())
