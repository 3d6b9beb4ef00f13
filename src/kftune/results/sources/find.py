"""Finds out what a file with trials is, and reads it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from kftune import json_input
from kftune.errors import StoreError, near_files
from kftune.results.layout import RunFolder
from kftune.results.lines import is_lines
from kftune.results.reading import open_results
from kftune.results.sources.hints import NO_HINTS, Hints
from kftune.results.trials import Trials
from kftune.runs import YAML_SUFFIXES

_Reader = Callable[[Any, str], Trials]

_JOURNALS = (".log", ".journal", ".jsonl")
_SQLITE = (".db", ".sqlite", ".sqlite3")
_BUNDLE = ".zip"
SUFFIXES = (".json", ".csv", *YAML_SUFFIXES, _BUNDLE, *_SQLITE, *_JOURNALS)
"""Of files with trials."""

READ = (
    "it reads what kftune results --format json or csv prints, the trials.jsonl of a run, the results of an "
    "experiment-list tuner (JSON with all_results), other CSV, a bundle of kftune export, a storage of Optuna (SQLite "
    "or a journal), and an Experiment with its Trials as kubectl get -o yaml or json prints them"
)
"""What files with trials are, for messages about kftune."""


def open_trials(place: Path, hints: Hints = NO_HINTS) -> Trials:
    """Opens the trials in a folder of results, or in a file.

    Args:
        place: A folder that ``kftune run`` has written; what ``kftune results --format json`` or ``csv`` printed; the
            results of an experiment-list tuner (JSON); other CSV; a bundle; a storage of Optuna; objects of Katib
            (YAML, JSON).
        hints: What the file does not say.

    Raises:
        StoreError: There are no trials, or they cannot be read.
    """
    if place.is_dir():
        return open_results(place)
    found = trials_in(place, hints)
    if found is None:
        raise StoreError(f"these are not trials that kftune reads: {READ}", str(place))
    return found


def trials_in(place: Path, hints: Hints = NO_HINTS) -> Trials | None:
    """Returns the trials in a file; None when it is JSON or YAML of another kind.

    Args:
        place: The file.
        hints: What the file does not say.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        if place.suffix in (*_SQLITE, _BUNDLE) or is_lines(place):
            return _of_binary(place, hints)
        text = place.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise StoreError(f"there is no such file or folder{near_files(str(place))}", str(place)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"the file cannot be read: {error}", str(place)) from error
    if place.suffix == ".csv":
        return cast("Trials", _module("csv_table").read(text, str(place), hints))
    if place.suffix in _JOURNALS:
        return cast("Trials", _module("optuna_trials").read_journal(text, str(place), hints))
    if place.suffix in YAML_SUFFIXES:
        return cast("Trials | None", _module("katib_files").in_yaml(text, str(place)))
    try:
        data = json_input.loads(text)
    except ValueError as error:
        raise StoreError(f"a file with trials is JSON or CSV, but this is neither: {error}", str(place)) from error
    reader = _of_json(data)
    if reader is not None:
        return reader(data, str(place))
    if not isinstance(data, dict):
        raise StoreError(f"these are not trials that kftune reads: {READ}", str(place))
    return cast("Trials | None", _module("katib_files").in_documents([data], str(place)))


def _of_json(data: object) -> _Reader | None:
    if isinstance(data, dict) and str(data.get("format", "")).startswith("kftune.results/"):
        return _reader("own_json")
    if isinstance(data, dict) and "all_results" in data:
        return _reader("experiment_list")
    return None


def _of_binary(place: Path, hints: Hints) -> Trials:
    if place.suffix == _BUNDLE:
        return cast("Trials", _module("bundle").read(place, str(place)))
    if is_lines(place):
        return cast("Trials", _module("own_lines").read(place, str(place)))
    layout = RunFolder(place.parent)
    if place.name == layout.database.name and not _module("optuna_storage").has_studies(place):
        return open_results(place.parent)
    return cast("Trials", _module("optuna_trials").read_sqlite(place, hints))


def _reader(module: str) -> _Reader:
    return cast("_Reader", _module(module).read)


def _module(name: str) -> Any:
    # Imported when needed: a look-up in a folder needs none of them.
    return import_module(f"kftune.results.sources.{name}")
