"""Go's regexps: checks whether Go compiles one, with Go's message, and takes it apart.

One pass over a regex rejects what Go rejects. The rest becomes a list of operations in postfix order, in which classes
are code points and flags are gone; `regex_search` runs them.

Source: Go, regexp/syntax/parse.go with the flags of `regexp.Compile` (Perl).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kftune.katib.go import regex_classes as classes
from kftune.katib.go.regex_classes import Ranges
from kftune.katib.go.regex_operations import Operation, chars, joined, size

_MOST_REPEATS = 1000
_MOST_NESTED = 1000
_REPEAT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_NAMED = re.compile(r"\(\?(?:P<|<(?![=!]))")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_POSIX = re.compile(r"\[:(\^?)(.*?):\]", re.DOTALL)
_OCTAL = re.compile(r"[0-7]{1,3}")
_HEX = re.compile(r"x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_EDGES = frozenset("AbBz")
_REPEATS = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}
_ALL: Ranges = ((0, classes.LAST),)
_NO_NEWLINE: Ranges = ((0, 9), (11, classes.LAST))
_MOST_INSTRUCTIONS = (128 << 20) // 40


class GoRegexError(ValueError):
    """A regex that Go rejects; the text is Go's, such as ``missing closing ): `(a` ``.

    Attributes:
        part: The part of the regex that Go names.
    """

    def __init__(self, code: str, part: str) -> None:
        super().__init__(f"error parsing regexp: {code}: `{part}`")
        self.part = part


class Token(NamedTuple):
    """A part of a regex: a character, an escape, a class, the beginning or end of a group, or a repetition."""

    start: int
    end: int
    depth: int
    """How many groups are open after it."""
    text: str
    """What it matches literally; empty when it is no plain text."""


def tokens(regex: str) -> Iterator[Token]:
    """Yields the parts of a regex, up to the first one that Go rejects.

    Raises:
        GoRegexError: Go does not compile it.
    """
    return _Parser(regex).tokens()


def operations(regex: str) -> list[Operation]:
    """Returns what a regex does, in postfix order.

    Raises:
        GoRegexError: Go does not compile it.
    """
    return _Parser(regex).parse()


def check(regex: str) -> int:
    """Returns the number of capturing groups of a regex.

    Raises:
        GoRegexError: Go does not compile it.
    """
    parser = _Parser(regex)
    parser.parse()
    return parser.groups


class _Group(NamedTuple):
    most: int
    flags: frozenset[str]
    number: int
    """0 if it captures nothing."""
    branches: list[list[list[Operation]]]


class _Parser:
    """Reads a regex once."""

    def __init__(self, regex: str) -> None:
        self._regex = regex
        self._at = 0
        self._outer: list[_Group] = []  # the state before each open group
        self._most = 1  # the largest product of repeats in the innermost open group so far
        self._last: int | None = None  # repeats of the last piece; None if there is none to repeat
        self._last_repeat = -1  # start of a repetition that was just read; -1 otherwise
        self._flags: frozenset[str] = frozenset()
        self._branches: list[list[list[Operation]]] = [[]]  # the pieces of each alternative of the innermost open group
        self._text = ""  # the plain text of the current token
        self.groups = 0

    def parse(self) -> list[Operation]:
        """Returns the operations of the regex."""
        for _ in self.tokens():
            pass
        found = joined(self._branches)
        if size(found) > _MOST_INSTRUCTIONS:
            raise GoRegexError("expression too large", self._regex)
        return found

    def tokens(self) -> Iterator[Token]:
        """Reads the regex and yields its parts."""
        regex = self._regex
        while self._at < len(regex):
            start, self._text = self._at, ""
            char = regex[start]
            if char == "(":
                self._open()
            elif char == ")":
                self._close()
            elif char == "|":
                self._at += 1
                self._branches.append([])
                self._last, self._last_repeat = None, -1
            elif char == "[":
                self._class()
            elif char in "*+?":
                self._repeat(1, self._at + 1, _REPEATS[char])
            elif char == "{" and (found := _REPEAT.match(regex, self._at)):
                self._counted(found)
            elif char == "\\":
                self._escape()
            else:
                self._at += 1
                self._piece(*self._plain(char))
            yield Token(start, self._at, len(self._outer), self._text)
        if self._outer:
            raise GoRegexError("missing closing )", regex)

    def _plain(self, char: str) -> list[Operation]:
        if char == ".":
            return [chars(_ALL if "s" in self._flags else _NO_NEWLINE)]
        if char == "^":
            return [Operation("edge", edge="^" if "m" in self._flags else "A")]
        if char == "$":
            return [Operation("edge", edge="$" if "m" in self._flags else "z")]
        return [self._literal(char)]

    def _literal(self, char: str) -> Operation:
        self._text += char
        single = ((ord(char), ord(char)),)
        return chars(classes.folded(single) if "i" in self._flags else single)

    def _piece(self, *made: Operation, repeats: int = 1) -> None:
        self._branches[-1].append([*made])
        self._last = repeats
        self._last_repeat = -1

    def _open(self) -> None:
        regex, start = self._regex, self._at
        flags = self._flags
        if not regex.startswith("(?", start):
            opening, self._at = "(", start + 1
        elif not (opening := self._perl_group()):
            return
        captures = opening == "("
        self.groups += captures
        self._outer.append(_Group(self._most, flags, self.groups if captures else 0, self._branches))
        if len(self._outer) > _MOST_NESTED:
            raise GoRegexError("expression nests too deeply", regex)
        self._branches = [[]]
        self._most = 1
        self._last, self._last_repeat = None, -1

    def _perl_group(self) -> str:
        """Reads what follows `(?`; returns an empty text when it only sets flags."""
        regex, start = self._regex, self._at
        if named := _NAMED.match(regex, start):
            self._named(named.end())
            return "("
        at = start + 2
        negative = seen = False
        flags = set(self._flags)
        while at < len(regex):
            char = regex[at]
            at += 1
            if char in "imsU":
                seen = True
                (flags.discard if negative else flags.add)(char)
            elif char == "-" and not negative:
                negative, seen = True, False
            elif char in ":)" and (seen or not negative):
                self._at = at
                self._last_repeat = -1
                self._flags = frozenset(flags)
                return "(?:" if char == ":" else ""
            else:
                raise GoRegexError("invalid or unsupported Perl syntax", regex[start:at])
        raise GoRegexError("missing closing )", regex)

    def _named(self, start: int) -> None:
        end = self._regex.find(">", start)
        if end < 0:
            raise GoRegexError("invalid named capture", self._regex[self._at :])
        name = self._regex[start:end]
        if not _NAME.fullmatch(name):
            raise GoRegexError("invalid named capture", self._regex[self._at : end + 1])
        self._at = end + 1

    def _close(self) -> None:
        if not self._outer:
            raise GoRegexError("unexpected )", self._regex)
        inner, around = self._most, self._outer.pop()
        self._most = max(around.most, inner)
        self._flags = around.flags
        self._at += 1
        body, self._branches = joined(self._branches), around.branches
        if around.number:
            body.append(Operation("group", low=around.number))
        self._piece(*body, repeats=inner)

    def _counted(self, found: re.Match[str]) -> None:
        low_text, comma, high_text = found.groups()
        low = min(int(low_text[:9]), _MOST_REPEATS + 1) if len(low_text) < 9 else _MOST_REPEATS + 1
        high = low
        if comma:
            high = -1 if not high_text else int(high_text) if len(high_text) < 9 else _MOST_REPEATS + 1
        if low > _MOST_REPEATS or high > _MOST_REPEATS or (0 <= high < low):
            raise GoRegexError("invalid repeat count", found[0])
        times = max(low, high, 1) if low >= 2 or high >= 2 else 1
        self._repeat(times, found.end(), (low, high))

    def _repeat(self, times: int, end: int, bounds: tuple[int, int]) -> None:
        regex, start = self._regex, self._at
        lazy = "U" in self._flags
        if regex.startswith("?", end):
            end += 1
            lazy = not lazy
        if self._last_repeat >= 0:
            raise GoRegexError("invalid nested repetition operator", regex[self._last_repeat : end])
        if self._last is None:
            raise GoRegexError("missing argument to repetition operator", regex[start:end])
        repeats = self._last * times
        if times > 1 and repeats > _MOST_REPEATS:
            raise GoRegexError("invalid repeat count", regex[start:end])
        self._most = max(self._most, repeats)
        self._at = end
        self._last = repeats
        self._last_repeat = start
        self._branches[-1][-1].append(Operation("repeat", low=bounds[0], high=bounds[1], lazy=lazy))

    def _escape(self) -> None:
        regex, start = self._regex, self._at
        letter = regex[start + 1 : start + 2]
        if letter in _EDGES:
            self._at += 2
            self._piece(Operation("edge", edge=letter))
        elif letter == "Q":
            end = regex.find("\\E", start + 2)
            for char in regex[start + 2 : end if end >= 0 else None]:
                self._piece(self._literal(char))
            self._at = len(regex) if end < 0 else end + 2
        elif (found := self._class_by_name(start)) is not None:
            named, self._at = found
            self._piece(chars(named))
        else:
            code, self._at = self._escaped(start)
            self._piece(self._literal(chr(code)))

    def _class_by_name(self, start: int) -> tuple[Ranges, int] | None:
        r"""Returns the class of `\d`, `\S` or `\pL` at `start`, and its end; None for other escapes."""
        letter = self._regex[start + 1 : start + 2]
        if letter and letter in "dDsSwW":
            found, end = classes.PERL[letter.lower()], start + 2
            negative = letter.isupper()
        elif letter and letter in "pP":
            found, end, caret = self._unicode_class(start)
            negative = (letter == "P") != caret
        else:
            return None
        found = self._cased(found)
        return classes.negated(found) if negative else found, end

    def _escaped(self, start: int) -> tuple[int, int]:
        """Returns the character of the escape at `start`, and its end."""
        regex = self._regex
        letter = regex[start + 1 : start + 2]
        if not letter:
            raise GoRegexError("trailing backslash at end of expression", "")
        if letter in "01234567":
            if letter == "0" or regex[start + 2 : start + 3] in tuple("01234567"):
                digits = _OCTAL.match(regex, start + 1)
                assert digits is not None  # noqa: S101 - the first digit was seen
                return int(digits[0], 8), digits.end()
        elif letter == "x":
            found = _HEX.match(regex, start + 1)
            if found and (code := int(found[1] or found[2], 16)) <= classes.LAST:
                return code, found.end()
        elif letter in "aftnrv" or (letter.isascii() and not letter.isalnum()):
            return ord(_CONTROLS.get(letter, letter)), start + 2
        raise GoRegexError("invalid escape sequence", regex[start : start + 2])

    def _unicode_class(self, start: int) -> tuple[Ranges, int, bool]:
        """Returns the class, its end, and whether a ^ negates it."""
        regex = self._regex
        if not regex.startswith("{", start + 2):
            end = start + 3
            name = regex[start + 2 : end]
        else:
            close = regex.find("}", start)
            if close < 0:
                raise GoRegexError("invalid character class range", regex[start:])
            end = close + 1
            name = regex[start + 3 : close]
        found = classes.unicode_class(name.removeprefix("^"))
        if found is None:
            raise GoRegexError("invalid character class range", regex[start:end])
        return found, end, name.startswith("^")

    def _class(self) -> None:
        regex, start = self._regex, self._at
        at = start + 1
        negative = regex.startswith("^", at)
        at += negative
        first = True
        items: list[tuple[int, int]] = []
        while first or not regex.startswith("]", at):
            if at >= len(regex):
                raise GoRegexError("missing closing ]", regex[start:])
            item, at = self._class_item(at, start)
            items += item
            first = False
        self._at = at + 1
        found = classes.ranges(items)
        self._piece(chars(classes.negated(found) if negative else found))

    def _class_item(self, at: int, start: int) -> tuple[Ranges, int]:
        regex = self._regex
        if posix := _POSIX.match(regex, at):
            if posix[2] not in classes.POSIX:
                raise GoRegexError("invalid character class range", posix[0])
            found = self._cased(classes.POSIX[posix[2]])
            return classes.negated(found) if posix[1] else found, posix.end()
        if regex[at] == "\\" and (named := self._class_by_name(at)) is not None:
            return named
        low, end = self._class_char(at, start)
        high = low
        if regex.startswith("-", end) and end + 1 < len(regex) and regex[end + 1] != "]":
            high, end = self._class_char(end + 1, start)
            if high < low:
                raise GoRegexError("invalid character class range", regex[at:end])
        return self._cased(((low, high),)), end

    def _cased(self, found: Ranges) -> Ranges:
        return classes.folded(found) if "i" in self._flags else found

    def _class_char(self, at: int, start: int) -> tuple[int, int]:
        if at >= len(self._regex):
            raise GoRegexError("missing closing ]", self._regex[start:])
        if self._regex[at] == "\\":
            return self._escaped(at)
        return ord(self._regex[at]), at + 1
