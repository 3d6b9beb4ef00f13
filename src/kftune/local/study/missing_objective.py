"""Explains why a log has no objective, with the nearest name or the line that is almost right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from kftune.errors import near_names
from kftune.local.study.failure import LONGEST_LINE, end_of, last_lines, readable

_SEARCHED = 1 << 20
_NAME_AND_NUMBER = re.compile(rb"(?<![^ \t\r\n\f])([!-<>-~]{1,100})=[+-]?[0-9.]")


def why_missing(name: str, log: Path, refused: Mapping[str, int], regex: str | None = None) -> str:
    """Explains why a log has no value of the objective.

    Args:
        name: The objective.
        log: What the trial printed.
        refused: Reported value that is not a finite number -> how often.
        regex: The regular expression that finds it; None for metric lines.
    """
    if refused:
        total = sum(refused.values())
        times = "once" if total == 1 else f"{total} times"
        texts = ", ".join(text or "an empty text" for text in list(refused)[:3])
        return (
            f"the objective {name!r} was reported {times}, but never as a finite number ({texts}); a loss that is not "
            f"finite often means too large a learning rate"
        )
    if regex is not None:
        return f"no line of the log matches the objective's regex {regex!r}{last_lines(log)}"
    end = end_of(log, _SEARCHED)
    never = f"exit code 0, but the objective was never reported: the log has no {name}=<number>"
    if not end.strip():
        return f"{never}; it is empty"
    names = sorted({found.decode("ascii") for found in _NAME_AND_NUMBER.findall(end)})
    near = near_names(name, names) or _same_ending(name, names)
    if near:
        return f"{never}; it has {', '.join(f'{found}=' for found in names[:10])}; {near}"
    similar = _line_with(name, end)
    if similar:
        return f"{never}; it has the line {similar!r}, not a metric line; print {name}=<number>, or give a regex"
    listed = f"; it has {', '.join(f'{found}=' for found in names[:10])}" if names else ""
    return f"{never}{listed}; report it with kftune.report({_call(name)}), or print {name}=<number>"


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
