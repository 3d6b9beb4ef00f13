"""`Store`: records a study's trials as they start and end. A kill at any moment loses no trial that has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Self

from kftune.errors import StoreError
from kftune.metrics.curves import Curve
from kftune.results import curves, statements
from kftune.results.boot import boot_id
from kftune.results.layout import ASIDE, RunFolder
from kftune.results.lines import Hold, LineFile, Lines, at_once, leave_copy
from kftune.results.lines import read as read_lines
from kftune.results.lock import take_lock
from kftune.results.opening import identity_of, insert, is_behind, open_for_writing
from kftune.results.records import FINISHED, Meta, Trial, TrialEnd, TrialStart
from kftune.results.same_study import check_same_study
from kftune.results.tables import (
    FORMAT,
    damaged,
    full_disk_as_os_error,
    meta_from_text,
    meta_of,
    meta_to_text,
    origin_to_row,
    reading,
    retried_to_text,
    set_meta,
    stored_in,
    to_json,
    translated,
    trial_of,
    update,
)

_Statement = tuple[str, Sequence[object] | Mapping[str, object]]
"""SQL, and its values."""

FILES_OF_STORE = 5
"""How many files are open: the lock, those of SQLite, and the second copy."""

_SHOWN = 3
_NO_CURVES: Mapping[str, Curve] = {}


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
        notes: What the user should know about the results as they were found.
        trial_seconds: How long all trials together ran, with all their tries. The engine keeps it up to date.
    """

    def __init__(self, folder: Path | RunFolder, meta: Meta, *, keep_seed: bool = False, fresh: bool = False) -> None:
        self._keep_seed = keep_seed
        self._is_open = True
        self._hold: Hold = at_once
        self.folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
        self.notes: list[str] = []
        self._left: Path | None = None
        self._lock = take_lock(self.folder.lock)
        try:
            if fresh and self.folder.has_results():
                _move_aside(self.folder)
                moved, self._lock = self._lock, take_lock(self.folder.lock)
                os.close(moved)
            self._open(meta)
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, meta: Meta) -> None:
        self.folder.logs.mkdir(exist_ok=True)
        self.folder.outputs.mkdir(exist_ok=True)
        with reading(self.folder):
            self._connection = open_for_writing(self.folder, meta)
            try:
                self._lines = self._open_lines({self._prepare(meta).identity, meta.identity})
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, meta: Meta) -> Meta:
        """Takes over what is stored of the study, and returns it as the last run had it."""
        run = self._connection.execute
        stored = meta_of(self._connection)
        if stored is None:
            raise damaged(self.folder, "it has no study")
        check_same_study(stored, meta, self.folder)
        seed = stored.seed if self._keep_seed else meta.seed
        meta = meta._replace(created=stored.created, slug=stored.slug, seed=seed)
        if meta.trial_names:
            kept = stored.trial_names[: self.next_number() - 1]
            new = [name for name in meta.trial_names if name not in kept]
            meta = meta._replace(trial_names=(*kept, *new))
            self.folder = self.folder._replace(names=tuple({*self.folder.names, *meta.trial_names}))
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        version = run("PRAGMA user_version").fetchone()[0]
        if version < FORMAT:
            update(self._connection, version, stored)
        boot = boot_id()
        if stored_in(self._connection, "boot") != boot:
            run(statements.FORGET)
        run(*set_meta(study=meta_to_text(meta), boot=boot))
        run("DELETE FROM meta WHERE key = 'reason'")
        self.meta = meta
        self.active_before = float(stored_in(self._connection, "active_seconds") or 0)
        # Earlier versions did not store it, and knew of each trial its last try only.
        self.trial_seconds = float(stored_in(self._connection, "trial_seconds") or self._durations())
        self._opened: float | None = time.monotonic()
        self._to_disk = True
        self._file = identity_of(self.folder.database)
        return stored

    def _open_lines(self, known: Container[str]) -> LineFile:
        """Opens the second copy. What one of the two copies has lost, it gets from the other one.

        Args:
            known: The identities of this study.
        """
        found = read_lines(self.folder.lines)
        if found.study is not None and meta_from_text(found.study).identity not in known:
            self.folder.unstore(self.folder.lines)  # it is of another study, whose trials.db is gone
            found = Lines(None, {}, 0)
        lost = [row for row in found.rows.values() if is_behind(self._connection, row)]
        if lost:
            names = ", ".join(self.name(row[0]) for row in lost[:_SHOWN])
            more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
            self.notes.append(
                f"{self.folder.lines.name} has the end of {names}{more}, which {self.folder.database.name} lost"
            )
            insert(self._connection, lost)
        lines = LineFile(self.folder.lines)
        text = meta_to_text(self.meta)
        if text != found.study:
            lines.study(text)
        for row in self._connection.execute(statements.ALL_FINISHED).fetchall():
            if row != found.rows.get(row[0]):
                lines.trial(row)
        return lines

    def wait_with(self, hold: Hold) -> None:
        """Lets writing wait where the machine cannot write.

        Args:
            hold: Called with what cannot be done and an action; does it as soon as the machine lets it.
        """
        self._hold = self._lines.hold = hold

    @property
    def active_seconds(self) -> float:
        """How long all runs of this study took together."""
        return self.active_before + (0.0 if self._opened is None else time.monotonic() - self._opened)

    def stop_clock(self) -> None:
        """Lets the time that passes from now on not count."""
        self.active_before, self._opened = self.active_seconds, None

    def start_clock(self) -> None:
        """Lets it count again."""
        self._opened = self._opened or time.monotonic()

    def release(self) -> None:
        """Closes the files; `reopen` opens them again, before any other call but `close`."""
        self.close()

    def reopen(self) -> None:
        """Opens the files that `release` has closed.

        Raises:
            StoreError: Another run writes here, or the file is gone.
        """
        if self._is_open:
            return
        self.check_place()
        self._lock = take_lock(self.folder.lock)
        try:
            self._connection = open_for_writing(self.folder, self.meta)
            self._connection.execute("PRAGMA synchronous = FULL")
            self._lines = LineFile(self.folder.lines)
        except BaseException:
            os.close(self._lock)
            raise
        self._to_disk = self._is_open = True

    def _durations(self) -> float:
        total: float = self._connection.execute("SELECT total(duration) FROM trials").fetchone()[0]
        return total

    def trials(self) -> list[Trial]:
        """Returns every trial, by number."""
        with reading(self.folder):
            rows = self._connection.execute(f"{statements.SELECT} ORDER BY number").fetchall()
            return [trial_of(row, self.meta) for row in rows]

    def trial(self, number: int) -> Trial:
        """Returns one trial."""
        with reading(self.folder):
            row = self._connection.execute(f"{statements.SELECT} WHERE number = ?", (number,)).fetchone()
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
        values = {"assignment": to_json(assignment), "message": message, "number": number}
        self._commit((statements.AGAIN, values), to_disk=True)

    def name(self, number: int) -> str:
        """Returns the name of trial number `number`."""
        return self.meta.trial_name(number)

    def kept(self, key: str) -> str | None:
        """Returns a text that `keep` has stored; None if there is none."""
        with translated(self.folder):
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, key: str, text: str) -> None:
        """Stores a text with the results, for later runs.

        Args:
            key: Its name.
            text: The text.
        """
        self._commit(("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, text)), to_disk=True)

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
            self._commit((statements.GO_ON, row), to_disk=False)
        else:
            self._commit((statements.INSERT, row), *earlier, to_disk=False)

    def end(self, number: int, end: TrialEnd, reported: Mapping[str, Curve] = _NO_CURVES) -> None:
        """Records how a trial ended, unless it has finished before.

        Args:
            number: The trial.
            end: How it ended. `synchronise` writes this to the disk.
            reported: Its curves, by metric.
        """
        texts = {"metrics": to_json(end.metrics), "retried": retried_to_text(end.retried)}
        rows = [(curves.INSERT, row) for row in curves.rows(number, reported)]
        self._commit((statements.END, {**end._asdict(), **texts, "number": number}), *rows, to_disk=False)
        if end.state in FINISHED:
            with translated(self.folder):
                row = self._connection.execute(statements.ROW, (number,)).fetchone()
            self._lines.trial(row)

    def curves(self, number: int) -> dict[str, Curve]:
        """Returns the curves of one trial, by metric."""
        found = curves.read(self._connection, self.folder, self.meta, number=number)
        return {metric: curve for _, metric, curve in found}

    def check_place(self) -> None:
        """Checks that the file is still where other programs find it: SQLite goes on writing to a deleted one.

        Raises:
            StoreError: It was deleted, moved or replaced. A file beside the folder has what was stored.
        """
        there = identity_of(self.folder.database)
        if self._left is None and (there is None or there != self._file):
            with reading(self.folder):
                rows = self._connection.execute(statements.ALL_FINISHED).fetchall()
            self._left = leave_copy(self.folder.path, meta_to_text(self.meta), rows)
        if self._left is not None:
            raise StoreError(
                f"{self.folder.database.name} was deleted, moved or replaced while this run wrote to it. What this run "
                f"knows of its finished trials is in {self._left} (kftune results {self._left}); put the folder back "
                f"as it was, and leave it as it is while a run goes on",
                str(self.folder.path),
            )

    def conclude(self, reason: str, targets: Sequence[Mapping[str, object]] = ()) -> None:
        """Records what ended the run; the next run replaces it.

        Args:
            reason: What ended it.
            targets: The targets of the study, and which of them were met.
        """
        self._commit(set_meta(reason=reason, targets=to_json(targets)), to_disk=False)

    def synchronise(self) -> None:
        """Writes everything to the disk, together with the time that runs and trials took.

        Raises:
            StoreError: The file is gone, or cannot be written.
        """
        self.check_place()
        seconds = {"active_seconds": repr(self.active_seconds), "trial_seconds": repr(self.trial_seconds)}
        self._commit(set_meta(**seconds), to_disk=True)

    def _commit(self, *statements: _Statement, to_disk: bool) -> None:
        """Runs statements as one transaction; with `to_disk` it and all earlier ones are synchronised."""
        with translated(self.folder):
            try:
                self._hold("the results cannot be written", lambda: self._write(statements, to_disk=to_disk))
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
        if not self._is_open:
            return
        self._is_open = False
        try:
            self.synchronise()
        finally:
            self._connection.close()
            self._lines.close()
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _move_aside(results: RunFolder) -> None:
    others, folder = results.others(), results.path
    if others:
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        option, outputs = ("--output-dir", "their folders") if results.names else ("--dir", "trials/")
        raise StoreError(
            f"to start again, --fresh moves the whole folder aside, so it must contain nothing but results; but it has "
            f"{shown}. Give the new results another folder ({option}), or move trials.db, trials.jsonl, logs/ and "
            f"{outputs} away yourself",
            str(folder),
        )
    name = f"{folder.name}{ASIDE}{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    target, number = folder.with_name(name), 1
    while target.exists():
        number += 1
        target = folder.with_name(f"{name}-{number}")
    folder.rename(target)
