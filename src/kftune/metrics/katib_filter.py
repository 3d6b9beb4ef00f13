"""Filters with which Katib's collector finds what our parser finds.

Source: Katib takes the trimmed group 1 of a match as the metric's name and group 2 as the value. It joins filters, and
metric names, with ``;`` (pkg/metricscollector/v1beta1/file-metricscollector). The kubelet replaces ``$$`` in arguments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from kftune.errors import MetricError
from kftune.metrics.definition import MetricDefinition, literal_runs, text_of
from kftune.metrics.line import METRIC_FORMAT, NUMBER, SPACE
from kftune.metrics.re2_syntax import Item, scan

_SEPARATORS = frozenset(" \t:=,;|")
_UNSAFE = re.compile(r"\\(.)|(;)", re.DOTALL)
_ESCAPED = {";": r"\x3b", "$": r"\x24"}


class KatibFilter(NamedTuple):
    """How Katib finds one metric."""

    name: str
    """The metric's name in the log, which Katib uses too."""
    regex: str
    """An RE2 regex with the groups name and value, without ``;``."""


class KatibFilters(NamedTuple):
    """How Katib finds all metrics of a study."""

    names: dict[str, str]
    """Name in the study -> name in Katib."""
    regexes: tuple[str, ...]
    """The items of metricsFormat."""


def katib_filter(definition: MetricDefinition) -> KatibFilter:
    r"""Returns the two-group filter with which Katib finds what a definition finds.

    Katib takes the metric's name from the line, so the last plain words before the group become the name:
    ``epoch \d+, val loss: ([0-9.]+)`` gives the name ``val loss`` and the filter ``epoch \d+, (val loss): ([0-9.]+)``.

    Raises:
        MetricError: There is no plain word before the group, or its spelling may vary.
    """
    name_items = _words_before_group(definition)
    start, end, name = name_items[0].start, name_items[-1].end, text_of(name_items)
    regex = definition.regex
    two_groups = f"{regex[:start]}({regex[start:end]}){regex[end:]}"
    return KatibFilter(name, _UNSAFE.sub(_safe, two_groups))


def katib_filters(names: Sequence[str], definitions: Sequence[MetricDefinition] = ()) -> KatibFilters:
    """Returns the filters with which Katib finds the metrics of a study, and their names in Katib.

    Args:
        names: The study's metrics; those without a definition are on metric lines.
        definitions: How to find the others.

    Raises:
        MetricError: A definition has no filter, or two metrics would have the same name in Katib.
    """
    if not definitions:
        return KatibFilters({name: name for name in names}, (METRIC_FORMAT,))
    defined = {definition.name for definition in definitions}
    plain = [name for name in dict.fromkeys(names) if name not in defined]
    # METRIC_FORMAT would also find the words of the definitions wherever a "=" follows them.
    filters = [(name, KatibFilter(name, _format_of_one(name))) for name in plain]
    filters += [(definition.name, katib_filter(definition)) for definition in definitions]
    owners: dict[str, str] = {}
    for metric, found in filters:
        owner = owners.setdefault(found.name, metric)
        if owner != metric:
            raise MetricError(
                f"each metric needs its own name in the log; {owner!r} and {metric!r} are both called "
                f"{found.name!r} there; put text in which they differ right before the group"
            )
    return KatibFilters({metric: found.name for metric, found in filters}, tuple(found.regex for _, found in filters))


def _format_of_one(name: str) -> str:
    """Returns the metric line for one name; of two equal names with one space between them, it finds the first."""
    return rf"(?:^|[{SPACE}])({re.escape(name)})=({NUMBER})(?:[{SPACE}]|$)"


def _words_before_group(definition: MetricDefinition) -> list[Item]:
    items = scan(definition.regex)
    kinds = [item.kind for item in items]
    if "|" in kinds:
        raise _no_filter(definition, "the regex must have no | outside of brackets")
    if definition.ignores_case:
        raise _no_filter(definition, "the name must have one spelling, so (?i) is not allowed")
    if "capture" not in kinds:
        raise _no_filter(definition, "the group must not be inside other brackets")
    for run in reversed(literal_runs(items[: kinds.index("capture")])):
        words = _stripped(run)
        name = text_of(words)
        if any(mark in name for mark in ";$\n"):
            raise _no_filter(definition, "the words before the group must not contain ; or $")
        if any(character.isalnum() for character in name):
            return words
    raise _no_filter(definition, "there must be plain words before the group")


def _stripped(run: list[Item]) -> list[Item]:
    kept = [index for index, item in enumerate(run) if item.text not in _SEPARATORS]
    return run[kept[0] : kept[-1] + 1] if kept else []


def _no_filter(definition: MetricDefinition, rule: str) -> MetricError:
    return MetricError(
        f"Katib takes a metric's name from the line: {rule}; given {definition.regex!r} for {definition.name!r}; "
        "write for example 'val loss: ([0-9.eE+-]+)'"
    )


def _safe(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1] or match[2], match[0])
