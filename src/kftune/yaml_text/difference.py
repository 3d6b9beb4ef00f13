"""The difference of two texts, as people read it."""

from __future__ import annotations

import re
from difflib import unified_diff

# A diff has lines that end at a line feed; `str.splitlines` also splits at signs that are part of a line.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def difference(before: str, after: str, name: str) -> str:
    """Returns the difference of two texts as a unified diff; empty if they are equal.

    Args:
        before: A text.
        after: What became of it.
        name: The name of the file.
    """
    lines = unified_diff(_LINE.findall(before), _LINE.findall(after), fromfile=name, tofile=name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
