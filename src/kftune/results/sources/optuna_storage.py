"""The studies in Optuna's storages, SQLite and journal. They are read without Optuna, which takes a second to import.

Source: optuna 5.0, optuna/storages/_rdb/models.py, optuna/storages/journal/_storage.py.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kftune import json_input
from kftune.errors import KftuneError
from kftune.results.tables import check_plain

_DIRECTIONS = {"MINIMIZE": "minimize", "MAXIMIZE": "maximize", 1: "minimize", 2: "maximize"}
_NUMBERED = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_NAMES = "study:metric_names"
# Operations of a journal.
_CREATE_STUDY, _DELETE_STUDY, _STUDY_ATTRIBUTE, _CREATE_TRIAL, _PARAMETER, _END, _REPORT = 0, 1, 3, 4, 5, 6, 7
_TRIALS = "SELECT trial_id, state, datetime_start, datetime_complete FROM trials WHERE study_id = ? ORDER BY number"
_PARAMS = (
    "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params JOIN trials USING (trial_id) "
    "WHERE study_id = ? ORDER BY param_id"
)
_VALUES = (
    "SELECT trial_id, objective, value, value_type FROM trial_values JOIN trials USING (trial_id) WHERE study_id = ?"
)
_REPORTS = (
    "SELECT trial_id, step, intermediate_value, intermediate_value_type FROM trial_intermediate_values "
    "JOIN trials USING (trial_id) WHERE study_id = ? ORDER BY step"
)
_READ = (
    "studies",
    "study_directions",
    "study_system_attributes",
    "trials",
    "trial_params",
    "trial_values",
    "trial_intermediate_values",
)
_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}


def range_of(name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a distribution of numbers as a study writes its domain.

    Args:
        name: Its class in Optuna, also one of before Optuna 3.
        attributes: Its attributes: low, high, step (q before Optuna 3), log.
    """
    ends = [attributes["low"], attributes["high"]]
    step = attributes.get("step", attributes.get("q"))
    is_log = "Log" in name or attributes.get("log") is True
    if name.startswith("Int"):
        # On a logarithmic scale, Optuna has no other step than 1.
        steps = {} if is_log or step in (None, 1) else {"step": step}
        return {"int": ends, **steps, **({"log": True} if is_log else {})}
    if step is not None:
        return {"quniform": ends, "q": step}
    return {"loguniform" if is_log else "uniform": ends}


class StoredStudy:
    """One study of a storage.

    Attributes:
        name: Its name.
        directions: minimize or maximize, of each value.
        names: The names of its values; empty if it does not name them.
        trials: Its trials, in their order.
    """

    def __init__(self, name: str, directions: Sequence[str]) -> None:
        self.name, self.directions = str(name), directions
        self.names: list[str] = []
        self.trials: list[StoredTrial] = []


class StoredTrial:
    """One trial of a study.

    Attributes:
        state: Optuna's name of its state.
        started: When it began.
        ended: When it ended.
        values: Place -> value.
        params: Name -> Optuna's number, and the JSON of its distribution.
        reported: Step -> value.
    """

    def __init__(self, state: str, started: str | None, ended: str | None = None) -> None:
        self.state, self.started, self.ended = state, started, ended
        self.values: dict[int, float | None] = {}
        self.params: dict[str, tuple[float, str]] = {}
        self.reported: dict[int, float | None] = {}


def _connected(path: Path) -> sqlite3.Connection:
    path.stat()  # SQLite's own message does not say that the file is missing
    return sqlite3.connect(f"file:{quote(os.fsencode(path.resolve()))}?mode=ro", uri=True)


def has_studies(path: Path) -> bool:
    """Returns whether an SQLite file is a storage of Optuna.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: It does not exist.
    """
    try:
        with closing(_connected(path)) as connection:
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'studies'").fetchone() is not None
    except sqlite3.Error:
        return False


# -- SQLite ------------------------------------------------------------------------------------------------------------


def studies_in_sqlite(path: Path) -> list[StoredStudy]:
    """Returns the studies in an SQLite file, which is opened for reading only.

    Args:
        path: The file.

    Raises:
        sqlite3.Error: It is not a storage of Optuna, has views in place of tables, or is damaged.
        FileNotFoundError: It does not exist.
    """
    with closing(_connected(path)) as connection:
        check_plain(connection, _READ)
        try:
            return [*_of_tables(connection)]
        except (TypeError, ValueError, LookupError, RecursionError) as error:
            raise sqlite3.DatabaseError(f"a value cannot be read ({error})") from error


def _of_tables(connection: sqlite3.Connection) -> Iterator[StoredStudy]:
    def rows(query: str, *arguments: object) -> list[Any]:
        return connection.execute(query, arguments).fetchall()

    for key, name in rows("SELECT study_id, study_name FROM studies ORDER BY study_id"):
        found = rows("SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", key)
        study = StoredStudy(name, [_DIRECTIONS.get(direction, "minimize") for (direction,) in found])
        attributes = dict(rows("SELECT key, value_json FROM study_system_attributes WHERE study_id = ?", key))
        study.names = _texts(json_input.loads(attributes.get(_NAMES, "[]")))
        trials = {number: StoredTrial(state, started, ended) for number, state, started, ended in rows(_TRIALS, key)}
        study.trials = [*trials.values()]
        for number, param, value, kind in rows(_PARAMS, key):
            trials[number].params[str(param)] = (value, kind)
        for number, place, value, kind in rows(_VALUES, key):
            trials[number].values[place] = _INFINITE.get(kind, value)
        for number, step, value, kind in rows(_REPORTS, key):
            trials[number].reported[step] = _INFINITE.get(kind, value)
        yield study


# -- the journal -------------------------------------------------------------------------------------------------------


def studies_in_journal(text: str, refuse: Callable[[int, Exception], KftuneError]) -> list[StoredStudy]:
    """Returns the studies in a journal.

    Args:
        text: The content of the file.
        refuse: Makes the error for a line that is not an operation, from its number and what is wrong with it.

    Raises:
        KftuneError: What `refuse` has made.
    """
    journal = _Journal()
    for number, line in enumerate(text.splitlines(), start=1):
        if line:
            try:
                journal.take(json_input.loads(line))
            except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
                raise refuse(number, error) from error
    return [study for study in journal.studies if study is not None]


class _Journal:
    """The studies after some operations; None in place of one that was deleted."""

    def __init__(self) -> None:
        self.studies: list[StoredStudy | None] = []
        self._trials: list[StoredTrial] = []

    def take(self, entry: Mapping[str, Any]) -> None:
        """Carries out one operation."""
        code = entry["op_code"]
        if code == _CREATE_STUDY:
            self.studies.append(StoredStudy(entry["study_name"], [_DIRECTIONS[each] for each in entry["directions"]]))
        elif code == _DELETE_STUDY:
            self.studies[entry["study_id"]] = None
        elif code == _STUDY_ATTRIBUTE and _NAMES in entry["system_attr"]:
            study = self.studies[entry["study_id"]]
            if study is not None:
                study.names = _texts(entry["system_attr"][_NAMES])
        elif code == _CREATE_TRIAL:
            self._trials.append(_created(entry))
            study = self.studies[entry["study_id"]]
            if study is not None:
                study.trials.append(self._trials[-1])
        elif code in (_PARAMETER, _END, _REPORT):
            _changed(self._trials[entry["trial_id"]], entry)


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _created(entry: Mapping[str, Any]) -> StoredTrial:
    """Returns a trial as its first entry has it; one that was added whole has all its values."""
    state = _NUMBERED[entry.get("state", 0)]
    trial = StoredTrial(state, entry.get("datetime_start"), entry.get("datetime_complete"))
    values = entry.get("values") or ([entry["value"]] if entry.get("value") is not None else [])
    trial.values = dict(enumerate(values))
    kinds = entry.get("distributions", {})
    trial.params = {name: (value, kinds[name]) for name, value in entry.get("params", {}).items()}
    trial.reported = {int(step): value for step, value in (entry.get("intermediate_values") or {}).items()}
    return trial


def _changed(trial: StoredTrial, entry: Mapping[str, Any]) -> None:
    if entry["op_code"] == _PARAMETER:
        trial.params[str(entry["param_name"])] = (entry["param_value_internal"], entry["distribution"])
    elif entry["op_code"] == _REPORT:
        trial.reported[entry["step"]] = entry["intermediate_value"]
    else:
        trial.state = _NUMBERED[entry["state"]]
        trial.values = dict(enumerate(entry.get("values") or ())) or trial.values
        trial.started = entry.get("datetime_start", trial.started)
        trial.ended = entry.get("datetime_complete", trial.ended)
