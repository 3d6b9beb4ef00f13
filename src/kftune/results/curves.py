"""Stores curves: a row for each trial and metric, with the curve as compact bytes.

The bytes are a version, the number of reports, the number of points, and three columns: steps, values and times. Each
column is a letter for the type of its numbers (those of `array`, little-endian) and the numbers. Steps with equal
distances, which are the rule, are only the first one and the distance. A CRC-32 of all this follows.
"""

from __future__ import annotations

import math
import sqlite3
import struct
import sys
from array import array
from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

from kftune.errors import StoreError
from kftune.metrics.curves import Curve
from kftune.results.layout import RunFolder
from kftune.results.records import Meta
from kftune.results.tables import CURVES_SINCE, translated

# The statement before it stores the trial's end, or another curve of it. It changes nothing if the trial has ended.
INSERT = "INSERT OR REPLACE INTO curves (number, metric, data) SELECT ?, ?, ? WHERE changes() > 0"
DELETE = "DELETE FROM curves WHERE number = ?"

SINCE = CURVES_SINCE
"""The format of the file since which there are curves."""

# The first version has no checksum.
_VERSION = 2
_CHECKSUM = struct.Struct("<I")
_HEAD = struct.Struct("<BQI")
_EVEN = struct.Struct("<qq")
_SIZES = {"e": _EVEN.size, "i": 4, "q": 8, "d": 8, "I": 4}
_MOST_MILLISECONDS = (1 << 32) - 1


def to_bytes(curve: Curve, owner: str = "") -> bytes:
    """Returns a curve as it is stored; times are rounded to milliseconds.

    Args:
        curve: The curve, with at least one point.
        owner: Whose curve it is; the checksum covers it.
    """
    times = array("I", [min(max(round(each * 1000), 0), _MOST_MILLISECONDS) for each in curve.times])
    head = _HEAD.pack(_VERSION, curve.reported, len(curve.values))
    data = b"".join((head, _steps_to_bytes(curve.steps), _to_bytes(curve.values), _to_bytes(times)))
    return data + _checksum(data, owner)


def _checksum(data: bytes, owner: str) -> bytes:
    return _CHECKSUM.pack(crc32(data, crc32(owner.encode())))


def _steps_to_bytes(steps: array[int]) -> bytes:
    first, size = steps[0], len(steps)
    apart = steps[1] - first if size > 1 else 1
    may_be_even = 0 < apart < 1 << 31 and steps[-1] == first + apart * (size - 1)
    if may_be_even and steps == array("q", range(first, steps[-1] + 1, apart)):
        return b"e" + _EVEN.pack(first, apart)
    small = all(-(1 << 31) <= each < 1 << 31 for each in (min(steps), max(steps)))
    return _to_bytes(array("i", steps) if small else steps)


def _to_bytes(column: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.typecode.encode() + column.tobytes()


def from_bytes(data: bytes, owner: str = "") -> Curve:
    """Returns the curve that `to_bytes` has written.

    Args:
        data: What is stored.
        owner: Whose curve it is.

    Raises:
        ValueError: It is not such a curve.
    """
    if len(data) < _HEAD.size:
        raise ValueError("it is cut off")
    version, reported, size = _HEAD.unpack_from(data)
    if not 1 <= version <= _VERSION:
        raise ValueError(f"it has the form {version}, and this kftune reads {_VERSION}")
    if version > 1:
        data, checksum = data[: -_CHECKSUM.size], data[-_CHECKSUM.size :]
        if checksum != _checksum(data, owner):
            raise ValueError("it is not as it was stored")
    offset = _HEAD.size
    columns = []
    for types in ("eiq", "d", "I"):
        letter = chr(data[offset]) if offset < len(data) else "?"
        if letter not in types:
            raise ValueError("it has numbers of an unknown type")
        end = offset + 1 + (_EVEN.size if letter == "e" else _SIZES[letter] * size)
        columns.append((letter, data[offset + 1 : end]))
        offset = end
    if offset != len(data) or size < 1 or reported < size:
        raise ValueError("its parts have other lengths than it says")
    steps, values, times = (_from_bytes(letter, part, size) for letter, part in columns)
    # One check of the sum instead of one for each value; a sum of finite numbers may be infinite.
    if not math.isfinite(sum(values)) and not all(map(math.isfinite, values)):
        raise ValueError("it has values that are not finite numbers")
    return Curve(steps, values, array("d", [each / 1000 for each in times]), reported)


def _from_bytes(letter: str, data: bytes, size: int) -> array[Any]:
    if letter == "e":
        first, apart = _EVEN.unpack(data)
        last = first + apart * (size - 1)
        if apart < 1 or last >= 1 << 63:
            raise ValueError("it has steps that are not possible")
        return array("q", range(first, last + 1, apart))
    column: array[Any] = array(letter, data)
    if sys.byteorder == "big":
        column.byteswap()
    return array("q", column) if letter == "i" else column


def rows(number: int, curves: Mapping[str, Curve]) -> list[tuple[int, str, bytes]]:
    """Returns the rows to insert for one trial.

    Args:
        number: Its number.
        curves: Its curves, by metric.
    """
    return [(number, metric, to_bytes(curve, f"{number} {metric}")) for metric, curve in curves.items()]


def read(
    connection: sqlite3.Connection,
    folder: RunFolder,
    meta: Meta,
    *,
    number: int | None = None,
    metric: str | None = None,
) -> Iterator[tuple[int, str, Curve]]:
    """Yields the number of the trial, the metric and the curve, by number.

    Args:
        connection: The file.
        folder: Where it is.
        meta: The study.
        number: The trial; None for all of them.
        metric: The metric; None for all of them.

    Raises:
        StoreError: The file cannot be read, or a curve is damaged.
    """
    asked = {name: value for name, value in (("number", number), ("metric", metric)) if value is not None}
    with translated(folder):
        found = connection.execute(
            "SELECT number, metric, data FROM curves "  # noqa: S608  # the names are our own
            f"{'WHERE' if asked else ''} {' AND '.join(f'{name} = ?' for name in asked)} ORDER BY number, metric",
            [*asked.values()],
        )
        for trial, name, data in found:
            try:
                curve = from_bytes(data, f"{trial} {name}")
            except (ValueError, TypeError, OverflowError, MemoryError) as error:
                raise StoreError(
                    f"the curve of {name} of {meta.trial_name(trial)} is damaged: {error}; the other results do not "
                    f"depend on it, and its log has what was reported",
                    str(folder.path),
                ) from error
            yield trial, name, curve
