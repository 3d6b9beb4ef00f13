"""Parses a shell line into commands, as dash and bash do, in the detail that matters for what Katib appends.

Source: IEEE Std 1003.1-2017, Shell & Utilities, 2.9 and 2.10; bash 5.2 reference manual; runs in dash 0.5.12 and bash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kftune.shell.lexer import ASSIGNMENT, Lexer, ShellSyntaxError, ShellToken

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})
_REDIRECTS = frozenset({"<", ">", ">>", "<&", ">&", "<>", ">|", "<<", "<<-", "<<<", "&>", "&>>"})
_DEEPEST = 60


class Redirect(NamedTuple):
    """`1>file`."""

    number: str
    operator: str
    target: str


class Simple(NamedTuple):
    """One command; without words it only assigns or redirects."""

    words: tuple[ShellToken, ...]
    redirects: tuple[Redirect, ...] = ()
    assignments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The first word; empty when there is none."""
        return self.words[0].text if self.words else ""


class Compound(NamedTuple):
    """`{ }`, `( )`, if, for, while, until, case, `[[ ]]`, `(( ))` or a function definition."""

    kind: str
    parts: tuple[CommandList, ...]
    """The scripts inside, in the order of the text: for `if` condition, body, ..., the body after `else`."""
    redirects: tuple[Redirect, ...] = ()
    name: str = ""


class Pipe(NamedTuple):
    """Commands joined by `|`."""

    commands: tuple[Simple | Compound, ...]
    negated: bool = False


class AndOr(NamedTuple):
    """Pipelines joined by `&&` and `||`."""

    first: Pipe
    rest: tuple[tuple[str, Pipe], ...] = ()
    background: bool = False


class CommandList(NamedTuple):
    """A list of commands."""

    items: tuple[AndOr, ...]

    def simple_commands(self) -> Iterator[Simple]:
        """Yields all simple commands in it, in the order of the text."""
        for item in self.items:
            for pipeline in (item.first, *(pipeline for _, pipeline in item.rest)):
                for command in pipeline.commands:
                    if isinstance(command, Simple):
                        yield command
                    else:
                        for part in command.parts:
                            yield from part.simple_commands()


class _Parser:
    def __init__(self, text: str, *, bash: bool) -> None:
        self.lexer = Lexer(text, bash=bash)
        self.bash = bash
        self.depth = 0
        self.token = self.lexer.token()

    def next(self) -> ShellToken:
        found = self.token
        self.token = self.lexer.token()
        return found

    def at(self, *texts: str) -> bool:
        """Returns whether an operator or a reserved word follows; a reserved word has no quotes."""
        return self.token.raw in texts

    def accept(self, *texts: str) -> bool:
        """Reads an operator or a reserved word if it follows; returns whether it does."""
        found = self.token.raw in texts
        if found:
            self.token = self.lexer.token()
        return found

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.unexpected()

    def unexpected(self) -> ShellSyntaxError:
        shown = "end of the line" if self.token.raw == "\n" else repr(self.token.raw[:40])
        if self.token.kind == "end":
            shown = "end of the script"
        return ShellSyntaxError(f"unexpected {shown}")

    def newlines(self) -> None:
        while self.accept("\n"):
            pass

    def script(self, *closers: str) -> CommandList:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ShellSyntaxError("the script is nested too deeply")
        items = []
        self.newlines()
        while not self._at_end(closers):
            item = self.and_or()
            items.append(item._replace(background=self.at("&")))
            if self.accept(";", "&", "\n"):
                self.newlines()
            elif not self._at_end(closers):
                raise self.unexpected()
        self.depth -= 1
        return CommandList(tuple(items))

    def _at_end(self, closers: tuple[str, ...]) -> bool:
        return self.token.kind == "end" or self.token.raw in closers

    def and_or(self) -> AndOr:
        first = self.pipeline()
        rest = []
        while self.at("&&", "||"):
            operator = self.next().raw
            self.newlines()
            rest.append((operator, self.pipeline()))
        return AndOr(first, tuple(rest))

    def pipeline(self) -> Pipe:
        negated = False
        while self.accept("!"):
            negated = not negated
        if self.bash:
            self.accept("time", "coproc")
        commands = [self.command()]
        while self.accept("|", "|&"):
            self.newlines()
            commands.append(self.command())
        return Pipe(tuple(commands), negated)

    def command(self) -> Simple | Compound:
        compound = self.compound()
        if compound is None:
            return self.simple()
        redirects = []
        while (found := self.redirect()) is not None:
            redirects.append(found)
        return compound._replace(redirects=tuple(redirects))

    def compound(self) -> Compound | None:
        if self.at("("):
            return self._round()
        kind = self.token.raw
        if self.accept("{"):
            return Compound("{", (self._inside("}"),))
        if self.accept("if"):
            return self._if()
        if self.accept("while", "until"):
            return Compound(kind, (self._inside("do"), self._inside("done")))
        if kind == "for" or (kind == "select" and self.bash):
            return self._for()
        if kind == "case":
            return self._case()
        if kind == "[[" and self.bash:
            return self._double_brackets()
        if self.bash and self.accept("function"):
            return self._function(self.next().raw)
        if kind in _CLOSERS:
            raise self.unexpected()
        return None

    def _until(self, *closers: str) -> CommandList:
        """Reads at least one command, up to a closer."""
        inside = self.script(*closers)
        if not inside.items or self.token.kind == "end":
            raise self.unexpected()
        return inside

    def _inside(self, closer: str) -> CommandList:
        inside = self._until(closer)
        self.next()
        return inside

    def _round(self) -> Compound:
        if self.bash and self.lexer.is_at_double_bracket:
            self._skip_bracket()
            return Compound("((", ())
        self.next()
        return Compound("(", (self._inside(")"),))

    def _skip_bracket(self) -> None:
        self.lexer.skip_bracket()
        self.token = self.lexer.token()

    def _if(self) -> Compound:
        parts = [self._inside("then")]
        while True:
            parts.append(self._until("elif", "else", "fi"))
            closer = self.next().raw
            if closer == "elif":
                parts.append(self._inside("then"))
                continue
            if closer == "else":
                parts.append(self._inside("fi"))
            return Compound("if", tuple(parts))

    def _for(self) -> Compound:
        self.next()
        if self.at("(") and self.bash:
            self._round()
        elif not _NAME.match(self.token.raw):
            raise self.unexpected()
        else:
            self.next()
        self.newlines()
        if self.accept("in"):
            while self.token.kind == "word":
                self.next()
        self.accept(";")
        self.newlines()
        self.expect("do")
        return Compound("for", (self._inside("done"),))

    def _case(self) -> Compound:
        self.next()
        if self.token.kind != "word":
            raise self.unexpected()
        self.next()
        self.newlines()
        self.expect("in")
        self.newlines()
        parts = []
        while not self.accept("esac"):
            self.accept("(")
            while self.token.kind == "word":
                self.next()
                self.accept("|")
            self.expect(")")
            parts.append(self.script(";;", ";;&", ";&", "esac"))
            if self.token.kind == "operator":
                self.next()
                self.newlines()
            elif self.token.kind == "end":
                raise self.unexpected()
        return Compound("case", tuple(parts))

    def _double_brackets(self) -> Compound:
        while not self.accept("]]"):
            if self.next().kind == "end":
                raise self.unexpected()
        return Compound("[[", ())

    def _function(self, name: str) -> Compound:
        if self.accept("("):
            self.expect(")")
        self.newlines()
        body = self.compound()
        if body is None:
            raise self.unexpected()
        return Compound("function", body.parts, name=name)

    def simple(self) -> Simple | Compound:
        words: list[ShellToken] = []
        redirects: list[Redirect] = []
        assignments: list[str] = []
        while True:
            found = self.redirect()
            if found is not None:
                redirects.append(found)
            elif self.token.kind != "word":
                break
            elif not words and ASSIGNMENT.match(self.token.raw):
                assignments.append(self.next().raw)
                if self.bash and assignments[-1].endswith("=") and self.at("("):
                    self._skip_bracket()
            else:
                words.append(self.next())
                if len(words) == 1 and not redirects and not assignments and self.at("("):
                    if not _NAME.match(words[0].raw):
                        raise self.unexpected()
                    return self._function(words[0].text)
        if not (words or redirects or assignments) or self.at("("):
            raise self.unexpected()
        return Simple(tuple(words), tuple(redirects), tuple(assignments))

    def redirect(self) -> Redirect | None:
        number = self.next().raw if self.token.kind == "number" else ""
        if self.token.raw not in _REDIRECTS:
            return None
        operator = self.token.raw
        # Read the target before the newline after it, where the text of a here-document begins.
        self.token = target = self.lexer.token()
        if target.kind != "word":
            raise self.unexpected()
        if operator in ("<<", "<<-"):
            self.lexer.expect_here_document(target.text, cut=operator == "<<-")
        self.token = self.lexer.token()
        return Redirect(number, operator, target.text)


def parse(text: str, *, bash: bool) -> CommandList:
    """Parses a line.

    Args:
        text: The script, after Kubernetes has replaced its own variables.
        bash: Whether bash reads it, not a plain POSIX shell such as dash.

    Raises:
        ShellSyntaxError: The shell rejects the line. It runs nothing, or only the lines before the error.
    """
    try:
        return _parsed(text, bash=bash)
    except ShellSyntaxError as error:
        error.bash_only = not bash and _is_read_by_bash(text)
        raise


def _is_read_by_bash(text: str) -> bool:
    try:
        return _parsed(text, bash=True) is not None
    except ShellSyntaxError:
        return False


def _parsed(text: str, *, bash: bool) -> CommandList:
    parser = _Parser(text, bash=bash)
    script = parser.script()
    if parser.token.kind != "end":
        raise parser.unexpected()
    return script
