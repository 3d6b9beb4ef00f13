"""Checks, without RE2, whether Katib's RE2 can run a regex that Python compiles.

Source: https://github.com/google/re2/wiki/Syntax; regexp/syntax of Go, which Katib runs.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from kftune.errors import MetricError

_TOKEN = re.compile(
    r"""
      (?P<escape>   \\ (?: x[0-9A-Fa-f]{2} | 0[0-7]{0,2} | . ) )
    | (?P<class>    \[ \^? \]? (?: \\. | [^\]\\] )* \] )
    | (?P<open>     \( (?: \? (?: P?<?[=!>(\#] | P<\w+> | [a-zA-Z-]*[:)] ) )? )
    | (?P<close>    \) )
    | (?P<repeat>   (?: [*+?] | \{ (?P<low>[0-9]+) (?P<high>,[0-9]*)? \} ) [?+]? )
    | (?P<from_none> \{,[0-9]*\} )
    | (?P<alternative> \| )
    | (?P<anchor>   [\^$] )
    | (?P<any>      \. )
    | (?P<literal>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
_CLASS_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|0[0-7]{0,2}|.)", re.DOTALL)
_FLAGS = re.compile(r"\(\?([imsU]*-?[imsU]*)[:)]")

_MOST_REPEATS = 1000

_CONTROL = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_KINDS = frozenset("dDsSwW")
_EDGES = frozenset("AbB")

# Opening -> its name, and the remedy.
_REFUSED_GROUPS = {
    "(?=": ("lookahead", "match the text itself behind the group"),
    "(?!": ("negative lookahead", "name the characters that may follow"),
    "(?<=": ("lookbehind", "match the text itself before the group"),
    "(?<!": ("negative lookbehind", "name the characters that may precede"),
    "(?P=": ("back-reference", "write the text again"),
    "(?(": ("conditional", "write the alternatives with |"),
    "(?>": ("atomic group", "use (?:...)"),
    "(?#": ("comment", "remove it"),
}


class Item(NamedTuple):
    """One piece of a regex outside of all brackets."""

    kind: str
    """``literal``, ``class``, ``any``, ``anchor``, ``alternative``, ``flags``, ``group`` or ``capture``."""
    start: int
    end: int
    """Its position in the regex, with its repetition."""
    text: str = ""
    """The character of a literal; the letters of flags."""
    repeated: bool = False


class Scan(NamedTuple):
    """The result of `scan`."""

    items: tuple[Item, ...]
    """The pieces outside of all brackets."""
    captures: tuple[str, ...]
    """The inside of each capturing group, in the order in which the groups end."""


def scan(regex: str) -> Scan:
    """Checks a regex and returns its pieces.

    Args:
        regex: A regex that Python compiles.

    Raises:
        MetricError: RE2 refuses it or reads it differently than Python; names the construct, its position, a remedy.
    """
    return _Walk(regex).scan()


class _Walk:
    """Walks over one regex and keeps track of the open brackets."""

    def __init__(self, regex: str) -> None:
        self._regex = regex
        self._items: list[Item] = []
        self._captures: list[str] = []
        self._open: list[tuple[str, int, int]] = []  # kind, start, most repeats so far in what surrounds it
        self._most = 1  # most repeats of anything inside the innermost open bracket
        self._last = 1  # most repeats of the last piece

    def scan(self) -> Scan:
        handlers = {
            "escape": self._on_escape,
            "class": self._on_class,
            "open": self._on_open,
            "close": self._on_close,
            "repeat": self._on_repeat,
            "from_none": self._on_from_none,
        }
        for match in _TOKEN.finditer(self._regex):
            kind = match.lastgroup or ""
            handler = handlers.get(kind)
            if handler is None:
                self._piece(kind, match, match[0] if kind == "literal" else "")
            else:
                handler(match)
        return Scan(tuple(self._items), tuple(self._captures))

    def _refuse(self, match: re.Match[str], what: str, remedy: str) -> NoReturn:
        raise MetricError(
            f"a metric's regex must also work in RE2, which Katib uses; {what} in {self._regex!r}: "
            f"{match[0]!r} at position {match.start()}; {remedy}"
        )

    def _piece(self, kind: str, match: re.Match[str], text: str = "") -> None:
        self._last = 1
        if not self._open:
            self._items.append(Item(kind, match.start(), match.end(), text))

    def _on_escape(self, match: re.Match[str]) -> None:
        letter = match[0][1]
        if letter in _EDGES:
            self._piece("anchor", match)
        elif letter in _KINDS:
            self._piece("class", match)
        else:
            self._piece("literal", match, self._escaped(match, match[0]))

    def _escaped(self, match: re.Match[str], escape: str) -> str:
        """Returns the character of an escape that both Python and RE2 know; rejects others."""
        letter = escape[1]
        if letter == "x":
            return chr(int(escape[2:], 16))
        if letter == "0":
            return chr(int(escape[1:], 8))
        if letter in _CONTROL:
            return _CONTROL[letter]
        if letter.isdigit():
            self._refuse(match, "no back-reference", "write the text again, or the character as \\xNN")
        if letter == "Z":
            self._refuse(match, "no \\Z", "use $")
        if letter.isalpha() or not letter.isascii():
            self._refuse(match, f"no {escape[:2]}", "write the character itself")
        return letter

    def _on_class(self, match: re.Match[str]) -> None:
        if "[:" in match[0][1:]:
            self._refuse(match, "[: begins a class by name", "write its characters, as in [A-Za-z]")
        for escape in _CLASS_ESCAPE.findall(match[0]):
            if escape[1] in _EDGES:
                self._refuse(match, f"no {escape} in a class", "write the character as \\xNN")
            if escape[1] not in _KINDS:
                self._escaped(match, escape)
        self._piece("class", match)

    def _on_open(self, match: re.Match[str]) -> None:
        opening = match[0]
        if opening in _REFUSED_GROUPS:
            what, remedy = _REFUSED_GROUPS[opening]
            self._refuse(match, f"no {what}", remedy)
        if not opening.isascii():
            self._refuse(match, "group names are ASCII", "use plain letters")
        capture = opening == "(" or opening.startswith("(?P<")
        if not capture:
            flags = _FLAGS.fullmatch(opening)
            if flags is None:
                self._refuse(match, "only the flags i, m and s", "remove the others")
            if opening.endswith(")"):
                self._items.append(Item("flags", match.start(), match.end(), flags[1]))
                return
        self._open.append(("capture" if capture else "group", match.start(), self._most))
        self._most = 1

    def _on_close(self, match: re.Match[str]) -> None:
        kind, start, around = self._open.pop()
        self._last = self._most
        self._most = max(around, self._last)
        if kind == "capture":
            opening = _TOKEN.match(self._regex, start)
            self._captures.append(self._regex[opening.end() if opening else start : match.start()])
        if not self._open:
            self._items.append(Item(kind, start, match.end()))

    def _on_repeat(self, match: re.Match[str]) -> None:
        if len(match[0]) > 1 and match[0].endswith("+"):
            self._refuse(match, "no possessive repetition", "remove the last +")
        if match["low"]:
            self._last *= max(1, int(match["low"]), int((match["high"] or ",")[1:] or 0))
            if self._last > _MOST_REPEATS:
                self._refuse(match, f"at most {_MOST_REPEATS} repeats, nested ones multiplied", "use * or +")
            self._most = max(self._most, self._last)
        if not self._open:
            self._items[-1] = self._items[-1]._replace(end=match.end(), repeated=True)

    def _on_from_none(self, match: re.Match[str]) -> None:
        self._refuse(match, "{,n} are plain characters", "write {0,n}")
