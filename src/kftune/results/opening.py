"""Opens the file with the trials, and refuses one that is damaged: every check that does not need its rows."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from kftune.errors import StoreError
from kftune.results.layout import RunFolder
from kftune.results.lines import Lines, read
from kftune.results.records import FINISHED, Meta
from kftune.results.tables import (
    CHECKED,
    FORMAT,
    NAMES,
    TABLES,
    add_checksums,
    check_format,
    check_plain,
    damaged,
    meta_to_text,
    reading,
    salvage_hint,
    set_meta,
)

_MAGIC = b"SQLite format 3\0"
_LEAST = 512
_ENDS = ("", "-wal", "-shm", "-journal")


def files_of(database: Path) -> list[Path]:
    """Returns the file with the trials, and the further files of SQLite, which need not be there."""
    return [database.with_name(f"{database.name}{end}") for end in _ENDS]


def identity_of(path: Path) -> tuple[int, int] | None:
    """Returns what tells a file from another one of the same name; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def check_head(folder: RunFolder) -> None:
    """Checks that a file is one of SQLite. SQLite takes an empty one for new, and deletes its write-ahead log.

    Raises:
        StoreError: It is not.
    """
    try:
        with folder.database.open("rb") as file:
            head, size = file.read(len(_MAGIC)), os.fstat(file.fileno()).st_size
    except OSError:  # SQLite says more
        return
    if not size:
        raise damaged(folder, "it is empty")
    if head != _MAGIC or size < _LEAST:
        raise damaged(folder, "it is not a database of SQLite")


def check_tables(connection: sqlite3.Connection, folder: RunFolder) -> int:
    """Checks the form of the trials' tables, and returns the format.

    Args:
        connection: The file.
        folder: Where it is.

    Raises:
        StoreError: It is damaged, or a newer kftune has written it.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    check_format(version, folder, "reads")
    for table in ("meta", "trials"):
        found = connection.execute(f"PRAGMA quick_check({table})").fetchone()
        if found is not None and found[0] != "ok":
            raise damaged(folder, " ".join(str(found[0]).split()))
    if version < 1:
        raise damaged(folder, "it has no study")
    return version


def open_for_writing(folder: RunFolder, meta: Meta) -> sqlite3.Connection:
    """Opens the file with the trials; a new one appears with its study, or not at all.

    Args:
        folder: Where it is. The caller holds its lock.
        meta: The study of a new one.

    Raises:
        StoreError: It is damaged, or it is gone and the trials of it are not.
    """
    database = folder.database
    if not os.path.lexists(database):
        _refuse_without(folder, read(folder.lines))
        _create(database, meta)
    check_head(folder)
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        add_checksums(connection)
        with reading(folder):
            check_plain(connection, NAMES)
            check_tables(connection, folder)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_without(folder: RunFolder, lines: Lines) -> None:
    if lines.rows:
        raise StoreError(
            f"{folder.lines.name} has {len(lines.rows)} finished trials, but {folder.database.name} is gone; "
            f"{salvage_hint(folder)}",
            str(folder.path),
        )


def _create(database: Path, meta: Meta) -> None:
    """Makes a new file under another name: a kill must not leave one without its study, which looks damaged."""
    new = database.with_name(f"{database.name}.new")
    for path in files_of(new):
        path.unlink(missing_ok=True)
    write_new(new, meta_to_text(meta))
    new.replace(database)


def write_new(path: Path, study: str, rows: list[tuple[Any, ...]] | None = None) -> None:
    """Writes a new file with trials, and waits for the disk.

    Args:
        path: Where.
        study: The record of the study.
        rows: The columns in `CHECKED` of each trial.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        add_checksums(connection)
        run = connection.execute
        connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FORMAT}")
        run(*set_meta(study=study))
        insert(connection, rows or [])
        run("COMMIT")
    finally:
        connection.close()


def insert(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Adds trials, or replaces those of their numbers.

    Args:
        connection: The file, with the functions of `add_checksums`.
        rows: The columns in `CHECKED` of each trial.
    """
    marks = ", ".join(f"?{index}" for index in range(1, len(CHECKED) + 1))
    connection.executemany(
        f"INSERT OR REPLACE INTO trials ({', '.join(CHECKED)}, checksum) VALUES ({marks}, checksum_of_row({marks}))",  # noqa: S608  # the names are our own
        rows,
    )


def is_behind(connection: sqlite3.Connection, row: tuple[Any, ...]) -> bool:
    """Whether the file has lost the end of a trial.

    Args:
        connection: The file.
        row: The columns in `CHECKED` of the trial, which has finished.
    """
    given = dict(zip(CHECKED, row, strict=True))
    query = "SELECT state, attempt, assignment FROM trials WHERE number = ?"
    found = connection.execute(query, (given["number"],)).fetchone()
    if found is None:
        return True
    state, attempt, assignment = found
    # It may have been started again since, or with other values.
    return state not in FINISHED and attempt <= given["attempt"] and assignment == given["assignment"]
