"""Reads scalars from TensorFlow's event files as Katib's TensorFlowEvent collector does, without TensorFlow.

Source: katib v0.19.0, pkg/metricscollector/v1beta1/tfevent-metricscollector/tfevent_loader.py; tensorflow,
core/lib/io/record_writer.h (framing), core/util/event.proto, core/framework/{summary,tensor}.proto.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from kftune.katib.trial.protobuf import Field, WireError, bytes_of, fields, packed, text_of

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_LARGEST = 1 << 30
# Scalars are small. Checking the bytes of images and graphs, which are not read here, would take seconds.
_CHECKED = 1 << 16
_FLOATS = {1: "f", 2: "d", 19: "e"}
_INTEGERS = {3: "i", 9: "q", 4: "B", 5: "h", 6: "b", 17: "H", 22: "I", 23: "Q"}


class Scalar(NamedTuple):
    """One value of one tag."""

    tag: str
    text: str
    """As numpy prints it."""
    wall_time: float
    step: int


def rows(folder: Path, metrics: Sequence[str]) -> list[tuple[str, str, str]]:
    """Returns metric, value and time (RFC 3339, seconds) from the event files below a folder, by file and tag.

    Args:
        folder: The folder.
        metrics: Names; ``dir/tag`` means the tag in files with a folder that ends in ``dir``. As in Katib, a tag that
            only begins with the name counts too.
    """
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            found += _rows_of_file(Path(place, name), metrics)
    return found


def scalars(file: Path) -> Iterator[Scalar]:
    """Yields the scalars of one event file, up to where it is damaged or still being written."""
    try:
        for record in _records(file):
            yield from _of_event(record)
    except WireError:
        return


def _rows_of_file(file: Path, metrics: Sequence[str]) -> list[tuple[str, str, str]]:
    by_tag: dict[str, list[Scalar]] = {}
    for scalar in scalars(file):
        by_tag.setdefault(scalar.tag, []).append(scalar)
    found = []
    for tag, items in by_tag.items():
        for metric in metrics:
            folder, _, last = metric.rpartition("/")
            if tag.startswith(last) and (not folder or str(file.parent).endswith(folder)):
                found += [(metric, item.text, _time(item.wall_time)) for item in items]
    return found


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _records(file: Path) -> Iterator[bytes]:
    """Yields the records; each is its length, a checksum of it, its bytes, and a checksum of them."""
    with file.open("rb") as stream:
        while len(header := stream.read(_HEADER.size)) == _HEADER.size:
            length, check = _HEADER.unpack(header)
            if length > _LARGEST or check != _masked(header[:8]):
                raise WireError("not an event file")
            record, footer = stream.read(length), stream.read(_FOOTER.size)
            if len(footer) < _FOOTER.size:
                return  # still being written
            if length <= _CHECKED and _FOOTER.unpack(footer)[0] != _masked(record):
                raise WireError("a record is damaged")
            yield record


def _masked(data: bytes) -> int:
    """Returns the CRC-32C, masked as TensorFlow does it."""
    table = _table()
    value = 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        found.append(value)
    return tuple(found)


def _of_event(record: bytes) -> Iterator[Scalar]:
    """Event: wall_time 1, step 2, summary 5."""
    wall_time, step, summaries = 0.0, 0, []
    for number, value in fields(record):
        if number == 1:
            wall_time = struct.unpack("<d", bytes_of(value))[0]
        elif number == 2 and isinstance(value, int):
            step = value
        elif number == 5:
            summaries.append(bytes_of(value))
    for summary in summaries:
        for number, value in fields(summary):
            if number == 1:
                tag, text = _of_value(bytes_of(value))
                if text is not None:
                    yield Scalar(tag, text, wall_time, step)


def _of_value(message: bytes) -> tuple[str, str | None]:
    """Summary.Value: tag 1, simple_value 2, tensor 8; the text is None for an image or a histogram."""
    tag, text = "", None
    for number, value in fields(message):
        if number == 1:
            tag = text_of(value)
        elif number == 2:
            text = _float32(struct.unpack("<f", bytes_of(value))[0])
        elif number == 8:
            text = _of_tensor(bytes_of(value))
    return tag, text


def _of_tensor(message: bytes) -> str | None:
    """TensorProto: dtype 1, shape 2, content 4, and one field of values per type."""
    dtype, content, values, shape = 0, b"", b"", b""
    integers: list[int] = []
    for number, value in fields(message):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 2:
            shape = bytes_of(value)
        elif number == 4:
            content = bytes_of(value)
        elif number in (5, 6) and isinstance(value, bytes):
            values += value
        elif number in (7, 10, 13):
            integers += packed(value)
    if any(number == 2 and _is_long(value) for number, value in fields(shape)):
        return None
    return _number(dtype, content or values, integers)


def _is_long(dimension: Field) -> bool:
    """TensorShapeProto.Dim: size 1."""
    sizes = [value for number, value in fields(bytes_of(dimension)) if number == 1]
    return sizes != [1]


def _number(dtype: int, data: bytes, integers: list[int]) -> str | None:
    """Returns the text of a tensor with one value; None for other types."""
    try:
        if dtype in _FLOATS:
            value = struct.unpack_from(f"<{_FLOATS[dtype]}", data)[0]
            return _float32(value) if dtype == 1 else repr(value)
        if dtype in _INTEGERS and data:
            return str(struct.unpack_from(f"<{_INTEGERS[dtype]}", data)[0])
    except struct.error:
        return None
    if dtype in _INTEGERS and integers:
        return str(integers[0] - (1 << 64) if integers[0] >= 1 << 63 else integers[0])
    return None


def _float32(value: float) -> str:
    """Returns the shortest text that reads back as the same 32-bit number."""
    for digits in range(1, 10):
        text = repr(float(f"{value:.{digits}g}"))
        if struct.unpack("<f", struct.pack("<f", float(text)))[0] == value or value != value:
            return text
    return repr(value)
