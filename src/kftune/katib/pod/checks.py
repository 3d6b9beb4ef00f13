"""Checks of single values, and how checks of mappings and lists are made of them.

A check takes a value and its path, and yields problems. Values of another type than the schema's, and texts with a
placeholder, are passed over.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from kftune.katib.go.names import LABEL_VALUE, QUALIFIED, SUBDOMAIN, is_dns_label
from kftune.katib.go.quantity import parse
from kftune.katib.go.types import Path


class Problem(NamedTuple):
    """Why the API server refuses a value."""

    path: Path
    detail: str


Check = Callable[[Any, Path], Iterator[Problem]]


def is_open(value: object) -> bool:
    """Returns whether a text has a placeholder, so that its value is not known."""
    return isinstance(value, str) and "${" in value


def text(test: Callable[[str], object], must: str) -> Check:
    """Returns a check of texts.

    Args:
        test: Says whether a text is right.
        must: What a text must be.
    """

    def check(value: Any, path: Path) -> Iterator[Problem]:
        if isinstance(value, str) and not is_open(value) and not test(value):
            yield Problem(path, f"{path[-1]} must be {must}, not {value[:80]!r}")

    return check


def one_of(*values: str) -> Check:
    """Returns a check of a text that is one of a few."""
    return text(values.__contains__, f"{', '.join(values[:-1])} or {values[-1]}")


def whole(least: int, most: int | None = None) -> Check:
    """Returns a check of whole numbers between two bounds.

    Args:
        least: The smallest.
        most: The largest; None if there is none.
    """
    must = f"at least {least}" if most is None else f"between {least} and {most}"

    def check(value: Any, path: Path) -> Iterator[Problem]:
        wrong = isinstance(value, int) and (value < least or (most is not None and value > most))
        if wrong and not isinstance(value, bool):
            place = path[-1] if isinstance(path[-1], str) else f"{path[-2]}"
            yield Problem(path, f"{place} must be {must}, not {value}")

    return check


def fields(checks: Mapping[str, Check], *required: str) -> Check:
    """Returns a check of mappings.

    Args:
        checks: Checks of some fields.
        required: Fields that must be given.
    """

    def check(value: Any, path: Path) -> Iterator[Problem]:
        if not isinstance(value, dict):
            return
        for name in required:
            if value.get(name) in (None, "", [], {}):
                yield Problem(path, f"{_called(path)} needs {name}")
        for name, given in value.items():
            inner = checks.get(name)
            if inner is not None and given is not None:
                yield from inner(given, (*path, name))

    return check


def _called(path: Path) -> str:
    named = [part for part in path if isinstance(part, str)]
    return f"each of {named[-1]}" if isinstance(path[-1], int) else named[-1]


def each(inner: Check) -> Check:
    """Returns a check of the items of a list."""

    def check(value: Any, path: Path) -> Iterator[Problem]:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from inner(item, (*path, index))

    return check


def all_of(*checks: Check) -> Check:
    """Returns a check that makes several."""

    def check(value: Any, path: Path) -> Iterator[Problem]:
        for one in checks:
            yield from one(value, path)

    return check


def on_map(inner: Callable[[Mapping[str, Any], Path], Iterator[Problem]]) -> Check:
    """Returns a check that is made of mappings only."""

    def check(value: Any, path: Path) -> Iterator[Problem]:
        if isinstance(value, dict):
            yield from inner(value, path)

    return check


def unique(*names: str) -> Check:
    """Returns a check that no two items of a list have the same values in some fields."""

    def check(value: Any, path: Path) -> Iterator[Problem]:
        seen: set[tuple[str, ...]] = set()
        for index, item in enumerate(value if isinstance(value, list) else ()):
            key = tuple(str(item.get(name)) for name in names) if isinstance(item, dict) else ()
            if key in seen:
                yield Problem((*path, index, names[0]), f"two {path[-1]} have the {names[0]} {key[0]!r}")
            if key and key[0] != "None" and not any(is_open(part) for part in key):
                seen.add(key)

    return check


def is_key(value: str) -> bool:
    """Returns whether a text is a key of a label: a name of at most 63 characters, and a domain before it or none."""
    domain, slash, name = value.rpartition("/")
    in_domain = not slash or (SUBDOMAIN.fullmatch(domain) is not None and len(domain) <= 253)
    return in_domain and len(name) <= 63 and QUALIFIED.fullmatch(name) is not None


def is_domain_path(value: str) -> bool:
    """Returns whether a text is a path below a domain, such as example.org/controller."""
    domain, slash, name = value.partition("/")
    return len(value) <= 63 and bool(slash and name) and is_subdomain(domain)


def is_subdomain(value: str) -> bool:
    """Returns whether most objects can have the name."""
    return len(value) <= 253 and SUBDOMAIN.fullmatch(value) is not None


def is_label_value(value: str) -> bool:
    """Returns whether a text is the value of a label."""
    return len(value) <= 63 and LABEL_VALUE.fullmatch(value) is not None


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def is_below(value: str) -> bool:
    """Returns whether a subPath stays in its volume."""
    return not value.startswith("/") and _stays(value)


def _stays(value: str) -> bool:
    return ".." not in value.split("/")


def _is_file(value: str) -> bool:
    return is_below(value) and not value.startswith("..")


def amount(least: Decimal, must: str) -> Check:
    """Returns a check of quantities, which are texts or numbers.

    Args:
        least: The smallest one.
        must: What a quantity must be.
    """

    def check(value: Any, path: Path) -> Iterator[Problem]:
        given = parse(str(value)) if isinstance(value, (str, int, float)) else None
        if not is_open(value) and (given is None or given < least):
            yield Problem(path, f"{path[-1]} must be {must}, not {value!r}")

    return check


LABEL = text(is_dns_label, "lower-case letters, digits and '-'")
_NAME_OF = "a name of lower-case letters, digits, '-' and '.'"
NAME = text(is_subdomain, _NAME_OF)
OPTIONAL_NAME = text(lambda value: not value or is_subdomain(value), _NAME_OF)
OPTIONAL_LABEL = text(lambda value: not value or is_dns_label(value), "lower-case letters, digits and '-'")
OPTIONAL_KEY = text(lambda value: not value or is_key(value), "a key such as name or example.org/name")
KEY = text(is_key, "a key such as name or example.org/name")
LABEL_TEXT = text(is_label_value, "the value of a label")
ADDRESS = text(_is_address, "an IP address")
FILE = text(_is_file, "a relative path that does not begin with '..'")
BELOW = text(is_below, "a relative path without '..'")
ABSOLUTE = text(lambda value: value.startswith("/"), "an absolute path")
NO_STEPS_BACK = text(_stays, "a path without '..'")
AMOUNT = amount(Decimal(0), "a quantity such as 2 or 4Gi")
SOME = amount(Decimal("1e-9"), "a quantity above 0 such as 10Gi")
ID = whole(0, 2**31 - 1)
MODE = whole(0, 0o777)


def labels(value: Any, path: Path) -> Iterator[Problem]:
    """Yields the keys and values that labels cannot have.

    Args:
        value: The labels.
        path: Their path.
    """
    for key, given in (value if isinstance(value, dict) else {}).items():
        yield from KEY(key, (*path, key))
        yield from LABEL_TEXT(given, (*path, key))
