"""Metrics of scripts that print their own format: a name and a regex, as in SageMaker's metric definitions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from kftune.errors import MetricError
from kftune.metrics.line import check_metric_name
from kftune.metrics.re2_syntax import Item, inside_of_group, scan

if TYPE_CHECKING:
    from kftune.katib.go.regex_search import GoRegex

VALUE_GROUP = "([0-9.eE+-]+)"
"""A group that reads each number."""


class _Definition(NamedTuple):
    name: str
    regex: str


class MetricDefinition(_Definition):
    r"""Describes how to find one metric in the lines that a script prints.

    Args:
        name: The metric's name in the study.
        regex: A regex with one group, around the value: ``val loss: ([0-9.eE+-]+)``. It must compile in Python and in
            RE2. It is searched for in one line at a time; ``\d``, ``\w`` and ``\s`` match ASCII characters only.

    Raises:
        MetricError: The name is invalid, or the regex does not work in both Python and RE2.
    """

    __slots__ = ()

    def __new__(cls, name: str, regex: str) -> MetricDefinition:
        """Checks both."""
        check_metric_name(name)
        _check_regex(name, regex)
        return super().__new__(cls, name, regex)

    @property
    def pattern(self) -> GoRegex:
        """The compiled regex; it finds what Katib finds."""
        return _compiled(self.regex)

    @property
    def ignores_case(self) -> bool:
        """Whether a flag makes all of it match upper and lower case alike."""
        return bool(re.compile(self.regex).flags & re.IGNORECASE)

    @property
    def group(self) -> str:
        """The inside of its group, which matches the value."""
        return self.regex[inside_of_group(self.regex, 1)]

    def takes(self, text: str) -> bool:
        """Whether its group matches a whole value, number or not."""
        return _compiled(f"^(?:{self.group})$").search(text) is not None

    def with_group(self, group: str) -> GoRegex:
        """Returns the compiled regex with another group.

        Args:
            group: What is to match the value.
        """
        inside = inside_of_group(self.regex, 1)
        return _compiled(f"{self.regex[: inside.start]}{group}{self.regex[inside.stop :]}")


def exponent_notes(definitions: Iterable[MetricDefinition]) -> list[str]:
    """Returns notes for the user about numbers with an exponent that the definitions' groups would misread."""
    found = ((each.name, exponent_note(each.group)) for each in definitions)
    return [f"the metric {name!r}: {note}" for name, note in found if note]


def definition_notes(definition: MetricDefinition) -> tuple[str, ...]:
    """Returns notes for the user about values that the definition's group would misread; empty when there are none."""
    group = definition.group
    notes = [f"{note}; write {VALUE_GROUP}" for note in exponent_notes([definition])]
    if definition.takes("nan"):
        notes.append(
            f"the metric {definition.name!r}: {group!r} also matches text that is not a finite number, such as nan, "
            f"and Katib stores that as a value; write {VALUE_GROUP}"
        )
    return tuple(notes)


def exponent_note(group: str) -> str:
    """Returns what a group does to a number with an exponent; empty if it reads the number.

    Args:
        group: The inside of a group that Go compiles.
    """
    whole, part = _compiled(f"^(?:{group})$"), _compiled(f"^(?:{group})")
    if not any(whole.find_all("0.5")) or any(whole.find_all("1e-05")):
        return ""
    found = next(part.find_all("1e-05"), ("",))[0]
    read = f"is read as {found!r}" if found else "is not read"
    return f"a value printed as 1e-05 {read}, because '{group}' allows no exponent"


def required_text(definition: MetricDefinition) -> str:
    """Returns text that a line must contain for the regex to match; empty when none is known."""
    items = scan(definition.regex)
    if definition.ignores_case or any(item.kind == "|" for item in items):
        return ""
    return max((text_of(run) for run in literal_runs(items)), key=len, default="")


def literal_runs(items: tuple[Item, ...]) -> list[list[Item]]:
    """Returns the runs of plain characters in a regex; each character occurs exactly once in a match."""
    runs = groupby(items, lambda item: item.kind == "literal")
    return [list(run) for is_literal, run in runs if is_literal]


def text_of(run: list[Item]) -> str:
    """Returns the characters of a run of literals."""
    return "".join(item.text for item in run)


def _compiled(regex: str) -> GoRegex:
    from kftune.katib.go.regex_search import compiled  # noqa: PLC0415 - most studies have no regex

    return compiled(regex)


def _check_regex(name: str, regex: str) -> None:
    try:
        pattern = re.compile(regex, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise MetricError(f"the regex of the metric {name!r} must compile; {error}; given {regex!r}") from error
    scan(regex)
    if pattern.groups != 1:
        raise MetricError(
            f"the regex of the metric {name!r} must have one group, around the value, as in 'val loss: ([0-9.eE+-]+)'; "
            f"given {pattern.groups} in {regex!r}; write (?:...) for other brackets"
        )
    if "\n" in regex:
        raise MetricError(
            f"the regex of the metric {name!r} is searched for in one line at a time; given a line break in {regex!r}; "
            "remove it"
        )
