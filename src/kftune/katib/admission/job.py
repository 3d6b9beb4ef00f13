"""Whether an object converts to a batch/v1 Job without loss, which Katib asks of every Job template.

Katib converts the object to Go's Job, writes that back as JSON and compares. So it rejects a misspelt field, and also
values that Go omits or writes differently: `value: ""` of a variable, an empty list or map, `hostNetwork: false`, null,
and a quantity in another spelling (`1024Mi` for `1Gi`), except below resources.limits and resources.requests.

Source: katib v0.19.0, pkg/webhook/v1beta1/experiment/validator (validateTrialJob); k8s.io/apimachinery, pkg/runtime
(converter.go).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from kftune.katib.go.json_reading import json_kind
from kftune.katib.go.quantity import REGEX_MESSAGE, canonical
from kftune.katib.go.text import json_text, number_text, plain_text
from kftune.katib.go.types import Path, struct


class JobProblem(NamedTuple):
    """Why an object is not a Job."""

    path: Path
    detail: str
    """In the webhook's words."""
    lost: bool
    """Whether the type fits but the value is lost."""


class _UnfitError(Exception):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


def job_problem(template: Mapping[str, Any]) -> JobProblem | None:
    """Returns the first problem of an object as a Job, or None; wrong types come before lost values.

    Args:
        template: The object, with its placeholders replaced.
    """
    conversion = _Conversion()
    try:
        conversion.fields(template, "Job", ())
    except _UnfitError as unfit:
        detail = f"unable to convert spec.TrialTemplate: {plain_text(template)} to Job: {unfit.reason}"
        return JobProblem(unfit.path, detail, lost=False)
    if conversion.lost is None:
        return None
    path, value = conversion.lost
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    shown = number_text(value) if number else plain_text(value)
    detail = f"unable to convert: {pointer} - {shown} to Job, converted template: {json_text(template)}"
    return JobProblem(path, detail, lost=True)


class _Conversion:
    """One comparison; keeps the first value that is lost."""

    def __init__(self) -> None:
        self.lost: tuple[Path, Any] | None = None

    def fields(self, value: Any, name: str, path: Path) -> None:
        if type(value) is not dict:
            raise _UnfitError(path, f"cannot restore struct from: {_kind(value)}")
        kinds = struct(name).kinds
        for key, item in value.items():
            kind = kinds.get(key)
            if kind is None:
                self._lose((*path, key), item)
            else:
                self._value(item, kind, (*path, key))

    def _lose(self, path: Path, value: object) -> None:
        exempt = any(
            part == "resources" and following in ("limits", "requests")
            for part, following in itertools.pairwise(path[:-1])
        )
        if self.lost is None and not exempt:
            self.lost = (path, value)

    def _value(self, value: Any, kind: str, path: Path) -> None:
        mark = kind[0] if kind[0] in "*!" else ""
        kind = kind.lstrip("*!")
        if value is None:
            if mark != "!" or kind[0] not in "[t":
                self._lose(path, value)
            return
        head = kind[0]
        if head == "=":
            self.fields(value, kind[1:], path)
        elif head in "[{":
            self._items(value, kind, path)
        elif head != "o":
            self._scalar(value, head, path)
        if not mark and not value:
            self._lose(path, value)

    def _items(self, value: Any, kind: str, path: Path) -> None:
        wanted, name = (list, "slice") if kind[0] == "[" else (dict, "map")
        if type(value) is not wanted:
            raise _UnfitError(path, f"cannot restore {name} from {_kind(value)}")
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            self._value(item, "!" + kind[1:], (*path, key))

    def _scalar(self, value: Any, head: str, path: Path) -> None:
        if head in _PLAIN:
            if type(value) is not _PLAIN[head][0]:
                raise _unfit(value, _PLAIN[head][1], path)
        elif head in "iI":
            self._integer(value, 32 if head == "i" else 64, path)
        elif head == "q":
            self._quantity(value, path)
        elif head == "t":
            self._time(value, path)
        elif type(value) is not str and not (type(value) is int and -(2**31) <= value < 2**31):
            raise _UnfitError(path, f"json: cannot unmarshal {_shown(value)} into Go value of type int32")

    def _time(self, value: Any, path: Path) -> None:
        try:
            moment = datetime.fromisoformat(value) if type(value) is str else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise _UnfitError(path, f"parsing time {value!r} as RFC 3339: cannot parse it")
        if not value.endswith("Z") or "." in value or "T" not in value:  # Go writes whole seconds, in UTC
            self._lose(path, value)

    def _integer(self, value: Any, bits: int, path: Path) -> None:
        if type(value) is float and value == int(value):
            self._lose(path, value)
        elif type(value) is not int:
            raise _unfit(value, f"int{bits}", path)
        elif not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            self._lose(path, value)

    def _quantity(self, value: Any, path: Path) -> None:
        unfit = type(value) is bool or isinstance(value, (dict, list))
        written = None if unfit else canonical(str(value).strip())
        if written is None:
            raise _UnfitError(path, REGEX_MESSAGE)
        if written != value:
            self._lose(path, value)


_PLAIN: dict[str, tuple[type, str]] = {"s": (str, "string"), "b": (bool, "bool")}


def _kind(value: object) -> str:
    names: dict[type, str] = {str: "string", bool: "bool", int: "int64", float: "float64", list: "slice", dict: "map"}
    return names.get(type(value), "interface")


def _shown(value: object) -> str:
    """Returns what Go's JSON reader calls a value; it shows a number that does not fit."""
    return f"number {json_text(value)}" if type(value) in (int, float) else json_kind(value)


def _unfit(value: object, wanted: str, path: Path) -> _UnfitError:
    # Go has a conversion from an integer to a text, and from a float to an integer, which Kubernetes does not use.
    if (type(value) is int and wanted == "string") or (type(value) is float and wanted.startswith("int")):
        return _UnfitError(path, f"cannot convert {_kind(value)} to {wanted}")
    return _UnfitError(path, f"unrecognized type: {wanted}")
