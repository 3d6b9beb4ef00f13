r"""Reads pairs of surrogates, ``\ud83d\ude00`` for one character, which JSON has and libyaml refuses.

In the text for libyaml each pair is replaced by an escape of the same length that the text does not have otherwise, so
that all places stay the same. The events then get the character; outside of double quotes, where nothing is escaped,
the text as it was.

Source: RFC 8259, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml

# An escape begins after an even number of backslashes.
_PAIR = re.compile(r"(?<!\\)(?P<before>(?:\\\\)*)(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_PRIVATE_USE = range(0xE000, 0xF900)


def events_of(text: str) -> Callable[[], Any]:
    """Returns the function that gives the next of libyaml's events for a text, with pairs of surrogates read.

    Args:
        text: YAML or JSON.
    """
    if "\\u" not in text or _PAIR.search(text) is None:
        return yaml.CBaseLoader(text).get_event
    lower = text.lower()
    code = next(code for code in _PRIVATE_USE if chr(code) not in text and f"\\u{code:04x}" not in lower)
    stand_in = f"\\u{code:04X}" * 2
    next_event = yaml.CBaseLoader(_PAIR.sub(lambda found: found["before"] + stand_in, text)).get_event

    def event_with_pairs() -> Any:
        event: Any = next_event()
        if isinstance(event, yaml.ScalarEvent):
            marks: tuple[Any, Any] = (event.start_mark, event.end_mark)
            pairs = [found["pair"] for found in _PAIR.finditer(text, marks[0].index, marks[1].index)]
            if event.style == '"':
                event.value = _with(event.value, chr(code) * 2, [_character(pair) for pair in pairs])
            else:
                event.value = _with(event.value, stand_in, pairs)
        return event

    return event_with_pairs


def _with(text: str, stand_in: str, pairs: Sequence[str]) -> str:
    first, *others = text.split(stand_in)
    # A comment behind the head of a block scalar may hold pairs too, before all others.
    own = pairs[len(pairs) - len(others) :]
    return first + "".join(pair + other for pair, other in zip(own, others, strict=True))


def _character(pair: str) -> str:
    return bytes.fromhex(pair[2:6] + pair[8:]).decode("utf-16-be")
