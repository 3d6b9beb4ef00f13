"""Reads a study's results, also while a run writes them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kftune import json_input
from kftune.errors import StoreError, UnknownNameError, near_files
from kftune.metrics.curves import Curve
from kftune.metrics.targets import TargetResult
from kftune.results import curves
from kftune.results.layout import ASIDE, RunFolder
from kftune.results.lock import writer_of
from kftune.results.records import SCORED, Meta, State, Trial
from kftune.results.tables import check_format, meta_of, select, translated, trial_of
from kftune.results.trials import Trials


def open_results(folder: str | Path) -> Results:
    """Opens the results in a folder.

    Raises:
        StoreError: There are none, or they cannot be read.
    """
    layout = RunFolder(Path(folder))
    if not layout.database.is_file():
        raise StoreError(f"there are no results here; kftune run creates them{_elsewhere(layout.path)}", str(folder))
    with translated(layout):
        return Results(layout)


def folders_with_results(folder: Path) -> list[str]:
    """Returns the paths of the folders with results in a folder, by name; those moved aside come last."""
    found = [str(path.parent) for path in folder.glob(f"*/{RunFolder(folder).database.name}")]
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
        self._connection = _connect(folder)
        try:
            self.meta = self._meta()
            self._folder = RunFolder(folder.path, self.meta.trial_names)
        except BaseException:
            self._connection.close()
            raise

    @property
    def folder(self) -> RunFolder:
        """The folder and its files."""
        return self._folder

    def _meta(self) -> Meta:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        check_format(version, self.folder, "reads")
        self._query = select(version)
        self._has_curves = version >= curves.SINCE
        meta = meta_of(self._connection) if version else None
        if meta is None:
            raise StoreError("there are no results here yet; kftune run creates them", str(self.folder.path))
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

    def best(self, objective: int = 0) -> Trial | None:
        """Returns the best trial, the first of equal ones; None while no trial has succeeded.

        Args:
            objective: The place of the objective that counts; with several objectives, the best trial in it that is in
                the Pareto set.
        """
        if self.meta.more_objectives:
            return super().best(objective)
        order = "ASC" if self.meta.direction == "minimize" else "DESC"
        scored = ", ".join(f"'{state}'" for state in SCORED)
        where = f"WHERE state IN ({scored}) AND objective IS NOT NULL"
        found = self._select(f"{where} ORDER BY objective {order}, number LIMIT 1")
        return found[0] if found else None

    def counts(self) -> dict[State, int]:
        """Returns state -> number of trials, without states that no trial has."""
        rows = self._fetch("SELECT state, count(*) FROM trials GROUP BY state ORDER BY state")
        return dict(rows)  # type: ignore[arg-type]

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
        """Returns the number of the process that writes these results now, as text; None if no run goes on."""
        return writer_of(self.folder.lock)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _stored(self, key: str) -> str | None:
        rows = self._fetch("SELECT value FROM meta WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    def _select(self, rest: str, *arguments: object) -> list[Trial]:
        found = [trial_of(row, self.meta) for row in self._fetch(f"{self._query} {rest}", *arguments)]
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

    def _fetch(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
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
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
