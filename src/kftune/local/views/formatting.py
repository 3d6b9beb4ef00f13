"""Short texts for values, durations and paths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LONGEST_TEXT = 40


def number_text(value: float) -> str:
    """Returns a number with four significant digits, or with all digits of an integer."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"


def value_text(value: object) -> str:
    """Returns a hyperparameter's value on one line, shortened."""
    if isinstance(value, float):
        return number_text(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() and text else json.dumps(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def assignments(values: Mapping[str, Any]) -> str:
    """Returns names and values on one line: ``lr=0.001 units=64``."""
    return " ".join(f"{name}={value_text(value)}" for name, value in values.items())


def clock(seconds: float) -> str:
    """Returns a duration: ``0.4 s``, ``12 s``, ``3:05``, ``1:02:30``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def counted(counts: Mapping[Any, int], seconds: float) -> str:
    """Returns how many trials or steps ended in each state, and the duration of the run.

    Args:
        counts: State -> number.
        seconds: The duration.
    """
    return f"{', '.join(f'{count} {state}' for state, count in counts.items()) or 'none'}; {clock(seconds)}"


def first_line(text: str) -> str:
    """Returns the first line of a message."""
    return text.partition("\n")[0]


def short_path(path: str) -> str:
    """Returns a path relative to the current folder if it is inside it."""
    found = Path(path)
    return str(found.relative_to(Path.cwd())) if found.is_relative_to(Path.cwd()) else path
