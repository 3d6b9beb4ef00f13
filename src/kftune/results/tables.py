"""The tables of the SQLite file, and the conversion between rows and records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kftune import json_input
from kftune.errors import StoreError
from kftune.metrics.values import MetricValues
from kftune.results.layout import RunFolder
from kftune.results.records import NOT_RETRIED, Aim, Meta, Origin, Retried, TrackedMetric, Trial

FORMAT = 3
"""The user_version of files with these tables."""

# Format -> the columns that it adds to those of the format before.
_ADDED = {
    2: {
        "algorithm": "TEXT NOT NULL DEFAULT ''",
        "settings": "TEXT NOT NULL DEFAULT '{}'",
        "seed": "INTEGER NOT NULL DEFAULT 0",
        "code": "TEXT NOT NULL DEFAULT ''",
        "revision": "TEXT NOT NULL DEFAULT ''",
    },
    3: {"retried": "TEXT NOT NULL DEFAULT '{}'", "stopped_by": "TEXT NOT NULL DEFAULT ''"},
}


def _added(after: int, until: int) -> dict[str, str]:
    """Returns the columns that formats add, with their types."""
    return {name: kind for number in range(after + 1, until + 1) for name, kind in _ADDED[number].items()}


_CURVES = """\
CREATE TABLE curves (
    number INTEGER NOT NULL,
    metric TEXT NOT NULL,
    data   BLOB NOT NULL,
    PRIMARY KEY (number, metric)
) WITHOUT ROWID;
"""

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    number      INTEGER PRIMARY KEY,
    state       TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    assignment  TEXT NOT NULL,
    point       TEXT NOT NULL,
    metrics     TEXT NOT NULL,
    objective   REAL,
    started     TEXT,
    ended       TEXT,
    duration    REAL,
    exit_code   INTEGER,
    message     TEXT NOT NULL,
    pid         INTEGER,
    pid_started REAL,
    {", ".join(f"{name} {kind}" for name, kind in _added(1, FORMAT).items())}
);
{_CURVES}"""

_COLUMNS = tuple(field for field in Trial._fields if field not in ("name", "origin", "retried", "stopped_by"))

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def select(version: int) -> str:
    """Returns the query whose rows `trial_of` reads.

    Args:
        version: The file's user_version.
    """
    return f"SELECT {', '.join((*_COLUMNS, *_added(1, version)))} FROM trials"  # noqa: S608  # the names are our own


def trial_of(row: Any, meta: Meta) -> Trial:
    """Returns the trial in one row of `select`.

    Args:
        row: Its columns.
        meta: The study. In format 1 only it says what proposed its trials.
    """
    values = dict(zip(_COLUMNS, row, strict=False))
    for name in ("assignment", "point", "metrics"):
        values[name] = json_input.loads(values[name])
    values["metrics"] = {name: MetricValues(*texts) for name, texts in values["metrics"].items()}
    origin, retried, stopped_by = meta.origin(), "{}", ""
    if row[len(_COLUMNS) :]:
        algorithm, settings, seed, code, revision, *later = row[len(_COLUMNS) :]
        origin = Origin(algorithm, json_input.loads(settings), seed, code, revision)
        retried, stopped_by = later or (retried, stopped_by)
    return Trial(
        name=meta.trial_name(values["number"]),
        origin=origin,
        retried=NOT_RETRIED if retried == "{}" else Retried(**json_input.loads(retried)),
        stopped_by=stopped_by,
        **values,
    )


def origin_to_row(origin: Origin) -> dict[str, Any]:
    """Returns the columns of an origin."""
    return {**origin._asdict(), "settings": to_json(origin.settings)}


def retried_to_text(retried: Retried) -> str:
    """Returns why a trial was started again as it is stored."""
    return (
        "{}" if retried is NOT_RETRIED else to_json({key: value for key, value in retried._asdict().items() if value})
    )


def update(connection: sqlite3.Connection, version: int, stored: Meta) -> None:
    """Converts a file of an earlier format to this one. A kill at any moment leaves the one or the other.

    Args:
        connection: The file, outside of a transaction.
        version: Its format.
        stored: The study as the last run stored it: in format 1, nothing else knows what proposed the trials.
    """
    connection.execute("BEGIN IMMEDIATE")
    for name, kind in _added(version, FORMAT).items():
        connection.execute(f"ALTER TABLE trials ADD COLUMN {name} {kind}")
    if version == 1:
        connection.execute(
            "UPDATE trials SET algorithm = :algorithm, settings = :settings, seed = :seed, code = :code, "
            "revision = :revision",
            origin_to_row(stored.origin()),
        )
    connection.execute(_CURVES)
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def meta_to_text(meta: Meta) -> str:
    """Returns a study's record as it is stored."""
    stored = meta._asdict()
    for name in ("more_objectives", "trial_names"):
        if not stored[name]:  # earlier versions do not know it
            del stored[name]
    return to_json(stored)


def meta_of(connection: sqlite3.Connection) -> Meta | None:
    """Returns the study's record; None while there is none yet."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'study'").fetchone()
    if row is None:
        return None
    data = json_input.loads(row[0])
    data["metrics"] = tuple(TrackedMetric(*metric) for metric in data["metrics"])
    data["more_objectives"] = tuple(Aim(*aim) for aim in data.get("more_objectives", ()))
    data["trial_names"] = tuple(data.get("trial_names", ()))
    return Meta(**data)


def check_format(version: int, folder: RunFolder, verb: str) -> None:
    """Rejects a file that a newer kftune wrote.

    Args:
        version: The file's user_version.
        folder: Where it is.
        verb: ``reads`` or ``writes``: what this kftune does with it.

    Raises:
        StoreError: The format is newer.
    """
    if version > FORMAT:
        raise StoreError(
            f"these results have format {version}, and this kftune {verb} {FORMAT}; update kftune", str(folder.path)
        )


@contextmanager
def translated(folder: RunFolder) -> Iterator[None]:
    """Translates SQLite's errors.

    Raises:
        StoreError: SQLite cannot read or write the file.
    """
    try:
        yield
    except sqlite3.Error as error:
        message = (
            f"the results cannot be read or written: {error}. If the disk is full, free some space and run again; "
            f"if {folder.database.name} is damaged, move it away: logs/ and trials/ do not depend on it"
        )
        raise StoreError(message, str(folder.path)) from error
