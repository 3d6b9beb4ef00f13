"""The settings of an algorithm: each is declared once, for the texts of Experiments and the typed values of studies."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.engines import problems
from kftune.katib.engines.search import Problem, Search
from kftune.katib.go.numbers import python_float, python_int

SEED = "random_state"


class Values(NamedTuple):
    """A set of values.

    Attributes:
        rule: The set in words, such as "an integer of at least 1".
        kind: int, float or str.
        holds: Whether a value of that type belongs to it.
        read: Reads a text as the engine does; None for a text that it cannot read.
    """

    rule: str
    kind: type[int] | type[float] | type[str]
    holds: Callable[[Any], bool]
    read: Callable[[str], Any]

    def has_text(self, text: str) -> bool:
        """Returns whether the set has the value of a text."""
        value = self.read(text)
        return value is not None and self.holds(value)

    def has(self, value: object) -> bool:
        """Returns whether a typed value belongs to the set. An int is also a float, but a bool is neither."""
        if self.kind is str or isinstance(value, (bool, str)):
            return self.kind is str and isinstance(value, str) and self.holds(value)
        is_float = self.kind is float and isinstance(value, float) and math.isfinite(value)
        return (is_float or isinstance(value, int)) and self.holds(value)


class Setting(NamedTuple):
    """A setting of an algorithm.

    Attributes:
        values: The values that work. Studies accept only these.
        checked: The values that the service's check accepts; None for the same values.
        consequence: What happens with a checked value that does not work; empty if the engine's own code decides.
        late: Whether that happens only after the first results.
        required: Whether the service refuses a search without it.
        meaning: What it decides, and what holds without it.
    """

    values: Values
    checked: Values | None = None
    consequence: str = ""
    late: bool = False
    required: bool = False
    meaning: str = ""


Settings = Mapping[str, Setting]
"""The settings of an algorithm by name."""


def integer(least: int, below: int | None = None) -> Values:
    """Returns a range of integers.

    Args:
        least: The first.
        below: The end of the range, not included; None for no end.
    """
    rule = f"an integer of at least {least}" if below is None else f"an integer from {least} to {below - 1}"
    return Values(rule, int, lambda value: value >= least and (below is None or value < below), python_int)


def number(rule: str, holds: Callable[[float], bool]) -> Values:
    """Returns the numbers for which a condition holds.

    Args:
        rule: The condition in words.
        holds: The condition.
    """
    return Values(rule, float, holds, python_float)


def one_of(texts: str) -> Values:
    """Returns a set of texts, which are given with blanks between them."""
    return Values(f"one of {', '.join(texts.split())}", str, texts.split().__contains__, str)


ANY = Values("any text", str, lambda _: True, str)
ABOVE_0 = number("a number above 0", lambda value: value > 0)
FINITE_ABOVE_0 = ABOVE_0._replace(holds=lambda value: 0 < value < math.inf)
SHARE = number("a number from 0 to 1", lambda value: 0 <= value <= 1)

NUMPY_SEED = Setting(integer(0, 2**32), checked=integer(0), consequence="the engine takes seeds below 2^32 only")


def refused_settings(search: Search, settings: Settings, *, strict: bool) -> Iterator[Problem]:
    """Yields what the service's check refuses.

    Args:
        search: The search.
        settings: What the service knows.
        strict: Whether it refuses names that it does not know, and checks each value of a name given twice.
    """
    for name, setting in settings.items():
        if setting.required and search.setting(name) is None:
            yield problems.refused_setting(search, name, f"{search.algorithm} needs it")
    for name, text in search.settings if strict else dict(search.settings).items():
        known = settings.get(name)
        if known is None:
            if strict:
                rule = f"{search.algorithm} knows only {', '.join(settings)}"
                yield problems.refused_setting(search, name, rule)
            continue
        checked = known.checked or known.values
        if not checked.has_text(text):
            yield problems.refused_setting(search, name, f"{text!r} must be {checked.rule}")


def unknown_settings(search: Search, known: Collection[str]) -> Iterator[Problem]:
    """Yields the settings that an algorithm ignores.

    Args:
        search: The search.
        known: The settings that the algorithm knows.
    """
    for name, _ in search.settings:
        if name not in known:
            message = f"{search.algorithm} has no setting {name!r} and ignores it"
            yield Problem("KT216", "advice", search.setting_path(name), message)


def breaking_settings(search: Search, settings: Settings) -> Iterator[Problem]:
    """Yields the settings that pass the service's check and break the engine later.

    Args:
        search: The search.
        settings: What the service knows.
    """
    for name, text in dict(search.settings).items():
        known = settings.get(name)
        if known is None or not known.consequence or (known.late and not search.comes_back):
            continue
        if not known.values.has_text(text):
            yield problems.breaking_setting(search, name, known.consequence)
