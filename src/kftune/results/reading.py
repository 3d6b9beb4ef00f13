"""Reads a study's results, also while a run writes them."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kftune import json_input
from kftune.errors import LostEndError, StoreError, UnknownNameError, near_files
from kftune.metrics.curves import Curve
from kftune.metrics.targets import TargetResult
from kftune.results import curves
from kftune.results.checksums import changed_keys
from kftune.results.layout import ASIDE, INDEX, RunFolder
from kftune.results.lines import last_trial
from kftune.results.lock import writer_of
from kftune.results.opening import check_head, check_tables, is_behind
from kftune.results.records import SCORED, Meta, State, Trial
from kftune.results.tables import (
    CHECKED_SINCE,
    NAMES,
    check_plain,
    damaged,
    meta_of,
    reading,
    salvage_hint,
    select,
    stored_in,
    translated,
    trial_of,
)
from kftune.results.trials import Trials, durations


def open_results(folder: str | Path) -> Results:
    """Opens the results in a folder.

    Raises:
        StoreError: There are none, or they cannot be read.
    """
    layout = RunFolder(Path(folder))
    if not layout.database.is_file():
        if layout.has_results():
            raise StoreError(f"{layout.database.name} is gone; {salvage_hint(layout)}", str(folder))
        raise StoreError(f"there are no results here; kftune run creates them{_elsewhere(layout.path)}", str(folder))
    with reading(layout):
        return Results(layout)


def folders_with_results(folder: Path) -> list[str]:
    """Returns the paths of the folders with results in a folder, of one study or many entities, by name.

    Those moved aside come last.

    Args:
        folder: The folder.
    """
    names = (RunFolder(folder).database.name, INDEX)
    found = {str(path.parent) for name in names for path in folder.glob(f"*/{name}")}
    return sorted(found, key=lambda path: (ASIDE in path, path))


def _elsewhere(folder: Path) -> str:
    """Returns ``; `` and where there are results instead: in folders inside, with a near name, or beside."""
    inside, near = folders_with_results(folder), near_files(str(folder))
    if near and not inside and ASIDE not in near:
        return near
    found = inside or folders_with_results(folder.parent)
    return f"; there are some in {', '.join(found[:6])}" if found else ""


class Results(Trials):
    """One study's results in a folder, open for reading.

    Attributes:
        folder: The folder and its files.
        meta: The study.
        place: The folder's path.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.place = str(folder.path)
        check_head(folder)
        self._known: tuple[int, list[tuple[int, State, float | None]]] | None = None
        # Before the file is opened: what is stored later is in neither.
        last = last_trial(folder.lines)
        self._connection = _connect(folder)
        try:
            self.meta = self._meta()
            if self._is_checked and last is not None and is_behind(self._connection, last):
                name = self.name_of(last[0])
                what = f"it has lost the end of {name}, which {folder.lines.name} has and the next run takes from there"
                raise LostEndError(damaged(folder, what).message, str(folder.path))
            self._folder = RunFolder(folder.path, self.meta.trial_names)
        except BaseException:
            self._connection.close()
            raise

    @property
    def folder(self) -> RunFolder:
        """The folder and its files."""
        return self._folder

    def _meta(self) -> Meta:
        version = check_tables(self._connection, self.folder)
        self._query = select(version)
        self._has_curves, self._is_checked = version >= curves.SINCE, version >= CHECKED_SINCE
        meta = meta_of(self._connection)
        if meta is None:
            raise damaged(self.folder, "it has no study")
        return meta

    def trials(self) -> list[Trial]:
        """Returns every trial, by number."""
        return self._select("ORDER BY number")

    def trial(self, name: str) -> Trial:
        """Returns one trial, by its name or number.

        Raises:
            UnknownNameError: There is no such trial.
        """
        names, digits = self.meta.trial_names, name.removeprefix(f"{self.meta.slug}-")
        if name in names:
            digits = str(names.index(name) + 1)
        found = self._select("WHERE number = ?", int(digits)) if digits.isascii() and digits.isdigit() else []
        if not found:
            raise UnknownNameError("trial", name, [trial.name for trial in self.trials()])
        return found[0]

    def curves(self, trial: Trial) -> dict[str, Curve]:
        """Returns what a trial reported over time, by metric; a trial that runs has no curves yet.

        Raises:
            StoreError: A curve is damaged.
        """
        return {metric: curve for _, metric, curve in self._curves(number=trial.number)}

    def all_curves(self, metric: str | None = None) -> Iterator[tuple[int, str, Curve]]:
        """Yields the number of the trial, the metric and the curve, by number.

        Args:
            metric: Only this one; None for all metrics.

        Raises:
            StoreError: A curve is damaged.
        """
        return self._curves(metric=metric)

    def _curves(self, *, number: int | None = None, metric: str | None = None) -> Iterator[tuple[int, str, Curve]]:
        if not self._has_curves:
            return iter(())
        return curves.read(self._connection, self.folder, self.meta, number=number, metric=metric)

    def trial_seconds(self) -> float:
        """Returns how long all trials together ran, with all their tries."""
        return float(self._stored("trial_seconds") or sum(durations(self.trials())))

    def best(self, objective: int = 0) -> Trial | None:
        """Returns the best trial, the first of equal ones; None while no trial has succeeded.

        Args:
            objective: The place of the objective that counts; with several objectives, the best trial in it that is in
                the Pareto set.
        """
        if self.meta.more_objectives:
            return super().best(objective)
        scored = [(value, number) for number, state, value in self._keys() if state in SCORED and value is not None]
        if not scored:
            return None
        last = max(scored)[0] if self.meta.direction == "maximize" else min(scored)[0]
        number = min(number for value, number in scored if value == last)
        return self._select("WHERE number = ?", number)[0]

    def counts(self) -> dict[State, int]:
        """Returns state -> number of trials, without states that no trial has."""
        return dict(sorted(Counter(state for _, state, _ in self._keys()).items()))

    def _keys(self) -> list[tuple[int, State, float | None]]:
        """Returns the number, the state and the objective of each trial."""
        ((version,),) = self._fetch("PRAGMA data_version")  # another one as soon as a run has changed something
        if self._known is None or self._known[0] != version:
            self._known = version, self._checked_keys()
        return self._known[1]

    def _checked_keys(self) -> list[tuple[int, State, float | None]]:
        if not self._is_checked:
            return self._fetch("SELECT number, state, objective FROM trials ORDER BY number")
        rows: Any = self._fetch("SELECT number, state, objective, checksum FROM trials ORDER BY number")
        with reading(self.folder):
            changed = changed_keys(rows)
        if changed:
            raise damaged(self.folder, f"trial {changed[0]} is not as it was stored")
        return [row[:3] for row in rows]

    def active_seconds(self) -> float:
        """Returns how long all runs of the study took together."""
        return float(self._stored("active_seconds") or 0)

    def reason(self) -> str | None:
        """Returns what ended the last run, such as ``MaxTrialsReached``; None while it runs, or when it was killed."""
        return self._stored("reason")

    def targets(self) -> list[TargetResult]:
        """Returns the targets of the study, as the last run that ended has left them."""
        return [TargetResult(**target) for target in json_input.loads(self._stored("targets") or "[]")]

    def writer(self) -> str | None:
        """Returns the number of the process that writes these results now, as text; None if no run goes on.

        A run for several entities opens the results of each only while it needs them.
        """
        above = self.folder.lock_above
        return writer_of(self.folder.lock) or (None if above is None else writer_of(above))

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _stored(self, key: str) -> str | None:
        with reading(self.folder):
            return stored_in(self._connection, key)

    def _select(self, rest: str, *arguments: object) -> list[Trial]:
        rows = self._fetch(f"{self._query} {rest}", *arguments)
        with reading(self.folder):
            found = [trial_of(row, self.meta) for row in rows]
        if self.meta.experiment is None:
            return found
        return [trial._replace(point=self._decoded(trial)) for trial in found]

    def _decoded(self, trial: Trial) -> dict[str, Any]:
        """Returns the values that a trial of an Experiment got. Stored are those that the algorithm chose.

        A rendered Experiment may search an encoded value, such as a share of a distribution.
        """
        texts, readers = trial.assignment, self._readers
        return {
            name: readers[name](texts[name]) if name in readers and name in texts else value
            for name, value in trial.point.items()
        }

    @cached_property
    def _readers(self) -> Mapping[str, Callable[[str], Any]]:
        # Imported when needed: most results are of studies.
        from kftune.katib.engines.declared import readers_of  # noqa: PLC0415

        return readers_of((self.meta.experiment or {}).get("spec") or {})

    def _fetch(self, query: str, *arguments: object) -> list[Any]:
        with translated(self.folder):
            return self._connection.execute(query, arguments).fetchall()


def _connect(folder: RunFolder) -> sqlite3.Connection:
    address = f"file:{quote(os.fsencode(folder.database.resolve()))}?mode=ro"
    try:
        return _opened(address)
    except sqlite3.OperationalError:
        # In a read-only folder SQLite cannot create the file that its readers share.
        return _opened(f"{address}&immutable=1")


def _opened(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None)
    try:
        check_plain(connection, NAMES)
    except BaseException:
        connection.close()
        raise
    return connection
