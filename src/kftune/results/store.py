"""`Store`: records a study's trials as they start and end. A kill at any moment loses no trial that has ended."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from kftune.errors import StoreError
from kftune.metrics.curves import Curve
from kftune.results import curves
from kftune.results.layout import ASIDE, RunFolder
from kftune.results.lock import take_lock
from kftune.results.records import FINISHED, Meta, Trial, TrialEnd, TrialStart
from kftune.results.tables import (
    FORMAT,
    TABLES,
    check_format,
    full_disk_as_os_error,
    meta_of,
    meta_to_text,
    origin_to_row,
    retried_to_text,
    select,
    to_json,
    translated,
    trial_of,
    update,
)

_Statement = tuple[str, Sequence[object] | Mapping[str, object]]
"""SQL, and its values."""

_NO_CURVES: Mapping[str, Curve] = {}
_FINISHED = ", ".join(f"'{state}'" for state in FINISHED)
_SELECT = select(FORMAT)
_INSERT = (
    "INSERT OR REPLACE INTO trials (number, state, attempt, assignment, point, metrics, started, message, pid, "
    "pid_started, algorithm, settings, seed, code, revision, retried) VALUES (:number, 'Running', :attempt, "
    ":assignment, :point, '{}', :started, '', :pid, :pid_started, :algorithm, :settings, :seed, :code, :revision, "
    ":retried)"
)
_GO_ON = (
    "UPDATE trials SET state = 'Running', attempt = :attempt, message = '', ended = NULL, exit_code = NULL, "
    "pid = :pid, pid_started = :pid_started, code = :code, revision = :revision, retried = :retried "
    "WHERE number = :number"
)
_END = (  # the names in it are our own
    "UPDATE trials SET state = ?, metrics = ?, objective = ?, ended = ?, duration = ?, exit_code = ?, message = ?, "  # noqa: S608
    f"retried = ?, stopped_by = ?, pid = NULL, pid_started = NULL WHERE number = ? AND state NOT IN ({_FINISHED})"
)
_AGAIN = (
    "UPDATE trials SET state = 'Killed', assignment = ?, message = ?, metrics = '{}', objective = NULL, "
    "exit_code = NULL WHERE number = ?"
)
_SECONDS = "INSERT OR REPLACE INTO meta (key, value) VALUES ('active_seconds', ?), ('trial_seconds', ?)"
_REASON = "INSERT OR REPLACE INTO meta (key, value) VALUES ('reason', ?)"
_TARGETS = "INSERT OR REPLACE INTO meta (key, value) VALUES ('targets', ?)"


class Store:
    """The results of one study, open for writing by this process only.

    Every call that changes something is one transaction, and its data survives if this process is killed afterwards.
    `synchronise` makes it survive a power cut too, as Optuna's SQLite storage does. The engine calls it once after the
    end of each trial, when the next trial is already running, and reports the end only then.

    Args:
        folder: Where the results are; created when missing. A `RunFolder` with names for an experiment list.
        meta: The study. Stored results must have the same identity; their other data is replaced, except for the name
            used in file names and the time of creation.
        keep_seed: Whether the stored seed is used in place of the one in `meta`.
        fresh: Whether existing results are moved aside.

    Raises:
        StoreError: Another run writes here, the results are those of another study, they cannot be read, or they
            cannot be moved aside because other files are in the folder.

    Attributes:
        patience: Called with what cannot be done and an action; does it as soon as the machine lets it.
        trial_seconds: How long all trials together ran, with all their tries. The engine keeps it up to date.
    """

    def __init__(self, folder: Path | RunFolder, meta: Meta, *, keep_seed: bool = False, fresh: bool = False) -> None:
        self._keep_seed = keep_seed
        self.patience: Callable[[str, Callable[[], None]], None] = lambda what, action: action()
        self.folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
        self._lock = take_lock(self.folder.lock)
        try:
            if fresh and self.folder.database.exists():
                _move_aside(self.folder)
                os.close(self._lock)
                self._lock = take_lock(self.folder.lock)
            self._open(meta)
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, meta: Meta) -> None:
        self.folder.logs.mkdir(exist_ok=True)
        self.folder.outputs.mkdir(exist_ok=True)
        with translated(self.folder):
            self._connection = sqlite3.connect(self.folder.database, isolation_level=None)
            try:
                self._prepare(meta)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, meta: Meta) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        version = run("PRAGMA user_version").fetchone()[0]
        check_format(version, self.folder, "writes")
        if version == 0:
            self._connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT")
        stored = meta_of(self._connection)
        if stored is not None:
            _check_same_study(stored, meta, self.folder)
            seed = stored.seed if self._keep_seed else meta.seed
            meta = meta._replace(created=stored.created, slug=stored.slug, seed=seed)
            if meta.trial_names:
                kept = stored.trial_names[: self.next_number() - 1]
                new = [name for name in meta.trial_names if name not in kept]
                meta = meta._replace(trial_names=(*kept, *new))
                self.folder = self.folder._replace(names=tuple({*self.folder.names, *meta.trial_names}))
        if 0 < version < FORMAT:
            update(self._connection, version, stored or meta)
        run("INSERT OR REPLACE INTO meta (key, value) VALUES ('study', ?)", (meta_to_text(meta),))
        run("DELETE FROM meta WHERE key = 'reason'")
        self.meta = meta
        seconds = dict(run("SELECT key, value FROM meta WHERE key IN ('active_seconds', 'trial_seconds')").fetchall())
        self.active_before = float(seconds.get("active_seconds", 0))
        # Earlier versions did not store it, and knew of each trial its last try only.
        self.trial_seconds = float(seconds.get("trial_seconds") or self._durations())
        self._opened = time.monotonic()
        self._to_disk = True
        self._file = _identity(self.folder.database)

    @property
    def active_seconds(self) -> float:
        """How long all runs of this study took together."""
        return self.active_before + time.monotonic() - self._opened

    def _durations(self) -> float:
        total: float = self._connection.execute("SELECT total(duration) FROM trials").fetchone()[0]
        return total

    def trials(self) -> list[Trial]:
        """Returns every trial, by number."""
        with translated(self.folder):
            rows = self._connection.execute(f"{_SELECT} ORDER BY number").fetchall()
        return [trial_of(row, self.meta) for row in rows]

    def trial(self, number: int) -> Trial:
        """Returns one trial."""
        with translated(self.folder):
            row = self._connection.execute(f"{_SELECT} WHERE number = ?", (number,)).fetchone()
        return trial_of(row, self.meta)

    def next_number(self) -> int:
        """Returns the number of the next new trial."""
        with translated(self.folder):
            found = self._connection.execute("SELECT max(number) FROM trials").fetchone()[0]
        return int(found or 0) + 1

    def run_again(self, number: int, assignment: Mapping[str, str], message: str) -> None:
        """Lets a trial start again with other texts: its result is that of another experiment now.

        Args:
            number: The trial.
            assignment: The texts that it gets.
            message: Why it has no result.
        """
        self._commit((_AGAIN, (to_json(assignment), message, number)), to_disk=True)

    def name(self, number: int) -> str:
        """Returns the name of trial number `number`."""
        return self.meta.trial_name(number)

    def start(self, trial: TrialStart) -> None:
        """Records that a trial runs. One that goes on keeps what it has reported so far."""
        texts = {
            "assignment": to_json(trial.assignment),
            "point": to_json(trial.point),
            "retried": retried_to_text(trial.retried),
        }
        # An earlier try may have left curves.
        earlier: list[_Statement] = [(curves.DELETE, (trial.number,))] if trial.attempt > 1 else []
        row = {**trial._asdict(), **texts, **origin_to_row(trial.origin)}
        if trial.goes_on:
            self._commit((_GO_ON, row), to_disk=False)
        else:
            self._commit((_INSERT, row), *earlier, to_disk=False)

    def end(self, number: int, end: TrialEnd, reported: Mapping[str, Curve] = _NO_CURVES) -> None:
        """Records how a trial ended, unless it has finished before.

        Args:
            number: The trial.
            end: How it ended. `synchronise` writes this to the disk.
            reported: Its curves, by metric.
        """
        values = {**end._asdict(), "metrics": to_json(end.metrics), "retried": retried_to_text(end.retried)}
        rows = [(curves.INSERT, row) for row in curves.rows(number, reported)]
        self._commit((_END, [*values.values(), number]), *rows, to_disk=False)

    def curves(self, number: int) -> dict[str, Curve]:
        """Returns the curves of one trial, by metric."""
        found = curves.read(self._connection, self.folder, self.meta, number=number)
        return {metric: curve for _, metric, curve in found}

    def check_place(self) -> None:
        """Checks that the file is still where other programs find it: SQLite goes on writing to a deleted one.

        Raises:
            StoreError: It was deleted, moved or replaced.
        """
        if _identity(self.folder.database) != self._file:
            raise StoreError(
                f"{self.folder.database.name} was deleted, moved or replaced while this run wrote to it, so "
                f"results are lost; run again, and leave the folder as it is while a run goes on",
                str(self.folder.path),
            )

    def conclude(self, reason: str, targets: Sequence[Mapping[str, object]] = ()) -> None:
        """Records what ended the run; the next run replaces it.

        Args:
            reason: What ended it.
            targets: The targets of the study, and which of them were met.
        """
        self._commit((_REASON, (reason,)), (_TARGETS, (to_json(targets),)), to_disk=False)

    def synchronise(self) -> None:
        """Writes everything to the disk, together with the time that runs and trials took.

        Raises:
            StoreError: The file is gone, or cannot be written.
        """
        self.check_place()
        self._commit((_SECONDS, (repr(self.active_seconds), repr(self.trial_seconds))), to_disk=True)

    def _commit(self, *statements: _Statement, to_disk: bool) -> None:
        """Runs statements as one transaction; with `to_disk` it and all earlier ones are synchronised."""
        with translated(self.folder):
            try:
                self.patience("the results cannot be written", lambda: self._write(statements, to_disk=to_disk))
            except OSError as error:  # nobody has waited
                raise error.__cause__ or error from None

    def _write(self, statements: Sequence[_Statement], *, to_disk: bool) -> None:
        """Does what `_commit` does; a full disk is an `OSError`."""
        run = self._connection.execute
        with full_disk_as_os_error():
            if to_disk != self._to_disk:
                run(f"PRAGMA synchronous = {'FULL' if to_disk else 'NORMAL'}")
                self._to_disk = to_disk
            if len(statements) == 1:
                run(*statements[0])
                return
            run("BEGIN IMMEDIATE")
            try:
                for statement in statements:
                    run(*statement)
                run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    run("ROLLBACK")
                raise

    def close(self) -> None:
        """Releases the results, so that another run can write them."""
        try:
            self.synchronise()
        finally:
            self._connection.close()
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Returns what tells a file from another one of the same name; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _move_aside(results: RunFolder) -> None:
    others, folder = results.others(), results.path
    if others:
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        option, outputs = ("--output-dir", "their folders") if results.names else ("--dir", "trials/")
        raise StoreError(
            f"to start again, --fresh moves the whole folder aside, so it must contain nothing but results; but it has "
            f"{shown}. Give the new results another folder ({option}), or move trials.db, logs/ and {outputs} away "
            f"yourself",
            str(folder),
        )
    name = f"{folder.name}{ASIDE}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    target, number = folder.with_name(name), 1
    while target.exists():
        number += 1
        target = folder.with_name(f"{name}-{number}")
    folder.rename(target)


def _check_same_study(stored: Meta, meta: Meta, folder: RunFolder) -> None:
    if stored.identity == meta.identity:
        return
    # Results of earlier versions store fewer parts; the others cannot be compared.
    kept = {key: value for key, value in meta.compared.items() if key in stored.compared}
    found = _changes(stored.compared, kept)
    if not found and stored.compared.keys() < meta.compared.keys():
        return
    changes = "\n".join(f"  {change}" for change in found)
    what = "list" if meta.trial_names else "study" if meta.experiment is None else "Experiment"
    option = "--output-dir" if meta.trial_names else "--dir"
    raise StoreError(
        f"all results of a study must come from the same space, objective and command, but since these were written "
        f"the {what} {meta.name!r} has changed:\n{changes}\n"
        f"Undo the change, keep both in another folder ({option}), or start again (--fresh moves these results aside)",
        str(folder.path),
    )


def _changes(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """Returns one line for each difference between two nested mappings."""
    lines = []
    for key in dict.fromkeys((*before, *now)):
        name, old, new = f"{prefix}{key}", before.get(key), now.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and not prefix:
            lines += _changes(old, new, f"{name}.")
        else:
            lines.append(f"{name}: was {_shown(old)}, is {_shown(new)}")
    return lines


def _shown(value: object) -> str:
    return "not there" if value is None else to_json(value)
