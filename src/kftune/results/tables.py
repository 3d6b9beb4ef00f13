"""The tables of the SQLite file, and the conversion between rows and records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kftune.errors import StoreError
from kftune.metrics.values import MetricValues
from kftune.results.layout import RunFolder, trial_name
from kftune.results.records import Meta, TrackedMetric, Trial

FORMAT = 1
"""The user_version of files with these tables."""

TABLES = """
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
    pid_started REAL
);
"""

_COLUMNS = tuple(field for field in Trial._fields if field != "name")
SELECT = f"SELECT {', '.join(_COLUMNS)} FROM trials"  # noqa: S608  # the names are our own

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def trial_of(row: Any, study_slug: str) -> Trial:
    """Returns the trial in one row of SELECT.

    Args:
        row: Its columns.
        study_slug: The beginning of its name.
    """
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in ("assignment", "point", "metrics"):
        values[name] = json.loads(values[name])
    values["metrics"] = {name: MetricValues(*texts) for name, texts in values["metrics"].items()}
    return Trial(name=trial_name(study_slug, values["number"]), **values)


def meta_to_text(meta: Meta) -> str:
    """Returns a study's record as it is stored."""
    return to_json(meta._asdict())


def meta_of(connection: sqlite3.Connection) -> Meta | None:
    """Returns the study's record; None while there is none yet."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'study'").fetchone()
    if row is None:
        return None
    data = json.loads(row[0])
    data["metrics"] = tuple(TrackedMetric(*metric) for metric in data["metrics"])
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
