"""The tables of the SQLite file, and the conversion between rows and records."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kftune import json_input
from kftune.errors import StoreError
from kftune.metrics.values import MetricValues
from kftune.results import checksums
from kftune.results.layout import RunFolder
from kftune.results.records import NOT_RETRIED, Aim, Meta, Origin, Retried, TrackedMetric, Trial

FORMAT = 4
"""The user_version of files with these tables."""

CHECKED_SINCE = 4
"""The format since which there are checksums."""

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
    4: {"checksum": "INTEGER NOT NULL DEFAULT 0"},
}


def _added(after: int, until: int) -> dict[str, str]:
    """Returns the columns that formats add, with their types."""
    return {name: kind for number in range(after + 1, until + 1) for name, kind in _ADDED[number].items()}


# Source: sqlite3.h; the lowest byte is the kind of an error.
_OF_MACHINE = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
}

CURVES_SINCE = 3
"""The format since which there are curves."""

_CURVES = """\
CREATE TABLE curves (
    number INTEGER NOT NULL,
    metric TEXT NOT NULL,
    data   BLOB NOT NULL,
    PRIMARY KEY (number, metric)
) WITHOUT ROWID;
"""

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
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

CHECKED = (*_COLUMNS, *_added(1, CHECKED_SINCE - 1))
"""The columns that a checksum covers, in its order."""

NAMES = ("meta", "trials", "curves")
"""The tables."""

_LARGEST_VALUE = 1 << 28
_NOT_PLAIN = """\
SELECT name, type FROM sqlite_master
WHERE (type IN ('view', 'trigger') OR type = 'table' AND rootpage = 0) AND lower(tbl_name) IN ({})
"""

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

    Raises:
        DamagedError: The row is not as it was stored. Other errors show damage too, where there is no checksum.
    """
    values = dict(zip(_COLUMNS, row, strict=False))
    if len(row) > len(CHECKED) and checksums.of_row(*row[: len(CHECKED)]) != row[len(CHECKED)]:
        raise DamagedError(f"trial {row[0]} is not as it was stored")
    for name in ("assignment", "point", "metrics"):
        values[name] = json_input.loads(values[name])
    values["metrics"] = {name: MetricValues(*texts) for name, texts in values["metrics"].items()}
    origin, retried, stopped_by = meta.origin(), "{}", ""
    if row[len(_COLUMNS) :]:
        algorithm, settings, seed, code, revision, *later = row[len(_COLUMNS) :]
        origin = Origin(algorithm, json_input.loads(settings), seed, code, revision)
        retried, stopped_by = later[:2] or (retried, stopped_by)
    return Trial(
        name=meta.trial_name(values["number"]),
        origin=origin,
        retried=NOT_RETRIED if retried == "{}" else Retried(**json_input.loads(retried)),
        stopped_by=stopped_by,
        **values,
    )


CHECKSUM = f"checksum_of_row({', '.join(CHECKED)})"
"""The checksum of a row, in SQL."""


def add_checksums(connection: sqlite3.Connection) -> None:
    """Adds the functions that compute checksums in SQL.

    Args:
        connection: The file, open for writing.
    """
    connection.create_function("checksum_of_row", len(CHECKED), checksums.of_row, deterministic=True)
    connection.create_function("checksum_of_text", 2, checksums.of_text, deterministic=True)


def check_plain(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    """Checks that tables hold rows and run nothing: a view of somebody else may never end, and Ctrl-C does not end it.

    Args:
        connection: The file; from here on it has no value above 256 MiB.
        names: The tables, in lower case; those that are missing are not looked for.

    Raises:
        sqlite3.Error: One is a view or a virtual table, or has a trigger.
    """
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
    found = connection.execute(_NOT_PLAIN.format(", ".join("?" * len(names))), names).fetchone()
    if found is not None:
        kind = "virtual table" if found[1] == "table" else found[1]
        raise sqlite3.DatabaseError(f"its tables must be plain ones without triggers, but {found[0]!r} is a {kind}")


def setting(**values: str) -> str:
    """Returns what follows SET to give a row of trials values, and the checksum of all its values.

    Args:
        **values: Column -> its value in SQL.
    """
    covered = ", ".join(values.get(name, name) for name in CHECKED)
    return ", ".join(
        [*(f"{name} = {value}" for name, value in values.items()), f"checksum = checksum_of_row({covered})"]
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
    if version < CURVES_SINCE:
        connection.execute(_CURVES)
    connection.execute("ALTER TABLE meta ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    add_checksums(connection)
    connection.execute(f"UPDATE trials SET checksum = {CHECKSUM}")  # noqa: S608  # the names are our own
    connection.execute("UPDATE meta SET checksum = checksum_of_text(key, value)")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def meta_to_text(meta: Meta) -> str:
    """Returns a study's record as it is stored."""
    stored = meta._asdict()
    for name in ("more_objectives", "trial_names"):
        if not stored[name]:  # earlier versions do not know it
            del stored[name]
    return to_json(stored)


def set_meta(**values: str) -> tuple[str, list[str | int]]:
    """Returns the statement that stores something of the study, and its values.

    Args:
        **values: Key -> text.
    """
    rows: list[str | int] = []
    for key, value in values.items():
        rows += (key, value, checksums.of_text(key, value))
    marks = ", ".join(["(?, ?, ?)"] * len(values))
    return f"INSERT OR REPLACE INTO meta (key, value, checksum) VALUES {marks}", rows  # noqa: S608  # only marks


def stored_in(connection: sqlite3.Connection, key: str) -> str | None:
    """Returns what is stored of the study under a key; None if nothing is.

    Args:
        connection: The file.
        key: Such as ``study`` or ``reason``.

    Raises:
        DamagedError: It is not as it was stored.
    """
    row = connection.execute("SELECT * FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row[2:] and checksums.of_text(key, row[1]) != row[2]:
        raise DamagedError(f"what it has of the study ({key}) is not as it was stored")
    return str(row[1])


def meta_of(connection: sqlite3.Connection) -> Meta | None:
    """Returns the study's record; None while there is none yet.

    Args:
        connection: The file.

    Raises:
        DamagedError: It is not as it was stored.
    """
    text = stored_in(connection, "study")
    return None if text is None else meta_from_text(text)


def meta_from_text(text: str) -> Meta:
    """Returns the study's record that `meta_to_text` has made a text."""
    data = json_input.loads(text)
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


class DamagedError(Exception):
    """What is stored is not what was stored."""


# What the conversion of a damaged row leads to.
_DAMAGED = (DamagedError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


@contextmanager
def reading(folder: RunFolder) -> Iterator[None]:
    """Translates SQLite's errors, and those of converting what is damaged.

    Raises:
        StoreError: The file cannot be read.
    """
    try:
        with translated(folder):
            yield
    except _DAMAGED as error:
        said = str(error) if isinstance(error, DamagedError) else f"a value cannot be read ({type(error).__name__})"
        raise damaged(folder, said) from error


@contextmanager
def full_disk_as_os_error() -> Iterator[None]:
    """Gives SQLite's errors that a machine causes the form of the system's.

    Raises:
        OSError: The disk is full, or fails. Nothing of the transaction is in the file.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        number = _OF_MACHINE.get(error.sqlite_errorcode & 0xFF)
        if number is None:
            raise
        raise OSError(number, os.strerror(number)) from error


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
            f"if {folder.database.name} is damaged, {salvage_hint(folder)}"
        )
        raise StoreError(message, str(folder.path)) from error


def salvage_hint(folder: RunFolder) -> str:
    """Returns what to do about a damaged file."""
    return f"save what can be read of it (kftune results {folder.path} --salvage), or start again (--fresh)"


def damaged(folder: RunFolder, what: str) -> StoreError:
    """Returns the error of a damaged file.

    Args:
        folder: Where it is.
        what: What shows that.
    """
    return StoreError(f"{folder.database.name} is damaged: {what}; {salvage_hint(folder)}", str(folder.path))
