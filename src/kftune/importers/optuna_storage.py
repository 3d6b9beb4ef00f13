"""Reads studies from the storages of Optuna, without Optuna.

Source: optuna 5.0, optuna.storages._rdb.models and optuna.storages.journal._storage.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kftune.errors import ForeignFileError
from kftune.importers.document import text_of

_SQLITE = b"SQLite format 3\x00"
_DIRECTIONS = {"MINIMIZE": "minimize", "MAXIMIZE": "maximize", 1: "minimize", 2: "maximize"}
_METRIC_NAMES = "study:metric_names"
# Operations of the journal.
_CREATE_STUDY, _DELETE_STUDY, _STUDY_SYSTEM_ATTRIBUTE, _CREATE_TRIAL, _TRIAL_PARAMETER = 0, 1, 3, 4, 5


@dataclass
class StoredStudy:
    """What a storage knows about a study."""

    name: str
    directions: list[str]
    metric_names: list[str] = field(default_factory=list)
    trials: int = 0
    distributions: dict[str, str] = field(default_factory=dict)
    """Name -> the JSON of its distribution in the last trial that has it."""
    counts: Counter[str] = field(default_factory=Counter)
    """Name -> the number of trials that have it."""
    changing: set[str] = field(default_factory=set)
    """The names with distributions that differ between trials."""

    def add(self, name: str, distribution: str) -> None:
        """Adds a parameter of a trial.

        Args:
            name: Its name.
            distribution: The JSON of its distribution.
        """
        if self.distributions.get(name, distribution) != distribution:
            self.changing.add(name)
        self.distributions[name] = distribution
        self.counts[name] += 1


def is_sqlite(path: Path) -> bool:
    """Returns whether a file is an SQLite database."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def is_journal(path: Path) -> bool:
    """Returns whether a file is a journal of Optuna: lines of JSON with an operation each."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        first = file.readline(100_000)
    try:
        return "op_code" in json.loads(first)
    except (ValueError, TypeError):
        return False


def read_sqlite(path: Path) -> list[StoredStudy]:
    """Returns the studies of an SQLite storage, which is opened for reading only.

    Raises:
        ForeignFileError: It is not a storage of Optuna.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            return [
                _of_database(database, *row) for row in database.execute("SELECT study_id, study_name FROM studies")
            ]
    except sqlite3.Error as error:
        raise ForeignFileError(
            f"this database is not a storage of Optuna that can be read: {error}", str(path)
        ) from error


def _of_database(database: sqlite3.Connection, study_id: int, name: str) -> StoredStudy:
    rows = database.execute("SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", (study_id,))
    study = StoredStudy(name, _directions(row[0] for row in rows))
    attributes = database.execute(
        "SELECT value_json FROM study_system_attributes WHERE study_id = ? AND key = ?", (study_id, _METRIC_NAMES)
    ).fetchone()
    if attributes is not None:
        study.metric_names = _names(json.loads(attributes[0]))
    [study.trials] = database.execute("SELECT COUNT(*) FROM trials WHERE study_id = ?", (study_id,)).fetchone()
    parameters = database.execute(
        "SELECT param_name, distribution_json FROM trial_params JOIN trials USING (trial_id) WHERE study_id = ? "
        "ORDER BY trial_id, param_id",
        (study_id,),
    )
    for parameter, distribution in parameters:
        study.add(parameter, distribution)
    return study


def read_journal(path: Path) -> list[StoredStudy]:
    """Returns the studies of a journal storage.

    Raises:
        ForeignFileError: A line is not an operation.
    """
    studies: list[StoredStudy] = []
    deleted: set[int] = set()
    of_trial: list[int] = []
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        try:
            entry = json.loads(line)
            code = entry["op_code"]
            if code == _CREATE_STUDY:
                studies.append(StoredStudy(entry["study_name"], _directions(entry["directions"])))
            elif code == _DELETE_STUDY:
                deleted.add(entry["study_id"])
            elif code == _STUDY_SYSTEM_ATTRIBUTE and _METRIC_NAMES in entry["system_attr"]:
                studies[entry["study_id"]].metric_names = _names(entry["system_attr"][_METRIC_NAMES])
            elif code == _CREATE_TRIAL:
                of_trial.append(entry["study_id"])
                study = studies[entry["study_id"]]
                study.trials += 1
                for name, distribution in entry.get("distributions", {}).items():
                    study.add(name, distribution)
            elif code == _TRIAL_PARAMETER:
                studies[of_trial[entry["trial_id"]]].add(entry["param_name"], entry["distribution"])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise ForeignFileError(
                f"this line is not an operation of Optuna's journal: {type(error).__name__}: {error}", str(path), number
            ) from error
    return [study for index, study in enumerate(studies) if index not in deleted]


def _directions(given: Iterable[Any]) -> list[str]:
    return [_DIRECTIONS.get(each, "minimize") for each in given]


def _names(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
