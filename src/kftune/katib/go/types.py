"""Decodes JSON values into Go types, which are written as short texts.

A type is `s` text, `b` bool, `i` int32, `I` int64, `f` float64, `q` quantity, `x` int or text, `t` time, `u` any
object with a kind, `o` anything, `=Name` a struct, `[T` a list, `{T` a map with text keys; `s:Name` is a Go string type
of that name. The prefix `*` marks a pointer, `!` a field that Go writes even when it is empty.

Decoding follows the API machinery: names are case-sensitive, null leaves a field unset, unknown fields are dropped, and
a wrong type is an error.

Source: sigs.k8s.io/json, encoding/json (decode.go).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from kftune.katib.go import times
from kftune.katib.go.experiment_fields import EXPERIMENT_FIELDS
from kftune.katib.go.json_reading import json_kind, with_sorted_keys
from kftune.katib.go.quantity import REGEX_MESSAGE, parse

Path = tuple[str | int, ...]


class DecodeError(ValueError):
    """A value that does not fit its Go type.

    Args:
        message: The API machinery's message.
        path: Its place below the decoded value.
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message, path)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return self.message


class _MismatchError(Exception):
    """A value of the wrong type, or with a message of its own; each level adds its key to the path."""

    def __init__(self, found: object, wanted: str, message: str | None = None) -> None:
        super().__init__(wanted)
        self.found = found
        self.wanted = wanted
        self.message = message
        self.owner = ""
        self.path: list[str | int] = []


Decoder = Callable[[Any], Any]


class Struct:
    """A Go struct."""

    def __init__(self, name: str, kinds: Mapping[str, str]) -> None:
        self.name = name
        self.kinds = kinds
        self._decoders: dict[str, Decoder] = {}

    def decode(self, value: object) -> dict[str, Any]:
        """Returns the known fields that are set.

        Raises:
            DecodeError: A value has the wrong type. Of several, it is the first one by field name, as on the server.
        """
        try:
            return self._decoded(value)
        except _MismatchError:
            pass
        try:
            self._decoded(with_sorted_keys(value))
        except _MismatchError as mismatch:
            raise _explained(mismatch) from None
        raise AssertionError("sorted fields must fail to decode too")

    def unknown(self, value: object) -> Iterator[Path]:
        """Yields the paths of the fields in a decodable value that are dropped."""
        if isinstance(value, dict):
            for key, item in value.items():
                kind = self.kinds.get(key)
                if kind is None:
                    yield (key,)
                elif item is not None:
                    yield from ((key, *below) for below in _unknown_below(kind, item))

    def _decoded(self, value: object) -> dict[str, Any]:
        if type(value) is not dict:
            if value is None:
                return {}
            raise _MismatchError(value, _go_name("=" + self.name))
        decoders = self._decoders or self._prepare()
        result: dict[str, Any] = {}
        key = ""
        try:
            for key, item in value.items():
                if key not in decoders:
                    _dropped[0] += 1
                elif item is not None:
                    result[key] = decoders[key](item)
        except _MismatchError as mismatch:
            mismatch.path.append(key)
            mismatch.owner = mismatch.owner or self.name
            raise
        return result

    def _prepare(self) -> dict[str, Decoder]:
        self._decoders = {name: _decoder(kind.lstrip("*!")) for name, kind in self.kinds.items()}
        return self._decoders


# The number of unknown fields in the current decoding; their paths are collected only when there are any.
_dropped = [0]


def dropped_fields(value: object, struct: Struct) -> tuple[dict[str, Any], bool]:
    """Decodes a value; returns it, and whether unknown fields were dropped.

    Args:
        value: The JSON value.
        struct: Its type.
    """
    _dropped[0] = 0
    decoded = struct.decode(value)
    return decoded, _dropped[0] > 0


@cache
def struct(name: str) -> Struct:
    """Returns a struct of the Experiment or of Kubernetes by its Go name."""
    if name in EXPERIMENT_FIELDS:
        return Struct(name, EXPERIMENT_FIELDS[name])
    return Struct(name, _kubernetes_fields()[name])


def known_fields(name: str, path: Path) -> tuple[str, ...]:
    """Returns the fields that a struct has at a path; empty where any field is allowed.

    Args:
        name: The struct's name.
        path: The path below it.
    """
    kind = f"={name}"
    for part in path:
        kind = kind.lstrip("*!")
        if kind[0] == "=":
            kind = struct(kind[1:]).kinds.get(str(part), "o")
        elif kind[0] in "[{":
            kind = kind[1:]
        else:
            return ()
    kind = kind.lstrip("*!")
    return tuple(struct(kind[1:]).kinds) if kind[0] == "=" else ()


@cache
def _kubernetes_fields() -> dict[str, dict[str, str]]:
    # Not importlib.resources: it takes longer to import than all of this package.
    text = FilePath(__file__).with_name("job_fields.json").read_text(encoding="utf-8")
    fields: dict[str, dict[str, str]] = json.loads(text)
    return fields


@cache
def _decoder(kind: str) -> Decoder:
    head = kind[0]
    if head == "=":
        return struct(kind[1:])._decoded
    if head == "[":
        return _list_decoder(kind)
    if head == "{":
        return _map_decoder(kind)
    if head == "s":
        return _exact_decoder(str, _go_name(kind))
    return _SCALARS[head]


def _exact_decoder(wanted: type, name: str) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is not wanted:
            raise _MismatchError(value, name)
        return value

    return decode


def _list_decoder(kind: str) -> Decoder:
    item_kind = kind[1:]
    decode_item = _decoder(item_kind)
    name = _go_name(kind)
    empty: Any = {"=": {}, "s": "", "i": 0, "I": 0}.get(item_kind[0])

    def decode(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _MismatchError(value, name)
        result = []
        index = 0
        try:
            for index, item in enumerate(value):  # noqa: B007 - used when the item is rejected
                if item is None:
                    result.append(dict(empty) if empty == {} else empty)
                else:
                    result.append(decode_item(item))
        except _MismatchError as mismatch:
            mismatch.path.append(index)
            raise
        return result

    return decode


def _map_decoder(kind: str) -> Decoder:
    decode_item = _decoder(kind[1:])
    name = _go_name(kind)
    empty: Any = "" if kind[1] == "s" else None

    def decode(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _MismatchError(value, name)
        result = {}
        key = ""
        try:
            for key, item in value.items():
                result[key] = empty if item is None else decode_item(item)
        except _MismatchError as mismatch:
            mismatch.path.append("\0" + key)
            raise
        return result

    return decode


def _integer(bits: int, name: str) -> Decoder:
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def decode(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise _MismatchError(value, name)
        return value

    return decode


def _number(value: Any) -> float:
    if type(value) is not int and type(value) is not float:
        raise _MismatchError(value, "float64")
    return float(value)


def _quantity(value: Any) -> Any:
    text = value if type(value) is str else json.dumps(value)
    if type(value) is bool or parse(text.strip()) is None:
        raise _MismatchError(value, "", REGEX_MESSAGE)
    return value


def _int_or_text(value: Any) -> Any:
    if type(value) is str or (type(value) is int and -(2**31) <= value < 2**31):
        return value
    raise _MismatchError(value, "int32")


def _time(value: Any) -> str:
    if type(value) is not str:
        raise _MismatchError(value, "string")
    if times.parse(value) is None:
        raise _MismatchError(value, "", f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse it')
    return value


def _object_with_kind(value: Any) -> Any:
    if type(value) is not dict:
        raise _MismatchError(value, "map[string]interface {}")
    kind = value.get("kind")
    if type(kind) is not str or not kind:
        raise _MismatchError(value, "", missing_kind(value))
    return value


_SCALARS: dict[str, Decoder] = {
    "b": _exact_decoder(bool, "bool"),
    "i": _integer(32, "int32"),
    "I": _integer(64, "int64"),
    "f": _number,
    "q": _quantity,
    "x": _int_or_text,
    "t": _time,
    "u": _object_with_kind,
    "o": lambda value: value,
}


def missing_kind(value: object) -> str:
    """Returns the API machinery's message for an object without a kind."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return f"Object 'Kind' is missing in '{text}'"


def _explained(mismatch: _MismatchError) -> DecodeError:
    path = tuple(part[1:] if isinstance(part, str) and part[0] == "\0" else part for part in reversed(mismatch.path))
    if mismatch.message is not None:
        return DecodeError(mismatch.message, path)
    fields = ".".join(part for part in reversed(mismatch.path) if isinstance(part, str) and part[0] != "\0")
    kind = json_kind(mismatch.found)
    if kind == "number" and mismatch.wanted.startswith("int"):
        kind = f"number {_number_text(mismatch.found)}"
    place = f"Go struct field {mismatch.owner}.{fields}" if fields else "Go value"
    return DecodeError(f"json: cannot unmarshal {kind} into {place} of type {mismatch.wanted}", path)


def _number_text(value: object) -> str:
    if isinstance(value, float) and abs(value) < 1e21:
        return format(Decimal(repr(value)), "f")
    return json.dumps(value)


def _go_name(kind: str) -> str:
    kind = kind.lstrip("*!")
    if kind[0] == "[":
        return "[]" + _go_name(kind[1:])
    if kind[0] == "{":
        return "map[string]" + _go_name(kind[1:])
    if kind[0] == "=":
        return ("v1beta1." if kind[1:] in EXPERIMENT_FIELDS else "v1.") + kind[1:]
    if kind.startswith("s:"):
        return "v1beta1." + kind[2:]
    return {"s": "string", "i": "int32", "I": "int64", "f": "float64", "b": "bool", "q": "resource.Quantity"}.get(
        kind, kind
    )


def _unknown_below(kind: str, value: object) -> Iterator[Path]:
    kind = kind.lstrip("*!")
    if kind[0] == "=":
        yield from struct(kind[1:]).unknown(value)
    elif kind[0] == "[" and isinstance(value, list):
        for index, item in enumerate(value):
            if item is not None:
                yield from ((index, *below) for below in _unknown_below(kind[1:], item))
