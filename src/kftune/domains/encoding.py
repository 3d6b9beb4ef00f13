"""Encoded values: safe text forms for values that a shell or Katib would corrupt, or that Katib cannot draw.

An assignment value that starts with ``kftune:`` is encoded. It holds all that is needed to decode it, so a command line
copied out of a pod gives the same run anywhere:

    kftune:text:say%20%22hi%22                    a text that substitution or a shell could change
    kftune:quantile:<domain>:0.25                 the domain's value at 0.25 of its distribution
    kftune:millionth:<domain>:250000              the same at (250000 + 0.5) / 1 000 000
    kftune:index:<domain>:3                       point number 3 of the domain's grid

Inside a JSON argument, each text that starts with ``kftune:`` is encoded in the same way.

<domain> is the domain's description as percent-encoded JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, unquote

from kftune import json_input
from kftune.domains import Domain, domain_from_spec
from kftune.domains.lattice import Stepped
from kftune.errors import DomainError, UnknownNameError

PREFIX = "kftune:"
MILLION = 1_000_000

Mode = Literal["quantile", "millionth", "index"]

_SAFE = re.compile(r"[A-Za-z0-9_.,:+/@%^-]+")


class DomainValue(NamedTuple):
    """A decoded value, with the domain that it comes from."""

    domain: Domain
    value: Any


def is_safe(text: str) -> bool:
    """Returns whether Katib's substitution, a shell and every YAML reader leave `text` unchanged."""
    return _SAFE.fullmatch(text) is not None and not text.startswith(PREFIX)


def encode_text(text: str) -> str:
    """Returns `text` as a token of safe characters."""
    return f"{PREFIX}text:{_escaped(text)}"


def encode_value(mode: Mode, domain: Domain, number: str) -> str:
    """Returns the encoded form of a value of `domain`.

    Args:
        mode: How `number` picks the value.
        domain: The domain of the value; the text contains its description.
        number: A number's text, or the placeholder that an engine replaces with one.
    """
    spec = json.dumps(domain.to_spec(), separators=(",", ":"))
    return f"{PREFIX}{mode}:{_escaped(spec)}:{number}"


def decode(text: str) -> str | DomainValue:
    """Returns `text` itself, the text that it encodes, or the value of a domain that it encodes.

    Raises:
        DomainError: The text starts with ``kftune:`` but has none of the forms above.
    """
    if not text.startswith(PREFIX):
        return text
    mode, _, rest = text[len(PREFIX) :].partition(":")
    spec, _, number = rest.partition(":")
    if mode != "text" and (mode not in ("quantile", "millionth", "index") or not number):
        raise DomainError(f"an encoded value is {PREFIX}text|quantile|millionth|index:…, but got {text!r}")
    try:
        if mode == "text":
            return unquote(rest, errors="strict")
        domain = domain_from_spec(json_input.loads(unquote(spec, errors="strict")))
        return DomainValue(domain, picked(mode, domain, number))
    except (ValueError, UnknownNameError) as error:
        raise DomainError(f"cannot decode {text!r}: {error}") from error


def encode_inside(value: Any) -> Any:
    """Returns a JSON-able value with each text in it that looks encoded as an encoded text."""
    if isinstance(value, str):
        return encode_text(value) if value.startswith(PREFIX) else value
    return _mapped(encode_inside, value)


def decode_inside(value: Any) -> Any:
    """Returns a JSON-able value with each encoded value in it decoded.

    Raises:
        DomainError: A text starts with ``kftune:`` but is no encoded value.
    """
    if isinstance(value, str):
        found = decode(value)
        if not isinstance(found, DomainValue):
            return found
        is_whole = isinstance(found.domain, Stepped) and found.domain.is_whole
        return int(found.value) if is_whole else found.value  # the type of a value in a mapping may be any
    return _mapped(decode_inside, value)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Returns a value with a function applied to all that a list or a mapping holds."""
    if isinstance(value, dict):
        return {key: function(inner) for key, inner in value.items()}
    return [function(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def picked(mode: str, domain: Domain, number: str) -> Any:
    """Returns the value of a domain that a number picks.

    Args:
        mode: How the number picks the value.
        domain: The domain.
        number: The number's text.

    Raises:
        DomainError: The number is out of range.
        ValueError: The text is no number.
    """
    if mode == "index":
        points, index = domain.grid(), int(number)
        if not 0 <= index < len(points):
            raise DomainError(f"index must be from 0 to {len(points) - 1}, but got {number}")
        return points[index]
    if mode == "millionth":
        if not 0 <= int(number) < MILLION:
            raise DomainError(f"a millionth must be from 0 to {MILLION - 1}, but got {number}")
        return domain.quantile((int(number) + 0.5) / MILLION)
    if not 0 <= float(number) <= 1:
        raise DomainError(f"a quantile must be from 0 to 1, but got {number}")
    return domain.quantile(float(number))


def _escaped(text: str) -> str:
    """Returns `text` in safe characters; commas stay readable."""
    return quote(text, safe=",").replace("~", "%7E")
