"""Explains why kftune does not read a line that seems to have a value of a study's metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kftune.errors import MetricError
from kftune.metrics.definition import MetricDefinition
from kftune.metrics.katib_filter import katib_filter
from kftune.metrics.near_lines import LineReader, NearLine, explained, loosely, near_lines, regex_for
from kftune.metrics.reduction import Reducer


def near_reports(
    name: str, lines: Iterable[bytes], definition: MetricDefinition | None = None, key: str = "objective"
) -> Iterator[NearLine]:
    """Yields the lines that almost report a metric of a study.

    Args:
        name: The metric.
        lines: All lines of a log.
        definition: How it is found; None for metric lines.
        key: Where the study has it: objective, objectives or metrics.
    """
    place = "give the study objective.regex" if key == "objective" else f"give {name}, under {key}, a regex"

    def advice(regex: str) -> str:
        return f"{place}: '{regex}'"

    if definition is None:
        return near_lines(name, lines, LineReader(lambda text, regex: _value(name, text, regex), advice, groups=1))
    words = _words(definition)
    return explained(words, lines, lambda text: _unmatched(definition, words, text, advice))


def _unmatched(
    definition: MetricDefinition, words: str, text: str, advice: Callable[[str], str]
) -> tuple[str, str] | None:
    """Returns why a regex does not read a line, and one that does; None if it does, or none is known."""
    called = loosely(words).search(text)
    if called is None or _value(definition.name, text, definition.regex) is not None:
        return None
    regex = regex_for(called[0], text, groups=1)
    if _value(definition.name, text, regex) is None:
        return None
    found = definition.pattern.search(text)
    why = "does not match it" if found is None else f"finds {found.group(1)!r}, which is not a number"
    return f"the regex {definition.regex!r} {why}", advice(regex)


def _words(definition: MetricDefinition) -> str:
    """Returns the text before the value for which a regex looks; the metric's name if it has none."""
    try:
        return katib_filter(definition).name
    except MetricError:
        return definition.name


def _value(name: str, text: str, regex: str) -> str | None:
    """Returns the number that is read from a line; an empty regex stands for metric lines."""
    reducer = Reducer((name,), (MetricDefinition(name, regex),) if regex else ())
    reducer.feed(text.encode("utf-8", "surrogateescape") + b"\n")
    found = reducer.result(name)
    return None if found is None else found.latest
