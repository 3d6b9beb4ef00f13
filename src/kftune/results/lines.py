"""The second copy of finished trials: a file with a line of JSON for each, from which a damaged file is saved.

A line is written when the row is stored, by one call of the system and without waiting for the disk. It has a checksum,
so a line that was cut off or changed is passed over. The last line of a trial counts.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from zlib import crc32

from kftune.errors import StoreError
from kftune.files import open_regular
from kftune.results.tables import CHECKED, to_json

T = TypeVar("T")

_LINE = re.compile(rb'\{"crc32":"([0-9a-f]{8})","(study|trial)":(.*)\}')
# The columns that have JSON.
_JSON = ("assignment", "point", "metrics", "settings", "retried")
_PLAIN = tuple(name for name in CHECKED if name not in _JSON)
_plain_of, _json_of = (itemgetter(*map(CHECKED.index, names)) for names in (_PLAIN, _JSON))
_TAIL = 1 << 16


class Hold(Protocol):
    """Does something as soon as the machine lets it."""

    def __call__(self, what: str, action: Callable[[], T], /) -> T:
        """Returns what the action returns.

        Args:
            what: What cannot be done meanwhile.
            action: It.
        """
        ...


def at_once(what: str, action: Callable[[], T]) -> T:
    """Does something without waiting.

    Args:
        what: What cannot be done, if it fails.
        action: It.
    """
    return action()


class Lines(NamedTuple):
    """What the file has.

    Attributes:
        study: The study's record as a text, as the last run had it; None if there is none.
        rows: Number -> the columns in `CHECKED` of its trial.
        damaged: How many lines are not as they were written.
    """

    study: str | None
    rows: dict[int, tuple[Any, ...]]
    damaged: int


class LineFile:
    """The file, open for writing.

    Args:
        path: It; created when missing.

    Attributes:
        hold: Writes as soon as the machine lets it.

    Raises:
        StoreError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.hold: Hold = at_once
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise self._error(error) from error
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._write(b"\n")

    def study(self, text: str) -> None:
        """Writes the study's record.

        Args:
            text: The record, as `meta_to_text` returns it.

        Raises:
            StoreError: It cannot be written.
        """
        self._write(_line("study", text))

    def trial(self, row: Sequence[Any]) -> None:
        """Writes a finished trial.

        Args:
            row: Its columns, in the order of `CHECKED`.

        Raises:
            StoreError: It cannot be written.
        """
        self._write(trial_line(row))

    def synchronise(self) -> None:
        """Waits until the disk has everything."""
        os.fsync(self._file)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        done = 0
        try:
            while done < len(line):
                done += self.hold("the results cannot be written", partial(os.write, self._file, line[done:]))
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> StoreError:
        return StoreError(
            f"results are written here too, but that fails: {error.strerror}; if the disk is full, free some space and "
            f"run again",
            str(self._path),
        )


def trial_line(row: Sequence[Any]) -> bytes:
    """Returns the line of a trial.

    Args:
        row: Its columns, in the order of `CHECKED`.
    """
    plain = to_json(dict(zip(_PLAIN, _plain_of(row), strict=True)))
    texts = [f',"{name}":{text}' for name, text in zip(_JSON, _json_of(row), strict=True)]
    return _line("trial", f"{plain[:-1]}{''.join(texts)}}}")


def _line(kind: str, body: str) -> bytes:
    data = body.encode()
    return b'{"crc32":"%08x","%s":%s}\n' % (crc32(data), kind.encode(), data)


def leave_copy(folder: Path, study: str, rows: Iterable[Sequence[Any]]) -> Path:
    """Writes trials to a new file beside a folder that is gone, or where files can be written at all; returns its path.

    Args:
        folder: The folder.
        study: The study's record, as `meta_to_text` returns it.
        rows: The columns in `CHECKED` of each trial.

    Raises:
        StoreError: It cannot be written anywhere.
    """
    # Imported when needed: it takes longer than to read results.
    from tempfile import gettempdir, mkstemp  # noqa: PLC0415

    content = _line("study", study) + b"".join(map(trial_line, rows))
    problem = OSError(0, "there is no place")
    for place in (folder.parent, Path(gettempdir())):
        try:
            file, name = mkstemp(".jsonl", f"{folder.name}.saved-", place)
            with os.fdopen(file, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(file)
        except OSError as error:
            problem = error
        else:
            return Path(name)
    raise StoreError(
        f"it is gone, and what this run knows cannot be written elsewhere: {problem.strerror}", str(folder)
    )


def is_lines(path: Path) -> bool:
    """Whether a file is one of such lines."""
    try:
        with open_regular(path) as file:
            return path.suffix == ".jsonl" and file.readline(_TAIL).startswith(b'{"crc32":"')
    except OSError:
        return False


def read(path: Path) -> Lines:
    """Returns what a file has; nothing if it is not there.

    Args:
        path: The file.
    """
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError:
        return Lines(None, {}, 0)
    study, rows, damaged = None, dict[int, tuple[Any, ...]](), 0
    for line in content.splitlines():
        found = _parsed(line)
        if found is None:
            damaged += bool(line)
        elif found[0] == "study":
            study = found[1].decode()
        else:
            row = _row(found[1])
            rows[row[0]] = row
    return Lines(study, rows, damaged)


def last_trial(path: Path) -> tuple[Any, ...] | None:
    """Returns the columns of the trial that was written last; None without one.

    Args:
        path: The file.
    """
    try:
        with open_regular(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            tail = file.read()
    except OSError:
        return None
    return next((_row(body) for kind, body in _all_parsed(reversed(tail.splitlines())) if kind == "trial"), None)


def _all_parsed(lines: Iterable[bytes]) -> Iterable[tuple[str, bytes]]:
    return (found for found in map(_parsed, lines) if found is not None)


def _parsed(line: bytes) -> tuple[str, bytes] | None:
    """Returns the kind and the content of a line; None if it is not as it was written."""
    found = _LINE.fullmatch(line)
    return (found[2].decode(), found[3]) if found and crc32(found[3]) == int(found[1], 16) else None


def _row(body: bytes) -> tuple[Any, ...]:
    values = json.loads(body)
    return tuple(to_json(values[name]) if name in _JSON else values[name] for name in CHECKED)
