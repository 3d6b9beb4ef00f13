"""Explains why a log has no objective, with the nearest name or the line that is almost right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from kftune.containers.ending import readable
from kftune.errors import near_names
from kftune.local.study.failure import LONGEST_LINE, end_of, last_lines
from kftune.metrics.definition import VALUE_GROUP, MetricDefinition
from kftune.metrics.log_scanner import is_not_finite
from kftune.metrics.near_lines import NearLine
from kftune.metrics.near_reports import near_reports

_TOO_LARGE_STEPS = "a loss that is not finite often means too large a learning rate"
SEARCHED = 1 << 20
"""Bytes at the end of a log in which to look for a reason."""
_NAME_AND_NUMBER = re.compile(rb"(?<![^ \t\r\n\f])([!-<>-~]{1,100})=[+-]?[0-9.]")


def why_missing(
    name: str,
    log: Path,
    refused: Mapping[str, int],
    definition: MetricDefinition | None = None,
    key: str = "objective",
) -> str:
    """Explains why a log has no value of a study's objective.

    Args:
        name: The objective.
        log: What the trial printed.
        refused: Reported value that is not a finite number -> how often.
        definition: How it is found; None for metric lines.
        key: Where the study has it: objective, or objectives with several.
    """
    near = partial(near_reports, key=key)
    if refused and all(map(is_not_finite, refused)):
        return _never_finite(name, refused)
    if definition is None:
        return why_not_read(name, end_of(log, SEARCHED), near)
    if refused:
        texts = ", ".join(map(repr, list(refused)[:3]))
        return (
            f"the group in the objective's regex {definition.regex!r} finds {texts}, which is not a number; write "
            f"{VALUE_GROUP} for the group"
        )
    line = next(near(name, end_of(log, SEARCHED).split(b"\n"), definition), None)
    if line is not None:
        return f"the objective was never reported; {not_read(line)}"
    return f"no line of the log matches the objective's regex {definition.regex!r}{last_lines(log)}"


def why_diverged(name: str, latest: str, definition: MetricDefinition | None) -> str:
    """Explains why a trial whose latest value counts has no value of its objective.

    Args:
        name: The objective.
        latest: The latest value, which is nan or infinite.
        definition: How it is found; None for metric lines.
    """
    katib = f"Katib's collector passes over {latest}: on a cluster, the value before it counts"
    if definition is not None and definition.takes(latest):
        katib = f"Katib stores {latest}, and may take the trial for the best"
    return (
        f"the latest value of the objective {name!r} counts (reduce: latest), and it is {latest}; {_TOO_LARGE_STEPS}; "
        f"{katib}, unless the training ends with another exit code than 0"
    )


def _never_finite(name: str, refused: Mapping[str, int]) -> str:
    """Tells that all values of the objective were nan or infinite.

    Args:
        name: The objective.
        refused: Reported value -> how often.
    """
    total = sum(refused.values())
    times = "once" if total == 1 else f"{total} times"
    return (
        f"the objective {name!r} was reported {times}, but never as a finite number ({', '.join(list(refused)[:3])}); "
        f"{_TOO_LARGE_STEPS}"
    )


def why_not_read(
    name: str, text: bytes, near: Callable[[str, Iterable[bytes]], Iterator[NearLine]], form: str = "TEXT"
) -> str:
    """Explains why a text has no value of an objective, with its nearest line or name.

    Args:
        name: The objective.
        text: The end of what the trial wrote.
        near: Finds the lines that are almost read.
        form: TEXT or JSON.
    """
    expected = f'{{"{name}": "<number>"}}' if form == "JSON" else f"{name}=<number>"
    never = f"exit code 0, but the objective was never reported: the log has no {expected}"
    if not text.strip():
        return f"{never}; it is empty"
    names = sorted({found.decode("ascii") for found in _NAME_AND_NUMBER.findall(text)} - {name})
    line = next(near(name, text.split(b"\n")), None)
    if line is not None:
        return f"{never}; {not_read(line)}"
    if form == "JSON":
        return f"{never}; write one such object a line"
    similar = near_names(name, names) or _same_ending(name, names)
    listed = f"; it has {', '.join(f'{found}=' for found in names[:10])}" if names else ""
    if similar:
        return f"{never}{listed}; {similar}"
    unread = _line_with(name, text)
    if unread:
        return f"{never}; it has the line {unread!r}, not a metric line; print {name}=<number>, or give a regex"
    return f"{never}{listed}; report it with kftune.report({_call(name)}), or print {name}=<number>"


def not_read(line: NearLine) -> str:
    """Tells why a line is not read, and what to do."""
    return f"the line {shown_line(line.text)!r} is not read, because {line.why}; {line.remedy}"


def shown_line(text: str) -> str:
    """Returns a line of a log for a message."""
    return readable(text.encode("utf-8", "surrogateescape")).strip()[:LONGEST_LINE]


def _same_ending(name: str, names: list[str]) -> str:
    """Suggests ``loss`` for ``val_loss``, or ``val/loss``: names that people find near and difflib does not."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    near = [found for found in names if _close(re.sub(r"[^a-z0-9]", "", found.lower()), letters)]
    return f"did you mean {' or '.join(map(repr, near[:3]))}?" if near else ""


def _close(one: str, other: str) -> bool:
    ends = one.endswith(other) or other.endswith(one)
    return bool(one and other) and (ends or difflib.SequenceMatcher(None, one, other).ratio() >= 0.8)


def _line_with(name: str, text: bytes) -> str:
    """The first line that has the name, in any spelling, and a digit after it."""
    words = re.compile(rb"(?i)\b" + re.escape(name).replace("_", "[-_ /]").encode() + rb"\b")
    for line in text.split(b"\n"):
        found = words.search(line)
        if found and re.search(rb"[0-9]", line[found.end() :]):
            return readable(line).strip()[:LONGEST_LINE]
    return ""


def _call(name: str) -> str:
    return f"{name}=..." if name.isidentifier() else f"{{{name!r}: ...}}"
