"""Splits a shell line into words and operators, as dash and bash do.

Each word lists its expansions, so that a caller knows whether a program receives it as written.

Source: IEEE Std 1003.1-2017, Shell & Utilities, 2.2 and 2.3; bash 5.2 reference manual; runs in dash 0.5.12 and bash.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HARMLESS = re.compile(r"[A-Za-z0-9_./:,@%+^=-]+")
"""A word that every shell passes on unchanged."""

ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
"""The start of a word that is an assignment."""

_OPERATORS = ("&&", "||", ";;", "<<-", "<<", ">>", "<&", ">&", "<>", ">|", ";", "&", "|", "<", ">", "(", ")", "\n")
_BASH_OPERATORS = ("<<<", "&>>", "&>", "|&", ";;&", ";&")
_META = frozenset(" \t\n;&|<>()")
_BRACES = re.compile(r"\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}")
_QUOTED = re.compile(r"""\\.?|'[^']*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_DOLLAR_QUOTED = re.compile(r"(?:[^'\\]|\\.)*'", re.DOTALL)
_UNTIL_QUOTE = re.compile("[^']*'")
_UNTIL_BACKTICK = re.compile(r"(?:[^`\\]|\\.)*`", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")


class ShellSyntaxError(ValueError):
    """A line that the shell rejects."""

    bash_only = False
    """Whether only bash accepts the line."""


class ShellToken(NamedTuple):
    """A part of the line."""

    kind: str
    """word, operator, number (of a redirection) or end."""
    raw: str
    """As written."""
    text: str = ""
    """A word without its quotes; expansions stay as written."""
    expansions: str = ""
    """The characters that start a word's expansions: `$`, a backtick, `~`, `*`, `?`, `[`, `{`."""


class Lexer:
    """Reads a text token by token.

    Args:
        text: The script.
        bash: Whether bash reads it, not a plain POSIX shell such as dash.
    """

    def __init__(self, text: str, *, bash: bool) -> None:
        self._text = text
        self._bash = bash
        self._place = 0
        self._waiting: list[tuple[str, bool]] = []
        """The delimiters of here-documents that begin after the next newline, and whether tabs are removed."""
        operators = _OPERATORS + _BASH_OPERATORS if bash else _OPERATORS
        self._operators = sorted(operators, key=len, reverse=True)

    def token(self) -> ShellToken:
        """Returns the next token.

        Raises:
            ShellSyntaxError: A quote or a bracket in it is never closed.
        """
        text = self._text
        self._blanks()
        if self._place >= len(text):
            return ShellToken("end", "the end")
        found = next((each for each in self._operators if text.startswith(each, self._place)), None)
        if found is not None and not self._is_substitution():
            self._place += len(found)
            if found == "\n":
                self._here_documents()
            return ShellToken("operator", found)
        return self._word()

    @property
    def is_at_double_bracket(self) -> bool:
        """Whether the token just read is the first character of `((`."""
        return self._text.startswith("((", self._place - 1)

    def skip_bracket(self) -> None:
        """Moves past the bracket that closes the one just read, skipping quotes.

        Raises:
            ShellSyntaxError: It is never closed.
        """
        self._place = self._closed(self._place - 1)

    def expect_here_document(self, delimiter: str, *, cut: bool) -> None:
        """Skips the text after the next newline, up to the delimiter.

        Args:
            delimiter: The line that ends the here-document.
            cut: Whether tabs before the delimiter are ignored.
        """
        self._waiting.append((delimiter, cut))

    def _blanks(self) -> None:
        text = self._text
        while self._place < len(text):
            if text[self._place] in " \t":
                self._place += 1
            elif text.startswith("\\\n", self._place):
                self._place += 2
            elif text[self._place] == "#":
                end = text.find("\n", self._place)
                self._place = len(text) if end < 0 else end
            else:
                return

    def _here_documents(self) -> None:
        for delimiter, cut in self._waiting:
            while self._place < len(self._text):
                end = self._text.find("\n", self._place)
                end = len(self._text) if end < 0 else end
                line = self._text[self._place : end]
                self._place = min(end + 1, len(self._text))
                if (line.lstrip("\t") if cut else line) == delimiter:
                    break
        self._waiting.clear()

    def _word(self) -> ShellToken:
        text, start = self._text, self._place
        plain: list[str] = []
        expansions: set[str] = set()
        quoted = False
        while self._place < len(text):
            sign, begin = text[self._place], self._place
            if sign in _META and not self._is_substitution():
                break
            if sign == "\\":
                self._place += 2
                after = text[begin + 1 : begin + 2]
                plain.append("" if after == "\n" else after or "\\")
                quoted = quoted or after != "\n"
            elif sign in "'\"":
                plain.append(self._until_quote() if sign == "'" else self._double_quoted(expansions))
                quoted = True
            elif sign in "$`" or sign in "<>":
                self._expansion(expansions)
                plain.append(text[begin : self._place])
            else:
                if sign in "*?[" or (sign == "~" and self._begins_home(start)):
                    expansions.add(sign)
                run = HARMLESS.match(text, begin)
                self._place = run.end() if run is not None else begin + 1
                plain.append(text[begin : self._place])
        raw = text[start : self._place]
        if raw.isdigit() and text[self._place : self._place + 1] in ("<", ">"):
            return ShellToken("number", raw)
        if _BRACES.search(raw) and not quoted:
            expansions.add("{")
        return ShellToken("word", raw, "".join(plain), "".join(sorted(expansions)))

    def _is_substitution(self) -> bool:
        """Returns whether `<(command)` follows, which only bash has."""
        return self._bash and self._text[self._place] in "<>" and self._text.startswith("(", self._place + 1)

    def _begins_home(self, start: int) -> bool:
        before = self._text[start : self._place]
        return not before or (ASSIGNMENT.match(before) is not None and before[-1] in "=:")

    def _until_quote(self) -> str:
        start = self._place + 1
        self._place = self._end(_UNTIL_QUOTE, start, "a quote")
        return self._text[start : self._place - 1]

    def _double_quoted(self, expansions: set[str]) -> str:
        text = self._text
        self._place += 1
        plain: list[str] = []
        while self._place < len(text):
            sign, begin = text[self._place], self._place
            if sign == '"':
                self._place += 1
                return "".join(plain)
            if sign == "\\":
                after = text[begin + 1 : begin + 2]
                plain.append("" if after == "\n" else after if after in '$`"\\' else "\\" + after)
                self._place += 2
            elif sign in "$`":
                self._expansion(expansions)
                plain.append(text[begin : self._place])
            else:
                plain.append(sign)
                self._place += 1
        raise ShellSyntaxError("a quote is never closed")

    def _expansion(self, expansions: set[str]) -> None:
        """Moves past `$x`, `${x}`, `$(x)`, `$((x))` or a text in backticks; a single `$` is an ordinary character."""
        text, start = self._text, self._place + 1
        following = text[start : start + 1]
        if text[self._place] == "`":
            expansions.add("`")
            self._place = self._end(_UNTIL_BACKTICK, start, "a backtick")
        elif following in ("(", "{"):
            expansions.add("$")
            self._place = self._closed(start)
        elif self._bash and following == "'":
            self._place = self._end(_DOLLAR_QUOTED, start + 1, "a quote")
        else:
            named = _VARIABLE.match(text, start)
            if named is not None:
                expansions.add("$")
            self._place = named.end() if named is not None else start

    def _end(self, pattern: re.Pattern[str], start: int, what: str) -> int:
        found = pattern.match(self._text, start)
        if found is None:
            raise ShellSyntaxError(f"{what} is never closed")
        return found.end()

    def _closed(self, start: int) -> int:
        """Returns the place after the bracket that closes the one at `start`, skipping quotes."""
        text, place = self._text, start + 1
        stack = [")" if text[start] == "(" else "}"]
        while place < len(text):
            sign = text[place]
            if sign in '\\"' or (sign == "'" and stack[-1] == ")"):
                quoted = _QUOTED.match(text, place)
                if quoted is None:
                    break
                place = quoted.end()
                continue
            if sign == stack[-1]:
                stack.pop()
                if not stack:
                    return place + 1
            elif sign == "(" and stack[-1] == ")":
                stack.append(")")
            elif text.startswith("${", place):
                stack.append("}")
                place += 1
            place += 1
        raise ShellSyntaxError(f"a {text[start]!r} is never closed")
