"""The SQLite file: its tables, and the way between their rows and records."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from kftune.results.layout import RunFolder, trial_name
from kftune.results.records import Meta, Metric, Trial, Values

FORMAT = 1
"""The user_version of files written as below."""

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

SELECT = (
    "SELECT number, state, attempt, assignment, point, metrics, objective, started, ended, duration, exit_code, "
    "message, pid, pid_started FROM trials"
)

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def trial_of(row: Any, study_slug: str) -> Trial:
    """The trial in one row of SELECT."""
    number, state, attempt, assignment, point, metrics, *rest = row
    return Trial(
        number,
        trial_name(study_slug, number),
        state,
        attempt,
        json.loads(assignment),
        json.loads(point),
        {name: Values(*values) for name, values in json.loads(metrics).items()},
        *rest,
    )


def meta_to_text(meta: Meta) -> str:
    """A study's record as it is stored."""
    return to_json(meta._asdict())


def meta_of(connection: sqlite3.Connection) -> Meta | None:
    """The study's record; None while there is none yet."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'study'").fetchone()
    if row is None:
        return None
    data = json.loads(row[0])
    data["metrics"] = tuple(Metric(*metric) for metric in data["metrics"])
    return Meta(**data)


def damaged(folder: RunFolder, error: Exception) -> str:
    """The text of the error about a file that SQLite cannot read."""
    return (
        f"the results cannot be read or written: {error}. If the disk is full, make room and run again; "
        f"if {folder.database.name} is damaged, move it away: logs/ and trials/ do not depend on it"
    )
