"""The protobuf wire format, as far as Katib's metrics and TensorFlow's events need it.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

Field = int | bytes
"""The value of a field: an int for a varint, else its bytes."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def fields(message: bytes) -> Iterator[tuple[int, Field]]:
    """The fields of a message in their order: number and value.

    Raises:
        WireError: The message is cut off, or uses a wire type that nobody writes any more.
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
            raise WireError(f"wire type {kind} is not known")
        end = position + length
        if end > size:
            raise WireError("the message is cut off")
        yield number, message[position:end]
        position = end


def text_of(value: Field) -> str:
    """The text in a field."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def bytes_of(value: Field) -> bytes:
    """The bytes of a field.

    Raises:
        WireError: It is a number.
    """
    if isinstance(value, int):
        raise WireError("a message is expected, and a number found")
    return value


def packed(value: Field) -> list[int]:
    """The numbers of a repeated field of varints, in whichever of its two forms."""
    if isinstance(value, int):
        return [value]
    found, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        found.append(number)
    return found


def delimited(number: int, content: bytes | str) -> bytes:
    """A field of text, bytes or a message."""
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
