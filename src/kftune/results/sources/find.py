"""Finds out what a file with trials is, and reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from kftune.errors import StoreError, near_files
from kftune.results.reading import open_results
from kftune.results.trials import Trials

_Reader = Callable[[Any, str], Trials]

SUFFIXES = (".json", ".csv", ".yaml", ".yml")
"""Of files with trials."""

_READ = (
    "it reads what kftune results --format json or csv prints, the results of an experiment-list tuner (JSON with "
    "all_results), and an Experiment with its Trials as kubectl get -o yaml or json prints them"
)


def open_trials(place: Path) -> Trials:
    """Opens the trials in a folder of results, or in a file.

    Args:
        place: A folder that ``kftune run`` has written; what ``kftune results --format json`` or ``csv`` printed; the
            results of an experiment-list tuner (JSON); objects of Katib (YAML, JSON).

    Raises:
        StoreError: There are no trials, or they cannot be read.
    """
    if place.is_dir():
        return open_results(place)
    found = trials_in(place)
    if found is None:
        raise StoreError(f"these are no trials that kftune reads: {_READ}", str(place))
    return found


def trials_in(place: Path) -> Trials | None:
    """Returns the trials in a file; None when it is JSON or YAML of another kind.

    Args:
        place: The file.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        text = place.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise StoreError(f"there is no such file or folder{near_files(str(place))}", str(place)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"the file cannot be read: {error}", str(place)) from error
    if place.suffix == ".csv":
        return _reader("csv_table")(text, str(place))
    if place.suffix in (".yaml", ".yml"):
        return cast("Trials | None", _katib().in_yaml(text, str(place)))
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise StoreError(f"a file with trials is JSON or CSV, but this is neither: {error}", str(place)) from error
    reader = _of_json(data)
    if reader is not None:
        return reader(data, str(place))
    return cast("Trials | None", _katib().in_documents([data], str(place)))


def _of_json(data: object) -> _Reader | None:
    if isinstance(data, dict) and str(data.get("format", "")).startswith("kftune.results/"):
        return _reader("own_json")
    if isinstance(data, dict) and "all_results" in data:
        return _reader("experiment_list")
    return None


def _reader(module: str) -> _Reader:
    # Imported when needed: a look-up in a folder needs none of them.
    return cast("_Reader", import_module(f"kftune.results.sources.{module}").read)


def _katib() -> Any:
    return import_module("kftune.results.sources.katib_files")
