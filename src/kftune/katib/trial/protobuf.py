"""Reads and writes the part of the protobuf wire format that Katib's metrics and TensorFlow's events use.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

Field = int | bytes
"""The value of a field: an int for a varint, bytes for the rest."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10


class WireError(ValueError):
    """Bytes that are not a protobuf message."""


def fields(message: bytes) -> Iterator[tuple[int, Field]]:
    """Yields number and value of each field of a message, in order.

    Raises:
        WireError: The message is cut off, or uses an obsolete wire type.
    """
    position, size = 0, len(message)
    while position < size:
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == _BYTES:
            length, position = _varint(message, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"unknown wire type {kind}")
        end = position + length
        if end > size:
            raise WireError("the message is cut off")
        yield number, message[position:end]
        position = end


def text_of(value: Field) -> str:
    """Returns the text in a field."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def bytes_of(value: Field) -> bytes:
    """Returns the bytes of a field.

    Raises:
        WireError: The field is a number.
    """
    if isinstance(value, int):
        raise WireError("expected a message, found a number")
    return value


def packed(value: Field) -> list[int]:
    """Returns the numbers of a repeated field of varints, in either of its two forms."""
    if isinstance(value, int):
        return [value]
    found, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        found.append(number)
    return found


def delimited(number: int, content: bytes | str) -> bytes:
    """Encodes a field of text, bytes or a message.

    Args:
        number: The field's number.
        content: The encoded message, bytes or text.
    """
    data = content.encode() if isinstance(content, str) else content
    return _to_varint(number << 3 | _BYTES) + _to_varint(len(data)) + data


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * _MOST_VARINT_BYTES, 7):
        if position >= len(message):
            raise WireError("the message is cut off")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise WireError("a number has more than 64 bits")


def _to_varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
