"""Finds values of which Katib's collector stores only a part, and filters that read no exponent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kftune.errors import MetricError
from kftune.katib.go.regex import GoRegexError
from kftune.katib.trial.collector import CollectorError, value_places
from kftune.metrics.cut_numbers import PLAIN_REMEDY, CutNumber, Place, first_of_each
from kftune.metrics.definition import VALUE_GROUP, exponent_note
from kftune.metrics.re2_syntax import inside_of_group

FILTER_REMEDY = f"write {VALUE_GROUP} for the filter's second group"


def cut_rows(lines: Iterable[bytes], names: Sequence[str], filters: Sequence[str]) -> Iterator[CutNumber]:
    """Yields the first value of each metric of an Experiment of which only a part is stored.

    Args:
        lines: The lines of a text log.
        names: The metrics.
        filters: The Experiment's filters; empty for Katib's default.
    """

    def places(text: str) -> list[Place]:
        if not any(name in text for name in names):
            return []
        try:
            return [place for place in value_places(text, filters) if place[0] in names]
        except CollectorError:
            return []

    return first_of_each(lines, places, FILTER_REMEDY if filters else PLAIN_REMEDY)


def filter_notes(filters: Sequence[str]) -> list[tuple[int, str]]:
    """Returns notes about filters that read only a part of numbers with an exponent: place in the list, and text.

    Args:
        filters: The filters of an Experiment.
    """
    found = []
    for index, regex in enumerate(filters):
        try:
            note = exponent_note(regex[inside_of_group(regex, 2)])
        except (GoRegexError, MetricError):
            continue  # the filter finds nothing
        if note:
            found.append((index, f"the filter '{regex}': {note}"))
    return found
