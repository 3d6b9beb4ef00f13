"""Reads values from TensorFlow's event files as Katib's TensorFlowEvent collector does, without TensorFlow.

There are two kinds of values. TensorFlow 2 writes tensors; Katib stores what numpy prints of them: 0.01. PyTorch,
tensorboardX and TensorFlow 1 write a 32-bit number, which Katib converts to a Python float: 0.009999999776482582.

Source: katib v0.19.0, pkg/metricscollector/v1beta1/tfevent-metricscollector/tfevent_loader.py, run with tensorflow
2.16.1, tensorboard 2.16.2 and numpy 1.26.4; tensorflow, core/lib/io/record_writer.h (framing), core/util/event.proto,
core/framework/{summary,tensor}.proto.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from kftune.katib.trial.protobuf import WireError, bytes_of, fields, packed, text_of

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_LARGEST = 1 << 30
# Scalars are small. Checking the bytes of images and graphs, which are not read here, would take seconds.
_CHECKED = 1 << 16
_HALF, _BFLOAT16 = 19, 14
_FLOATS = {1: "f", 2: "d", _HALF: "e"}
_INTEGERS = {3: "i", 9: "q", 4: "B", 5: "h", 6: "b", 17: "H", 22: "I", 23: "Q"}
_NOT_A_NUMBER = "[...]"
"""Stands for what numpy prints of an array, a text or a truth value, which Katib stores as a value too."""

Opened = Callable[[], BufferedReader]
"""Opens a file for reading."""


class Scalar(NamedTuple):
    """One value of one tag."""

    tag: str
    text: str
    """As Katib stores it."""
    wall_time: float
    step: int
    is_tensor: bool = False


def rows(folder: Path, metrics: Sequence[str]) -> list[tuple[str, str, str]]:
    """Returns metric, value and time (RFC 3339, seconds) from the event files below a folder, as Katib stores them.

    Args:
        folder: The folder.
        metrics: Names, as for `reports`.
    """
    return [row(*found) for found in reports(folder, metrics)]


def row(metric: str, scalar: Scalar) -> tuple[str, str, str]:
    """Returns metric, value and time (RFC 3339, seconds) of a report.

    Args:
        metric: The metric.
        scalar: Its value.
    """
    moment = datetime.fromtimestamp(int(scalar.wall_time), UTC).isoformat().replace("+00:00", "Z")
    return metric, scalar.text, moment


def reports(folder: Path, metrics: Sequence[str]) -> list[tuple[str, Scalar]]:
    """Returns the scalars of metrics from the event files below a folder, by file and tag.

    Args:
        folder: The folder.
        metrics: Names; ``dir/tag`` means the tag in files with a folder that ends in ``dir``. As in Katib, a tag that
            only begins with the name counts too.
    """
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return reports_in(((file, partial(_open, file)) for file in files), metrics)


def reports_in(files: Iterable[tuple[Path, Opened]], metrics: Sequence[str]) -> list[tuple[str, Scalar]]:
    """Returns the scalars of metrics from event files; others are not opened.

    Args:
        files: Paths, each with what opens it.
        metrics: Names, as for `reports`.
    """
    found = []
    for path, opened in files:
        # the names that tensorboard takes for event files
        if "tfevents" in path.name and not path.name.endswith(".profile-empty"):
            found += _in_file(path, opened, metrics)
    return found


def scalars(file: Path) -> Iterator[Scalar]:
    """Yields the scalars of one event file, up to where it is damaged or still being written."""
    return _scalars(partial(_open, file))


def _open(file: Path) -> BufferedReader:
    return file.open("rb")


def _scalars(opened: Opened) -> Iterator[Scalar]:
    try:
        for record in _records(opened):
            yield from _of_event(record)
    except WireError:
        return


def _in_file(file: Path, opened: Opened, metrics: Sequence[str]) -> list[tuple[str, Scalar]]:
    tensors: dict[str, list[Scalar]] = {}
    others: dict[str, list[Scalar]] = {}
    for scalar in _scalars(opened):
        (tensors if scalar.is_tensor else others).setdefault(scalar.tag, []).append(scalar)
    found = []
    for tag, items in (*tensors.items(), *others.items()):
        for metric in metrics:
            folder, _, last = metric.rpartition("/")
            if tag.startswith(last) and (not folder or str(file.parent).endswith(folder)):
                found += [(metric, item) for item in items]
    return found


def _records(opened: Opened) -> Iterator[bytes]:
    """Yields the records, which are as `framed` writes them."""
    with opened() as stream:
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


def framed(record: bytes) -> bytes:
    """Returns a record as it is in a file: its length, a checksum of it, its bytes, and a checksum of them."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, _FOOTER.pack(_masked(length)), record, _FOOTER.pack(_masked(record))))


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
            step = value - (1 << 64) if value >= 1 << 63 else value
        elif number == 5:
            summaries.append(bytes_of(value))
    for summary in summaries:
        for number, value in fields(summary):
            if number == 1:
                tag, text, is_tensor = _of_value(bytes_of(value))
                if text:
                    yield Scalar(tag, text, wall_time, step, is_tensor)


def _of_value(message: bytes) -> tuple[str, str, bool]:
    """Summary.Value: tag 1, simple_value 2, tensor 8; the text is empty for an image or a histogram."""
    tag, text, is_tensor = "", "", False
    for number, value in fields(message):
        if number == 1:
            tag = text_of(value)
        elif number == 2:
            text = repr(struct.unpack("<f", bytes_of(value))[0])
        elif number == 8:
            text, is_tensor = _of_tensor(bytes_of(value)), True
    return tag, text, is_tensor


def _of_tensor(message: bytes) -> str:
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
    if any(number == 2 for number, _ in fields(shape)):  # a dimension
        return _NOT_A_NUMBER
    return _number(dtype, content or values, integers)


def _number(dtype: int, data: bytes, integers: list[int]) -> str:
    """Returns the text of a tensor with one value; without any value it is 0."""
    if dtype in (_HALF, _BFLOAT16) and not data:
        data = struct.pack("<H", integers[0] & 0xFFFF) if integers else b""
    try:
        if dtype == _BFLOAT16:
            return f"{struct.unpack('<f', bytes(2) + (data or bytes(2)))[0]:.6g}"
        if dtype in _FLOATS:
            form = f"<{_FLOATS[dtype]}"
            return _float(struct.unpack_from(form, data)[0] if data else 0.0, form)
        if dtype in _INTEGERS and data:
            return str(struct.unpack_from(f"<{_INTEGERS[dtype]}", data)[0])
    except struct.error:
        return _NOT_A_NUMBER
    if dtype in _INTEGERS:
        value = integers[0] if integers else 0
        return str(value - (1 << 64) if value >= 1 << 63 else value)
    return _NOT_A_NUMBER


def _float(value: float, form: str) -> str:
    """Returns what numpy prints: the shortest text that reads back as the same number of that size.

    Args:
        value: The number.
        form: Its size, for `struct`.
    """
    if form == "<d" or not math.isfinite(value):
        return repr(value)
    texts = (f"{value:.{digits}e}" for digits in range(9))
    text = next(text for text in texts if _rounded(float(text), form) == value)
    # Where the decimal text is 0.0001 and the number below it, numpy still writes an exponent.
    return text if 0 < abs(value) < 1e-4 else repr(float(text))


def _rounded(value: float, form: str) -> float:
    try:
        rounded: float = struct.unpack(form, struct.pack(form, value))[0]
    except OverflowError:
        return math.inf
    return rounded
