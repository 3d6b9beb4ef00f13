"""Text that others wrote, such as names, logs and messages, as a terminal can safely show it."""

from __future__ import annotations

import re

# Controls of terminals (C0 and C1), apart from the end of a line and the tab, and what changes the direction of text
# or separates lines. Letters, marks and the blanks of all scripts stay: words of some need invisible ones.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
_HIDDEN = re.compile(f"[{_CONTROLS}]")
# What kftune colours its own lines with.
_HIDDEN_BESIDE_COLOURS = re.compile(f"(?!\x1b\\[(?:0|1|31|33|36)m)[{_CONTROLS}]")


def shown(text: str, *, colours: bool = False) -> str:
    """Returns a text in which what controls a terminal is written as an escape.

    Args:
        text: The text; it keeps its lines and tabs.
        colours: Whether the codes of kftune's own colours stay.
    """
    return (_HIDDEN_BESIDE_COLOURS if colours else _HIDDEN).sub(_escape, text)


def on_one_line(text: str) -> str:
    """Returns a text as `shown`, on one line."""
    return shown(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
