"""`Store`: writes a study's trials as they start and end, so that a kill at any moment loses none that has ended."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from kftune.errors import StoreError
from kftune.results.layout import RunFolder, trial_name
from kftune.results.lock import take_lock
from kftune.results.records import FINISHED, Ending, Meta, Trial
from kftune.results.schema import FORMAT, SELECT, TABLES, damaged, meta_of, meta_to_text, to_json, trial_of

_FINISHED = ", ".join(f"'{state}'" for state in FINISHED)
_INSERT = (
    "INSERT OR REPLACE INTO trials (number, state, attempt, assignment, point, metrics, started, message, pid, "
    "pid_started) VALUES (?, 'Running', ?, ?, ?, '{}', ?, '', ?, ?)"
)
_END = (  # the names in it are our own
    "UPDATE trials SET state = ?, metrics = ?, objective = ?, ended = ?, duration = ?, exit_code = ?, message = ?, "  # noqa: S608
    f"pid = NULL, pid_started = NULL WHERE number = ? AND state NOT IN ({_FINISHED})"
)
_ACTIVE = "INSERT OR REPLACE INTO meta (key, value) VALUES ('active_seconds', ?)"
_REASON = "INSERT OR REPLACE INTO meta (key, value) VALUES ('reason', ?)"


class Started(NamedTuple):
    """A trial's process runs."""

    number: int
    attempt: int
    assignment: dict[str, str]
    point: dict[str, Any]
    started: str
    pid: int | None
    pid_started: float | None


class Store:
    """The results of one study, open for writing by this process alone.

    Every call that changes something is one transaction, and what it wrote survives the death of this process at any
    moment after. `synchronise` makes it survive a power cut as well, as Optuna's SQLite storage does: the engine calls
    it once for every end of a trial, when the next one runs already, and tells of the end only then.

    Args:
        folder: Where the results are; made when missing.
        meta: The study. A study that is there already must have the same identity; the rest of it is replaced, but for
            its name in file names and the time of its beginning.
        keep_seed: Whether the seed that is stored counts, and not the one in `meta`.
        fresh: Move results that are there aside, and begin with none.

    Raises:
        StoreError: Another run writes here, the results are those of another study, or they cannot be read.
    """

    def __init__(self, folder: Path, meta: Meta, *, keep_seed: bool = False, fresh: bool = False) -> None:
        self._keep_seed = keep_seed
        self.folder = RunFolder(folder)
        self._lock = take_lock(self.folder.lock)
        try:
            if fresh and self.folder.database.exists():
                _move_aside(folder)
                os.close(self._lock)
                self._lock = take_lock(self.folder.lock)
            self._open(meta)
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, meta: Meta) -> None:
        self.folder.logs.mkdir(exist_ok=True)
        self.folder.outputs.mkdir(exist_ok=True)
        with self._translated():
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
        if version > FORMAT:
            raise StoreError(
                f"these results have format {version}, and this kftune writes {FORMAT}; update kftune",
                str(self.folder.path),
            )
        if version == 0:
            self._connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT")
        stored = meta_of(self._connection)
        if stored is not None:
            _check_same_study(stored, meta, self.folder)
            seed = stored.seed if self._keep_seed else meta.seed
            meta = meta._replace(created=stored.created, slug=stored.slug, seed=seed)
        run("INSERT OR REPLACE INTO meta (key, value) VALUES ('study', ?)", (meta_to_text(meta),))
        run("DELETE FROM meta WHERE key = 'reason'")
        self.meta = meta
        row = run("SELECT value FROM meta WHERE key = 'active_seconds'").fetchone()
        self.active_before = 0.0 if row is None else float(row[0])
        self._opened = time.monotonic()
        self._to_disk = True

    # -- reading -----------------------------------------------------------------------------------------------

    @property
    def active_seconds(self) -> float:
        """How long runs of this study have been at work, all together."""
        return self.active_before + time.monotonic() - self._opened

    def trials(self) -> list[Trial]:
        """Every trial, by number."""
        with self._translated():
            rows = self._connection.execute(f"{SELECT} ORDER BY number").fetchall()
        return [trial_of(row, self.meta.slug) for row in rows]

    def trial(self, number: int) -> Trial:
        """One trial."""
        with self._translated():
            row = self._connection.execute(f"{SELECT} WHERE number = ?", (number,)).fetchone()
        return trial_of(row, self.meta.slug)

    def name(self, number: int) -> str:
        """The name of trial number `number`."""
        return trial_name(self.meta.slug, number)

    # -- writing -----------------------------------------------------------------------------------------------

    def start(self, trial: Started) -> None:
        """Keeps that a trial runs."""
        values = (
            trial.number,
            trial.attempt,
            to_json(trial.assignment),
            to_json(trial.point),
            trial.started,
            trial.pid,
            trial.pid_started,
        )
        self._commit(_INSERT, values, to_disk=False)

    def end(self, number: int, ending: Ending) -> None:
        """Keeps how a trial ended; one that has finished stays as it is. `synchronise` puts it on the disk."""
        values = (
            ending.state,
            to_json(ending.metrics),
            ending.objective,
            ending.ended,
            ending.duration,
            ending.exit_code,
            ending.message,
            number,
        )
        self._commit(_END, values, to_disk=False)

    def conclude(self, reason: str) -> None:
        """Keeps what ended the run; the next one replaces it."""
        self._commit(_REASON, (reason,), to_disk=False)

    def synchronise(self) -> None:
        """Puts everything on the disk, and the time at work with it."""
        self._commit(_ACTIVE, (repr(self.active_seconds),), to_disk=True)

    def _commit(self, statement: str, values: Sequence[object], *, to_disk: bool) -> None:
        """Runs one statement as a transaction of its own; with `to_disk` it and all before it are synchronised."""
        with self._translated():
            if to_disk != self._to_disk:
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if to_disk else 'NORMAL'}")
                self._to_disk = to_disk
            self._connection.execute(statement, values)

    def close(self) -> None:
        """Lets go of the results; other runs may have them then."""
        try:
            self.synchronise()
        finally:
            self._connection.close()
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(damaged(self.folder, error), str(self.folder.path)) from error


def _move_aside(folder: Path) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    number = 1
    target = folder.with_name(f"{folder.name}.old-{stamp}")
    while target.exists():
        number += 1
        target = folder.with_name(f"{folder.name}.old-{stamp}-{number}")
    folder.rename(target)


def _check_same_study(stored: Meta, meta: Meta, folder: RunFolder) -> None:
    if stored.identity == meta.identity:
        return
    # Older results keep fewer parts; a part that they do not keep cannot be compared.
    kept = {key: value for key, value in meta.compared.items() if key in stored.compared}
    found = _changes(stored.compared, kept)
    if not found and stored.compared.keys() < meta.compared.keys():
        return
    changes = "\n".join(f"  {change}" for change in found)
    what = "study" if meta.experiment is None else "Experiment"
    raise StoreError(
        f"results that are compared must come from one space, objective and command, but since these were written the "
        f"{what} {meta.name!r} has changed:\n{changes}\n"
        f"Undo the change, keep both with another folder (--dir), or begin anew (--fresh moves these results aside)",
        str(folder.path),
    )


def _changes(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """One line for each difference of two nested mappings."""
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
