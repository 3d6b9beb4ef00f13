"""Reads rows from the pages of a SQLite file, without SQLite: for a file that it refuses.

Only the form of leaf pages is known here. A caller must check the checksum of a row.

Source: https://www.sqlite.org/fileformat2.html, sections 1.3, 1.6, 2.1 and 4.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_HEAD, _WAL_HEAD, _FRAME_HEAD = 100, 32, 24
_USUAL_SIZE = 4096
_TABLE_LEAF, _INDEX_LEAF = 0x0D, 0x0A
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_REAL, _ZERO, _ONE, _FIRST_TEXT = 7, 8, 9, 12
_LEAST, _MOST = 512, 65536


class PageRow(NamedTuple):
    """A row, as it was found.

    Attributes:
        key: Its rowid; None in a table without them.
        values: Its columns.
    """

    key: int | None
    values: tuple[Any, ...]


def rows_in(database: bytes, log: bytes = b"") -> Iterator[PageRow]:
    """Yields what looks like a row, the oldest state of each page first; also rows that were replaced or deleted.

    Args:
        database: The file.
        log: Its write-ahead log, ``-wal``.
    """
    size = _size_of(database, log)
    pages = {number: database[start : start + size] for number, start in enumerate(range(0, len(database), size), 1)}
    for number, page in pages.items():
        yield from _rows(page, pages, _HEAD if number == 1 else 0)
    for start in range(_WAL_HEAD, len(log) - _FRAME_HEAD, _FRAME_HEAD + size):
        (number,) = struct.unpack_from(">I", log, start)
        # A long row continues in other pages, which are written before it or are in the database.
        pages[number] = log[start + _FRAME_HEAD : start + _FRAME_HEAD + size]
    for start in range(_WAL_HEAD, len(log) - _FRAME_HEAD, _FRAME_HEAD + size):
        (number,) = struct.unpack_from(">I", log, start)
        page = log[start + _FRAME_HEAD : start + _FRAME_HEAD + size]
        yield from _rows(page, pages, _HEAD if number == 1 else 0)


def _size_of(database: bytes, log: bytes) -> int:
    """Returns the size of a page, as either file says it."""
    for data, form, offset in ((database, ">H", 16), (log, ">I", 8)):
        if len(data) >= _WAL_HEAD:
            size = int(struct.unpack_from(form, data, offset)[0])
            size = _MOST if size == 1 else size
            if _LEAST <= size <= _MOST and not size & (size - 1):
                return size
    return _USUAL_SIZE


def _rows(page: bytes, pages: Mapping[int, bytes], offset: int) -> Iterator[PageRow]:
    """Yields the rows of a leaf page; nothing for another page."""
    if len(page) < _LEAST or page[offset] not in (_TABLE_LEAF, _INDEX_LEAF):
        return
    (count,) = struct.unpack_from(">H", page, offset + 3)
    for index in range(count):
        place = offset + 8 + 2 * index
        try:
            (start,) = struct.unpack_from(">H", page, place)
            yield _row(page, pages, start, with_key=page[offset] == _TABLE_LEAF)
        except (IndexError, KeyError, ValueError, struct.error):  # it is damaged
            continue


def _row(page: bytes, pages: Mapping[int, bytes], start: int, *, with_key: bool) -> PageRow:
    length, at = _varint(page, start)
    key = None
    if with_key:
        key, at = _varint(page, at)
    usable = len(page)
    most = usable - 35 if with_key else (usable - 12) * 64 // 255 - 23
    here = length
    if length > most:
        least = (usable - 12) * 32 // 255 - 23
        here = least + (length - least) % (usable - 4)
        here = here if here <= most else least
    data = bytearray(page[at : at + here])
    if length > here:
        (number,) = struct.unpack_from(">I", page, at + here)
        seen = set[int]()
        while len(data) < length and number not in seen:
            seen.add(number)
            data += pages[number][4:usable]
            (number,) = struct.unpack_from(">I", pages[number], 0)
    return PageRow(key, _values(bytes(data[:length])))


def _values(record: bytes) -> tuple[Any, ...]:
    size, at = _varint(record, 0)
    kinds, body, values = [], size, []
    while at < size:
        kind, at = _varint(record, at)
        kinds.append(kind)
    for kind in kinds:
        value, body = _value(record, kind, body)
        values.append(value)
    if body != len(record):
        raise ValueError("the columns have another length")
    return tuple(values)


def _value(record: bytes, kind: int, at: int) -> tuple[Any, int]:
    if kind in (0, _ZERO, _ONE):
        return {0: None, _ZERO: 0, _ONE: 1}[kind], at
    if kind in _INTEGERS:
        end = at + _INTEGERS[kind]
        return int.from_bytes(record[at:end], "big", signed=True), end
    if kind == _REAL:
        return struct.unpack_from(">d", record, at)[0], at + 8
    if kind < _FIRST_TEXT:
        raise ValueError("a type that no row has")
    end = at + (kind - _FIRST_TEXT) // 2
    data = record[at:end]
    return (data.decode() if kind % 2 else data), end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns a number of variable length, and where it ends."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # the highest bit says that it goes on
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9
