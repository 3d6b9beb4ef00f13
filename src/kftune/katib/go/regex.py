"""Does Go's regexp package compile a regex, and if not, in which words does it refuse?

Source: Go, regexp/syntax/parse.go with the flags of `regexp.Compile` (Perl).
"""

from __future__ import annotations

import re
import unicodedata
from typing import NoReturn

_MOST_REPEATS = 1000
_MOST_NESTED = 1000
_REPEAT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_POSIX = re.compile(r"\[:\^?([a-z]*):\]")
_POSIX_NAMES = frozenset(
    [
        "alnum",
        "alpha",
        "ascii",
        "blank",
        "cntrl",
        "digit",
        "graph",
        "lower",
        "print",
        "punct",
        "space",
        "upper",
        "word",
        "xdigit",
    ]
)
_CATEGORIES = frozenset(
    [
        "Any",
        "C",
        "Cc",
        "Cf",
        "Co",
        "Cs",
        "L",
        "Ll",
        "Lm",
        "Lo",
        "Lt",
        "Lu",
        "M",
        "Mc",
        "Me",
        "Mn",
        "N",
        "Nd",
        "Nl",
        "No",
        "P",
        "Pc",
        "Pd",
        "Pe",
        "Pf",
        "Pi",
        "Po",
        "Ps",
        "S",
        "Sc",
        "Sk",
        "Sm",
        "So",
        "Z",
        "Zl",
        "Zp",
        "Zs",
    ]
)


class GoRegexError(ValueError):
    """A regex that Go refuses; the text is Go's, such as ``missing closing ): `(a` ``."""


def check(regex: str) -> None:
    """Refuses what Go refuses.

    Args:
        regex: The regex.

    Raises:
        GoRegexError: Go does not compile it.
    """
    _Parser(regex).parse()


def _refuse(code: str, what: str) -> NoReturn:
    raise GoRegexError(f"error parsing regexp: {code}: `{what}`")


class _Parser:
    """Walks over a regex once; a stack holds, per open group, how often its innermost pieces may repeat."""

    def __init__(self, regex: str) -> None:
        self._regex = regex
        self._at = 0
        # Per open group: the largest product of repeats inside so far.
        self._outer: list[int] = []
        self._most = 1
        self._last: int | None = None  # repeats of the last piece; None when there is nothing to repeat
        self._last_repeat = -1  # where the repetition that has just been read began
        self._names: set[str] = set()

    def parse(self) -> None:
        regex = self._regex
        while self._at < len(regex):
            char = regex[self._at]
            if char == "(":
                self._open()
            elif char == ")":
                self._close()
            elif char == "|":
                self._at += 1
                self._last = None
                self._last_repeat = -1
            elif char == "[":
                self._class()
            elif char in "*+?":
                self._repeat(1, self._at + 1)
            elif char == "{" and (found := _REPEAT.match(regex, self._at)):
                self._counted(found)
            elif char == "\\":
                self._escape()
            else:
                self._at += 1
                self._piece()
        if self._outer:
            _refuse("missing closing )", regex)

    def _piece(self, repeats: int = 1) -> None:
        self._last = repeats
        self._last_repeat = -1

    def _open(self) -> None:
        regex, start = self._regex, self._at
        if regex.startswith("(?", start):
            if self._perl_group():
                return
        else:
            self._at += 1
        self._outer.append(self._most)
        if len(self._outer) > _MOST_NESTED:
            _refuse("expression nests too deeply", regex)
        self._most = 1
        self._last = None
        self._last_repeat = -1

    def _perl_group(self) -> bool:
        """Reads what stands behind `(?`; True when it sets flags and opens no group."""
        regex, start = self._regex, self._at
        for opening in ("(?P<", "(?<"):
            if regex.startswith(opening, start) and regex[start + 3 : start + 4] not in (
                ("=", "!") if opening == "(?<" else ()
            ):
                self._named(start + len(opening))
                return False
        at = start + 2
        negative = seen = False
        while at < len(regex):
            char = regex[at]
            at += 1
            if char in "imsU":
                seen = True
            elif char == "-" and not negative:
                negative, seen = True, False
            elif char in ":)" and (seen or not negative):
                self._at = at
                self._last_repeat = -1
                return char == ")"
            else:
                _refuse("invalid or unsupported Perl syntax", regex[start:at])
        _refuse("missing closing )", regex)

    def _named(self, start: int) -> None:
        end = self._regex.find(">", start)
        if end < 0:
            _refuse("invalid named capture", self._regex[self._at :])
        name = self._regex[start:end]
        if not _NAME.fullmatch(name):
            _refuse("invalid named capture", self._regex[self._at : end + 1])
        if name in self._names:
            _refuse("duplicate capture group name", name)
        self._names.add(name)
        self._at = end + 1

    def _close(self) -> None:
        if not self._outer:
            _refuse("unexpected )", self._regex)
        inner = self._most
        self._most = max(self._outer.pop(), inner)
        self._at += 1
        self._piece(inner)

    def _counted(self, found: re.Match[str]) -> None:
        low_text, comma, high_text = found.groups()
        low = min(int(low_text[:9]), _MOST_REPEATS + 1) if len(low_text) < 9 else _MOST_REPEATS + 1
        high = low
        if comma:
            high = -1 if not high_text else int(high_text) if len(high_text) < 9 else _MOST_REPEATS + 1
        if low > _MOST_REPEATS or high > _MOST_REPEATS or (0 <= high < low):
            _refuse("invalid repeat count", found[0])
        self._repeat(max(low, high, 1) if low >= 2 or high >= 2 else 1, found.end())

    def _repeat(self, times: int, end: int) -> None:
        regex, start = self._regex, self._at
        if regex.startswith("?", end):
            end += 1
        if self._last_repeat >= 0:
            _refuse("invalid nested repetition operator", regex[self._last_repeat : end])
        if self._last is None:
            _refuse("missing argument to repetition operator", regex[start:end])
        repeats = self._last * times
        if times > 1 and repeats > _MOST_REPEATS:
            _refuse("invalid repeat count", regex[start:end])
        self._most = max(self._most, repeats)
        self._at = end
        self._last = repeats
        self._last_repeat = start

    def _escape(self) -> None:
        regex, start = self._regex, self._at
        letter = regex[start + 1 : start + 2]
        if letter and letter in "AbBzdDsSwW":
            self._at += 2
        elif letter == "Q":
            end = regex.find("\\E", start + 2)
            self._at = len(regex) if end < 0 else end + 2
            if end == start + 2 or start + 2 == len(regex):
                return
        elif letter and letter in "pP":
            self._at = self._unicode_class(start)
        else:
            self._at = self._escaped(start)[1]
        self._piece()

    def _escaped(self, start: int) -> tuple[int, int]:
        """The character of the escape at `start`, and where it ends."""
        regex = self._regex
        letter = regex[start + 1 : start + 2]
        if not letter:
            _refuse("trailing backslash at end of expression", "")
        if letter in "01234567":
            if letter == "0" or regex[start + 2 : start + 3] in tuple("01234567"):
                digits = re.compile("[0-7]{1,3}").match(regex, start + 1)
                assert digits is not None  # noqa: S101 - the first digit was seen
                return int(digits[0], 8), digits.end()
        elif letter == "x":
            found = re.compile(r"x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))").match(regex, start + 1)
            if found and (code := int(found[1] or found[2], 16)) <= 0x10FFFF:
                return code, found.end()
        elif letter in "aftnrv" or (letter.isascii() and not letter.isalnum()):
            return ord(
                {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}.get(letter, letter)
            ), start + 2
        _refuse("invalid escape sequence", regex[start : start + 2])

    def _unicode_class(self, start: int) -> int:
        regex = self._regex
        if not regex.startswith("{", start + 2):
            end = start + 3
            name = regex[start + 2 : end]
        else:
            close = regex.find("}", start)
            if close < 0:
                _refuse("invalid character class range", regex[start:])
            end = close + 1
            name = regex[start + 3 : close].removeprefix("^")
        if name not in _CATEGORIES and name not in _scripts():
            _refuse("invalid character class range", regex[start:end])
        return end

    def _class(self) -> None:
        regex, start = self._regex, self._at
        at = start + 1
        if regex.startswith("^", at):
            at += 1
        first = True
        while first or not regex.startswith("]", at):
            if at >= len(regex):
                _refuse("missing closing ]", regex[start:])
            at = self._class_item(at, start)
            first = False
        self._at = at + 1
        self._piece()

    def _class_item(self, at: int, start: int) -> int:
        regex = self._regex
        if posix := _POSIX.match(regex, at):
            if posix[1] not in _POSIX_NAMES:
                _refuse("invalid character class range", posix[0])
            return posix.end()
        if regex[at] == "\\":
            letter = regex[at + 1 : at + 2]
            if letter and letter in "pP":
                return self._unicode_class(at)
            if letter and letter in "dDsSwW":
                return at + 2
        low, end = self._class_char(at, start)
        if regex.startswith("-", end) and end + 1 < len(regex) and regex[end + 1] != "]":
            high, end = self._class_char(end + 1, start)
            if high < low:
                _refuse("invalid character class range", regex[at:end])
        return end

    def _class_char(self, at: int, start: int) -> tuple[int, int]:
        if at >= len(self._regex):
            _refuse("missing closing ]", self._regex[start:])
        if self._regex[at] == "\\":
            return self._escaped(at)
        return ord(self._regex[at]), at + 1


_found_scripts: set[str] = set()


def _scripts() -> set[str]:
    """Names of Unicode scripts: the first words of letters' names give all that a filter may plausibly use."""
    if not _found_scripts:
        for code in range(0x41, 0x20000):
            word = unicodedata.name(chr(code), "").split(" ")[0]
            if word.isalpha():
                _found_scripts.add(word.capitalize())
        _found_scripts.update(("Han", "Common", "Inherited"))
        _found_scripts.difference_update(("Cjk",))
    return _found_scripts
