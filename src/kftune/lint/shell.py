"""Reads a shell line as dash and bash do, as far as it matters for what Katib appends to it.

`parse` makes a tree of commands; nothing is run. Words keep what an expansion would change, so that a caller can tell
whether a program gets them as they were written.

Source: IEEE Std 1003.1-2017, Shell & Utilities, 2.3 and 2.10; bash 5.2 reference manual; runs in dash 0.5.12 and bash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class ShellSyntaxError(ValueError):
    """A line that the shell does not parse.

    Args:
        message: What is wrong, in our words.
        bash_only: Whether bash reads it, and dash does not.
    """

    def __init__(self, message: str, *, bash_only: bool = False) -> None:
        super().__init__(message)
        self.bash_only = bash_only


class Word(NamedTuple):
    """One word of a command."""

    raw: str
    text: str
    """With quotes removed; expansions stand in it as they were written."""
    expansions: str
    """The signs of what the shell replaces: `$`, a backtick, `~`, `*`, `?`, `[`, `{`."""
    quoted: bool


class Redirect(NamedTuple):
    """`1>file`."""

    number: str
    operator: str
    target: str


class Simple(NamedTuple):
    """One command with its words; without words, assignments or redirections only."""

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()
    assignments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0].text if self.words else ""


class Compound(NamedTuple):
    """`{ }`, `( )`, if, for, while, until, case, `[[ ]]`, `(( ))` or a function's definition."""

    kind: str
    parts: tuple[Script, ...]
    """The lists inside, in the order of the text: for `if` condition, body, ..., else."""
    redirects: tuple[Redirect, ...] = ()
    name: str = ""


class Pipeline(NamedTuple):
    """Commands joined by `|`."""

    commands: tuple[Simple | Compound, ...]
    negated: bool = False


class AndOr(NamedTuple):
    """Pipelines joined by `&&` and `||`."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...] = ()
    background: bool = False


class Script(NamedTuple):
    """A list of commands."""

    items: tuple[AndOr, ...]


class Token(NamedTuple):
    """`kind` is word, operator, number (of a redirection) or end."""

    kind: str
    text: str
    word: Word | None = None


_OPERATORS = ("&&", "||", ";;", "<<-", "<<", ">>", "<&", ">&", "<>", ">|", ";", "&", "|", "<", ">", "(", ")", "\n")
_BASH_OPERATORS = ("<<<", "&>>", "&>", "|&", ";;&", ";&")
_BLANKS = " \t"
_META = frozenset(" \t\n;&|<>()")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_BRACES = re.compile(r"\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}")
_QUOTED = re.compile(r"""\\.?|'[^']*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+^=-]+")
_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})
_REDIRECTS = frozenset({"<", ">", ">>", "<&", ">&", "<>", ">|", "<<", "<<-", "<<<", "&>", "&>>"})
_DEEPEST = 60


class _Lexer:
    def __init__(self, text: str, *, bash: bool) -> None:
        self.text = text
        self.bash = bash
        self.place = 0
        self.waiting: list[tuple[str, bool]] = []
        """Here-documents whose text begins behind the next newline: delimiter, and whether tabs are cut."""
        operators = _OPERATORS + _BASH_OPERATORS if bash else _OPERATORS
        self.operators = sorted(operators, key=len, reverse=True)

    def token(self) -> Token:
        text = self.text
        self._blanks()
        if self.place >= len(text):
            return Token("end", "the end")
        found = next((each for each in self.operators if text.startswith(each, self.place)), None)
        if found is not None and not (self.bash and found in "<>" and text.startswith("(", self.place + 1)):
            self.place += len(found)
            if found == "\n":
                self._here_documents()
            return Token("operator", found)
        return self._word()

    def _blanks(self) -> None:
        text = self.text
        while self.place < len(text):
            if text[self.place] in _BLANKS:
                self.place += 1
            elif text.startswith("\\\n", self.place):
                self.place += 2
            elif text[self.place] == "#":
                end = text.find("\n", self.place)
                self.place = len(text) if end < 0 else end
            else:
                return

    def _here_documents(self) -> None:
        for delimiter, cut in self.waiting:
            while self.place < len(self.text):
                end = self.text.find("\n", self.place)
                end = len(self.text) if end < 0 else end
                line = self.text[self.place : end]
                self.place = min(end + 1, len(self.text))
                if (line.lstrip("\t") if cut else line) == delimiter:
                    break
        self.waiting.clear()

    def _word(self) -> Token:
        text, start = self.text, self.place
        plain: list[str] = []
        expansions: set[str] = set()
        quoted = False
        while self.place < len(text):
            sign = text[self.place]
            if sign in _META and not self._is_substitution():
                break
            begin = self.place
            if sign == "\\":
                self.place += 2
                plain.append("" if text[begin + 1 : begin + 2] == "\n" else text[begin + 1 : begin + 2] or "\\")
                quoted = quoted or text[begin + 1 : begin + 2] != "\n"
            elif sign == "'":
                plain.append(self._until_quote())
                quoted = True
            elif sign == '"':
                plain.append(self._double_quoted(expansions))
                quoted = True
            elif sign in "$`" or sign in "<>":
                self._expansion(expansions)
                plain.append(text[begin : self.place])
            else:
                if sign in "*?[" or (sign == "~" and self._begins_home(start)):
                    expansions.add(sign)
                run = _PLAIN.match(text, begin)
                self.place = run.end() if run is not None else begin + 1
                plain.append(text[begin : self.place])
        raw = text[start : self.place]
        if raw.isdigit() and text[self.place : self.place + 1] in ("<", ">"):
            return Token("number", raw)
        if _BRACES.search(raw) and not quoted:
            expansions.add("{")
        return Token("word", raw, Word(raw, "".join(plain), "".join(sorted(expansions)), quoted))

    def _is_substitution(self) -> bool:
        """`<(command)`, which only bash has."""
        return self.bash and self.text[self.place] in "<>" and self.text.startswith("(", self.place + 1)

    def _begins_home(self, start: int) -> bool:
        before = self.text[start : self.place]
        return not before or (_ASSIGNMENT.match(before) is not None and before[-1] in "=:")

    def _until_quote(self) -> str:
        end = self.text.find("'", self.place + 1)
        if end < 0:
            raise ShellSyntaxError("a quote is never closed")
        inside = self.text[self.place + 1 : end]
        self.place = end + 1
        return inside

    def _double_quoted(self, expansions: set[str]) -> str:
        text = self.text
        self.place += 1
        plain: list[str] = []
        while self.place < len(text):
            sign, begin = text[self.place], self.place
            if sign == '"':
                self.place += 1
                return "".join(plain)
            if sign == "\\":
                after = text[begin + 1 : begin + 2]
                plain.append("" if after == "\n" else after if after in '$`"\\' else "\\" + after)
                self.place += 2
            elif sign in "$`":
                self._expansion(expansions)
                plain.append(text[begin : self.place])
            else:
                plain.append(sign)
                self.place += 1
        raise ShellSyntaxError("a quote is never closed")

    def _expansion(self, expansions: set[str]) -> None:
        """Goes behind `$x`, `${x}`, `$(x)`, `$((x))` or a backtick's text; a lone `$` is a sign like others."""
        text = self.text
        if text[self.place] == "`":
            expansions.add("`")
            end = re.compile(r"(?:[^`\\]|\\.)*`", re.DOTALL).match(text, self.place + 1)
            if end is None:
                raise ShellSyntaxError("a backtick is never closed")
            self.place = end.end()
            return
        following = text[self.place + 1 : self.place + 2]
        if following in ("(", "{"):
            expansions.add("$")
            self.place = self.closed(self.place + 1)
        elif self.bash and following == "'":
            end = re.compile(r"(?:[^'\\]|\\.)*'", re.DOTALL).match(text, self.place + 2)
            if end is None:
                raise ShellSyntaxError("a quote is never closed")
            self.place = end.end()
        else:
            named = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]").match(text, self.place + 1)
            if named is not None:
                expansions.add("$")
            self.place = named.end() if named is not None else self.place + 1

    def closed(self, start: int) -> int:
        """The place behind the bracket that closes the one at `start`, quotes passed over."""
        text, place = self.text, start + 1
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


class _Parser:
    def __init__(self, text: str, *, bash: bool) -> None:
        self.lexer = _Lexer(text, bash=bash)
        self.bash = bash
        self.depth = 0
        self.token = self.lexer.token()

    def next(self) -> Token:
        found = self.token
        self.token = self.lexer.token()
        return found

    def is_operator(self, *texts: str) -> bool:
        return self.token.kind == "operator" and self.token.text in texts

    def is_reserved(self, *texts: str) -> bool:
        """A reserved word, which is one only without quotes and where a command begins."""
        return self.token.kind == "word" and self.token.text in texts

    def unexpected(self) -> ShellSyntaxError:
        shown = "the end of the line" if self.token.text == "\n" else repr(self.token.text[:40])
        if self.token.kind == "end":
            shown = "the end of the script"
        return ShellSyntaxError(f"{shown} stands where the shell does not expect it")

    def expect_word(self, text: str) -> None:
        if not self.is_reserved(text):
            raise self.unexpected()
        self.next()

    def newlines(self) -> None:
        while self.is_operator("\n"):
            self.next()

    def script(self, *closers: str) -> Script:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ShellSyntaxError("the script is nested too deeply")
        items = []
        self.newlines()
        while not self._at_end(closers):
            item = self.and_or()
            if self.is_operator("&"):
                item = item._replace(background=True)
            items.append(item)
            if self.is_operator(";", "&", "\n"):
                self.next()
                self.newlines()
            elif not self._at_end(closers):
                raise self.unexpected()
        self.depth -= 1
        return Script(tuple(items))

    def _at_end(self, closers: tuple[str, ...]) -> bool:
        if self.token.kind == "end":
            return True
        return self.is_operator(*closers) if self.token.kind == "operator" else self.is_reserved(*closers)

    def and_or(self) -> AndOr:
        first = self.pipeline()
        rest = []
        while self.is_operator("&&", "||"):
            operator = self.next().text
            self.newlines()
            rest.append((operator, self.pipeline()))
        return AndOr(first, tuple(rest))

    def pipeline(self) -> Pipeline:
        negated = False
        while self.is_reserved("!"):
            negated = not negated
            self.next()
        if self.bash and self.is_reserved("time", "coproc"):
            self.next()
        commands = [self.command()]
        while self.is_operator("|", "|&"):
            self.next()
            self.newlines()
            commands.append(self.command())
        return Pipeline(tuple(commands), negated)

    def command(self) -> Simple | Compound:
        compound = self.compound()
        if compound is None:
            return self.simple()
        redirects = []
        while (found := self.redirect()) is not None:
            redirects.append(found)
        return compound._replace(redirects=tuple(redirects))

    def compound(self) -> Compound | None:
        if self.is_operator("("):
            return self._round()
        kind = self.token.text if self.token.kind == "word" else ""
        if kind == "{":
            self.next()
            return Compound("{", (self._inside("}"),))
        if kind == "if":
            return self._if()
        if kind in ("while", "until"):
            self.next()
            condition = self._inside("do")
            return Compound(kind, (condition, self._inside("done")))
        if kind == "for" or (kind == "select" and self.bash):
            return self._for()
        if kind == "case":
            return self._case()
        if kind == "[[" and self.bash:
            return self._double_brackets()
        if kind == "function" and self.bash:
            self.next()
            return self._function(self.next().text)
        if kind in _CLOSERS:
            raise self.unexpected()
        return None

    def _inside(self, closer: str) -> Script:
        inside = self.script(closer)
        if not inside.items:
            raise self.unexpected()
        self.expect_word(closer)
        return inside

    def _round(self) -> Compound:
        if (
            self.bash
            and self.lexer.text.startswith("(", self.lexer.place)
            and self.lexer.text[self.lexer.place - 1] == "("
        ):
            try:
                self.lexer.place = self.lexer.closed(self.lexer.place - 1)
            except ShellSyntaxError:
                raise ShellSyntaxError("a '((' is never closed") from None
            self.token = self.lexer.token()
            return Compound("((", ())
        self.next()
        inside = self.script(")")
        if not inside.items or not self.is_operator(")"):
            raise self.unexpected()
        self.next()
        return Compound("(", (inside,))

    def _if(self) -> Compound:
        self.next()
        parts = [self._inside("then")]
        while True:
            parts.append(self.script("elif", "else", "fi"))
            if not parts[-1].items:
                raise self.unexpected()
            if self.is_reserved("elif"):
                self.next()
                parts.append(self._inside("then"))
            elif self.is_reserved("else"):
                self.next()
                parts.append(self._inside("fi"))
                return Compound("if", tuple(parts))
            else:
                self.expect_word("fi")
                return Compound("if", tuple(parts))

    def _for(self) -> Compound:
        self.next()
        if self.is_operator("(") and self.bash:
            self._round()
        elif self.token.kind != "word" or not _NAME.match(self.token.text):
            raise self.unexpected()
        else:
            self.next()
        self.newlines()
        if self.is_reserved("in"):
            self.next()
            while self.token.kind == "word":
                self.next()
        if self.is_operator(";"):
            self.next()
        self.newlines()
        self.expect_word("do")
        return Compound("for", (self._inside("done"),))

    def _case(self) -> Compound:
        self.next()
        if self.token.kind != "word":
            raise self.unexpected()
        self.next()
        self.newlines()
        self.expect_word("in")
        self.newlines()
        parts = []
        while not self.is_reserved("esac"):
            if self.is_operator("("):
                self.next()
            while self.token.kind == "word":
                self.next()
                if self.is_operator("|"):
                    self.next()
            if not self.is_operator(")"):
                raise self.unexpected()
            self.next()
            parts.append(self.script(";;", ";;&", ";&", "esac"))
            if self.token.kind == "operator":
                self.next()
                self.newlines()
            elif self.token.kind == "end":
                raise self.unexpected()
        self.next()
        return Compound("case", tuple(parts))

    def _double_brackets(self) -> Compound:
        while not self.is_reserved("]]"):
            if self.token.kind == "end":
                raise self.unexpected()
            self.next()
        self.next()
        return Compound("[[", ())

    def _function(self, name: str) -> Compound:
        if self.is_operator("("):
            self.next()
            if not self.is_operator(")"):
                raise self.unexpected()
            self.next()
        self.newlines()
        body = self.compound()
        if body is None:
            raise self.unexpected()
        return Compound("function", body.parts, name=name)

    def simple(self) -> Simple | Compound:
        words: list[Word] = []
        redirects: list[Redirect] = []
        assignments: list[str] = []
        while True:
            found = self.redirect()
            if found is not None:
                redirects.append(found)
            elif self.token.kind == "word" and self.token.word is not None:
                word = self.token.word
                if not words and _ASSIGNMENT.match(word.raw):
                    self._assignment(assignments)
                    continue
                self.next()
                words.append(word)
                if len(words) == 1 and not redirects and not assignments and self.is_operator("("):
                    return self._function_or_error(word)
            else:
                break
        if not (words or redirects or assignments) or self.is_operator("("):
            raise self.unexpected()
        return Simple(tuple(words), tuple(redirects), tuple(assignments))

    def _function_or_error(self, word: Word) -> Compound:
        if not _NAME.match(word.raw):
            raise self.unexpected()
        return self._function(word.text)

    def _assignment(self, assignments: list[str]) -> None:
        raw = self.next().text
        assignments.append(raw)
        if raw.endswith("=") and self.is_operator("(") and self.bash:
            self.lexer.place = self.lexer.closed(self.lexer.place - 1)
            self.token = self.lexer.token()

    def redirect(self) -> Redirect | None:
        number = ""
        if self.token.kind == "number":
            number = self.next().text
        if not (self.token.kind == "operator" and self.token.text in _REDIRECTS):
            return None
        operator = self.token.text
        # The target is read before the newline behind it, at which the text of a here-document begins.
        target = self.lexer.token()
        self.token = target
        if target.kind != "word" or target.word is None:
            raise self.unexpected()
        if operator in ("<<", "<<-"):
            self.lexer.waiting.append((target.word.text, operator == "<<-"))
        self.token = self.lexer.token()
        return Redirect(number, operator, target.word.text)


def parse(text: str, *, bash: bool) -> Script:
    """The commands of a line.

    Args:
        text: The script, after Kubernetes has replaced its own variables.
        bash: Whether bash reads it, and not a plain POSIX shell such as dash.

    Raises:
        ShellSyntaxError: The shell would run nothing of it, or only what stands on the lines before.
    """
    try:
        return _parsed(text, bash=bash)
    except ShellSyntaxError as error:
        if not bash:
            try:
                _parsed(text, bash=True)
            except ShellSyntaxError:
                pass
            else:
                raise ShellSyntaxError(str(error), bash_only=True) from None
        raise


def _parsed(text: str, *, bash: bool) -> Script:
    parser = _Parser(text, bash=bash)
    script = parser.script()
    if parser.token.kind != "end":
        raise parser.unexpected()
    return script


def simple_commands(script: Script) -> Iterator[Simple]:
    """All simple commands in it, in the order of the text."""
    for item in script.items:
        for pipeline in (item.first, *(pipeline for _, pipeline in item.rest)):
            for command in pipeline.commands:
                if isinstance(command, Simple):
                    yield command
                else:
                    for part in command.parts:
                        yield from simple_commands(part)
