"""Durations (``30m``) and Kubernetes quantities (``500m``, ``4Gi``) in files."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[smhd])+")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_NEARLY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtpe])(i?)b?", re.IGNORECASE)
_DECIMAL = {"m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}
_FACTORS: dict[str | None, Decimal] = {
    None: Decimal(1),
    **{suffix: Decimal(factor) for suffix, factor in {**_DECIMAL, **_BINARY}.items()},
}


def parse_duration(value: object) -> float:
    """Returns the seconds of a duration: a number of seconds, or text such as ``90s``, ``30m``, ``1h30m``, ``2d``."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        seconds = float(value)
    elif isinstance(value, str) and _DURATION.fullmatch(value.replace(" ", "")):
        parts = re.findall(r"([0-9.]+)([smhd])", value.replace(" ", ""))
        seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    else:
        raise ValueError(f"a duration is seconds or text such as 90s, 30m, 1h30m, 2d, but got {value!r}")
    if seconds <= 0:
        raise ValueError(f"a duration must be above 0, but got {value!r}")
    return seconds


def parse_quantity(text: str) -> Decimal:
    """Returns the number of cores or bytes of a Kubernetes quantity."""
    found = _number_and_suffix(text)
    return Decimal(found[1]) * _FACTORS[found[2]]


def _quantity(value: object) -> str:
    if isinstance(value, bool):
        return _above_0(str(value).lower())  # as in the file
    return _above_0(str(value) if isinstance(value, (str, int, float)) else repr(value))


@lru_cache(256)
def _above_0(text: str) -> str:
    if not _number_and_suffix(text)[1].strip("0."):
        raise ValueError(f"a quantity must be above 0, but got {text!r}")
    return text


def _number_and_suffix(text: str) -> re.Match[str]:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(
            f"a quantity is a number with an optional suffix (500m, 2, 4Gi), but got {text!r}{_near(text)}"
        )
    return found


def _near(text: str) -> str:
    """Returns a question with the quantity that ``4GB``, ``4 gib`` and the like probably mean."""
    found = _NEARLY.fullmatch(text)
    if found is None:
        return ""
    letter = found[2].upper() if found[3] or found[2] not in "kK" else "k"
    return f"; did you mean {found[1] + letter + found[3].lower()!r}?"


def _text(value: object) -> object:
    """Returns numbers and booleans as text, as in environment variables."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("a text for a process cannot hold a NUL character")
    return value


def _no_bool(value: object) -> object:
    """Rejects true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, but got {str(value).lower()}")
    return value


NO_BOOL = BeforeValidator(_no_bool)
Count = Annotated[int, NO_BOOL]
Number = Annotated[float, NO_BOOL]
Money = Annotated[float, Field(gt=0), NO_BOOL]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda seconds: f"{seconds:.0f}s" if seconds.is_integer() else seconds, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": "^[0-9.smhd ]+$"}]}
    ),
]
Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"}]}),
]
UNLIMITED = "none"
"""The text that sets no limit."""
Limit = Annotated[
    str,
    BeforeValidator(lambda value: value if value == UNLIMITED else _quantity(value)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"},
                {"const": UNLIMITED},
            ]
        }
    ),
]
Token = Annotated[str, AfterValidator(_no_nul)]
EnvText = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(_no_nul),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}),
]
