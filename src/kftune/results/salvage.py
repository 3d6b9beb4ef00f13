"""Saves the trials of a damaged file: those of which a checksum shows that they are as they were stored."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import StoreError
from kftune.results import checksums
from kftune.results.layout import RunFolder
from kftune.results.lines import LineFile, Lines, read
from kftune.results.lock import take_lock
from kftune.results.opening import files_of, write_new
from kftune.results.pages import PageRow, rows_in
from kftune.results.reading import open_results
from kftune.results.records import FINISHED, NOT_RETRIED
from kftune.results.tables import CHECKED, meta_from_text, retried_to_text

_NUMBER, _STATE, _ATTEMPT = (CHECKED.index(name) for name in ("number", "state", "attempt"))
# A trial that had not ended runs again from its beginning: no row of it is the whole of what it has reached.
_UNFINISHED = {"state": "Killed", "metrics": "{}", "objective": None, "pid": None, "pid_started": None}
_AGAIN = {**_UNFINISHED, "message": "the results were saved before it ended", "ended": None, "duration": None}
_Row = tuple[Any, ...]


class Salvaged(NamedTuple):
    """What was saved.

    Attributes:
        finished: How many trials that have ended.
        again: The names of the trials that run again.
        without: The names of the trials that only have a log or a folder left.
        aside: Where the damaged files are now.
    """

    finished: int
    again: list[str]
    without: list[str]
    aside: list[Path]


class _Found(NamedTuple):
    study: str | None
    rows: dict[int, _Row]


def salvage(path: Path) -> Salvaged | None:
    """Writes what can be read of the trials in a folder into a new file there, and moves the damaged one aside.

    Args:
        path: The folder.

    Returns:
        What was saved; None if nothing is damaged, and nothing was written.

    Raises:
        StoreError: Another run writes there, nothing can be read, or what is missing is the study itself.
    """
    folder = RunFolder(path)
    if not folder.has_results():
        raise StoreError("there are no results here, so there is nothing to save", str(path))
    lock = take_lock(folder.lock)
    try:
        return None if _is_whole(path) else _salvage(folder)
    finally:
        os.close(lock)


def _is_whole(path: Path) -> bool:
    """Whether all trials and curves can be read."""
    try:
        with open_results(path) as results:
            results.trials()
            deque(results.all_curves(), maxlen=0)
    except StoreError:
        return False
    return True


def _salvage(folder: RunFolder) -> Salvaged:
    lines, files = read(folder.lines), files_of(folder.database)
    found = _in_pages(*[file.read_bytes() if file.is_file() else b"" for file in files[:2]])
    study = found.study or lines.study
    if study is None:
        raise StoreError(
            f"neither {folder.database.name} nor {folder.lines.name} still has the study, so nothing is saved; the "
            f"logs have what trials reported. kftune run --fresh starts over",
            str(folder.path),
        )
    rows = _best_of(lines, found)
    _complete(folder.lines, study, lines, rows)
    new = folder.database.with_name(f"{folder.database.name}.new")
    for file in files_of(new):
        file.unlink(missing_ok=True)
    write_new(new, study, [*rows.values()])
    aside = [_moved(file) for file in files if os.path.lexists(file)]
    new.replace(folder.database)
    meta = meta_from_text(study)
    again = [meta.trial_name(number) for number, row in rows.items() if row[_STATE] not in FINISHED]
    known = {meta.trial_name(number) for number in rows}
    without = [log.stem for log in sorted(folder.logs.glob("*.log")) if log.stem not in known]
    return Salvaged(len(rows) - len(again), again, without, aside)


def _complete(path: Path, study: str, lines: Lines, rows: Mapping[int, _Row]) -> None:
    """Writes what was found to the second copy too: a kill while files are moved must not lose it."""
    file = LineFile(path)
    try:
        if study != lines.study:
            file.study(study)
        for number, row in rows.items():
            if row[_STATE] in FINISHED and row != lines.rows.get(number):
                file.trial(row)
        file.synchronise()
    finally:
        file.close()


def _moved(file: Path) -> Path:
    aside = file.with_name(f"{file.name}.damaged-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = aside.with_name(f"{aside.name}-{number}")
    return file.rename(aside)


def _best_of(lines: Lines, found: _Found) -> dict[int, _Row]:
    """Returns the rows to keep: of each trial, the one of the last try, and of that the one with its end."""
    rows = dict(lines.rows)
    for number, row in found.rows.items():
        if number not in rows or _order(row) > _order(rows[number]):
            rows[number] = row
    return {number: _whole(rows[number]) for number in sorted(rows)}


def _order(row: _Row) -> tuple[int, bool]:
    return row[_ATTEMPT], row[_STATE] in FINISHED


def _whole(row: _Row) -> _Row:
    if row[_STATE] in FINISHED:
        return row
    values = dict(zip(CHECKED, row, strict=True))
    return tuple({**values, **_AGAIN, "retried": retried_to_text(NOT_RETRIED)}.values())


def _in_pages(database: bytes, log: bytes) -> _Found:
    """Returns what is in the pages of a file and is as it was stored."""
    study, rows = None, dict[int, _Row]()
    for number, row in _trials(each := [*rows_in(database, log)]):
        if number not in rows or _order(row) >= _order(rows[number]):
            rows[number] = row
    for _, values in each:
        is_meta = len(values) == 3 and values[0] == "study" and isinstance(values[1], str)
        if is_meta and checksums.of_text("study", values[1]) == values[2]:
            study = values[1]
    return _Found(study, rows)


def _trials(found: Iterable[PageRow]) -> Iterable[tuple[int, _Row]]:
    """Yields the trials whose checksum is right. The number of a trial is the key of its row."""
    for key, values in found:
        if key is None or len(values) != len(CHECKED) + 1:
            continue
        row = (key, *values[1:-1])
        try:
            if checksums.of_row(*row) == values[-1]:
                yield key, row
        except TypeError:  # a number is a text
            continue
