"""Explains why Katib's collector does not read a line that seems to have a metric's value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kftune.katib.go.numbers import go_float
from kftune.katib.trial.collector import Collector, CollectorError, json_object
from kftune.metrics.near_lines import LineReader, NearLine, explained, loosely, near_lines


def near_rows(name: str, lines: Iterable[bytes], filters: Sequence[str], form: str = "TEXT") -> Iterator[NearLine]:
    """Yields the lines that almost have a value, one for each reason.

    Args:
        name: The metric.
        lines: All lines of a log.
        filters: The Experiment's filters; empty for Katib's default.
        form: TEXT or JSON.
    """
    if form == "JSON":
        return explained(name, lines, lambda text: _json_reason(name, text))

    def value(text: str, regex: str) -> str | None:
        try:
            rows = Collector([name], [regex] if regex else filters).line(text.encode("utf-8", "surrogateescape"))
            return next((row.value for row in rows if go_float(row.value) is not None), None)
        except CollectorError:
            return None

    return near_lines(name, lines, LineReader(value, "add this filter to metricsFormat: {}".format, groups=2))


def _json_reason(name: str, text: str) -> tuple[str, str] | None:
    try:
        found = json_object(text)
    except ValueError:
        return None
    if name in found and not isinstance(found[name], str):
        why = "its value is not a string, and Katib reads only strings"
        return why, f'write the number as a string: {{"{name}": "0.3"}}'
    outer = next((key for key, inner in found.items() if isinstance(inner, dict) and name in inner), None)
    if outer is not None and name not in found:
        return f"it is inside {outer!r}, and Katib reads the outer object only", f'write {{"{name}": "0.3"}}'
    if found.get("metricName") == name:
        return "its name is a value there, and Katib looks for it among the keys", f'write {{"{name}": "0.3"}}'
    other = next((key for key in found if loosely(name).fullmatch(key) and key != name), None)
    return None if other is None else (f"the log calls it {other!r}", f"rename the metric, or write {name!r}")
