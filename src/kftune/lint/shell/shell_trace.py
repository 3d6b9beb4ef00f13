"""Follows a parsed shell line: which programs run, whose output goes where, how the line ends.

Programs are not known here, so that a line is followed twice: once with all of them succeeding, once with all failing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from kftune.lint.shell.shell import AndOr, Compound, Pipeline, Redirect, Script, Simple
from kftune.lint.shell.shell_words import Word

# Commands of the shell, or so small that nobody would take one for a training; they succeed here.
_BUILTINS = frozenset(
    [
        ".",
        ":",
        "[",
        "[[",
        "alias",
        "cd",
        "date",
        "declare",
        "echo",
        "export",
        "hash",
        "let",
        "local",
        "ls",
        "mkdir",
        "mkfifo",
        "popd",
        "printf",
        "pushd",
        "pwd",
        "read",
        "readonly",
        "rm",
        "shift",
        "shopt",
        "sleep",
        "source",
        "test",
        "times",
        "touch",
        "trap",
        "true",
        "type",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "wait",
        "typeset",
        "break",
        "continue",
        "kill",
    ]
)
# Programs that pass lines on, and do not fail because those before them did.
_FILTERS = frozenset(
    [
        "awk",
        "cat",
        "cut",
        "grep",
        "head",
        "sed",
        "sort",
        "stdbuf",
        "tail",
        "tee",
        "tr",
        "ts",
        "uniq",
        "wc",
    ]
)
_MOST_CALLS = 200
_DEEPEST = 20


class Ran(NamedTuple):
    """A program that was started."""

    words: tuple[Word, ...]
    captured: bool
    """Whether its output goes into the metrics file."""
    visible: bool
    """Whether its output goes to the standard output of the line, and to no file of the script's own."""
    left: bool
    """Whether nothing waits for its end."""


class Trace(NamedTuple):
    """What happened."""

    ran: tuple[Ran, ...]
    succeeded: bool
    """The exit code of the line is 0."""
    marked: bool
    """Katib's mark of completion was written."""
    ended_by: str
    """`exec` or `exit` when one of them ended the line, else empty."""


class _EndedError(Exception):
    def __init__(self, status: bool, by: str) -> None:
        super().__init__(by)
        self.status = status
        self.by = by


def follow(
    script: Script, *, programs_succeed: bool, log: str, mark: str, missing: frozenset[str] = frozenset()
) -> Trace:
    """Follows a script.

    Args:
        script: The parsed line.
        programs_succeed: What every program does.
        log: The file that counts as captured.
        mark: The file whose writing counts as completed.
        missing: Commands that the shell does not have.
    """
    run = _Run(programs_succeed, log, mark, missing)
    ended_by = ""
    try:
        status = run.script(script, captured=False, visible=True)
    except _EndedError as ended:
        status, ended_by = ended.status, ended.by
    return Trace(tuple(run.ran), status, run.marked, ended_by)


class _Run:
    def __init__(self, programs_succeed: bool, log: str, mark: str, missing: frozenset[str]) -> None:
        self.programs_succeed = programs_succeed
        self.log = log
        self.mark = mark
        self.missing = missing
        self.ran: list[Ran] = []
        self.marked = False
        self.stops_at_errors = False
        self.pipes_fail = False
        self.functions: dict[str, Compound] = {}
        self.calls = 0
        self.depth = 0
        self.in_background = 0

    def script(self, script: Script, *, captured: bool, visible: bool, condition: bool = False) -> bool:
        status = True
        for item in script.items:
            status = self._and_or(item, captured, visible, condition)
        return status

    def _and_or(self, item: AndOr, captured: bool, visible: bool, condition: bool) -> bool:
        rest = item.rest
        if item.background:
            self.in_background += 1
            self._apart(lambda: self._chain(item.first, rest, captured, visible, condition=True))
            self.in_background -= 1
            return True
        return self._chain(item.first, rest, captured, visible, condition=condition)

    def _chain(
        self,
        first: Pipeline,
        rest: tuple[tuple[str, Pipeline], ...],
        captured: bool,
        visible: bool,
        *,
        condition: bool,
    ) -> bool:
        status = self._pipeline(first, captured, visible)
        decided = first if not rest else None
        for index, (operator, pipeline) in enumerate(rest):
            if status == (operator == "&&"):
                status = self._pipeline(pipeline, captured, visible)
                decided = pipeline if index == len(rest) - 1 else None
            else:
                decided = None
        # set -e looks at the last command of a chain only, and not at a negated one.
        if not status and self.stops_at_errors and not condition and decided is not None and not decided.negated:
            raise _EndedError(False, "set -e")
        return status

    def _pipeline(self, pipeline: Pipeline, captured: bool, visible: bool) -> bool:
        commands = pipeline.commands
        if len(commands) == 1:
            status = self._command(commands[0], captured, visible)
        else:
            goes_to_log, is_seen = self._output(commands[-1].redirects, captured, visible)
            if isinstance(commands[-1], Simple) and not commands[-1].words:
                goes_to_log = False
            statuses = [self._apart(partial(self._command, command, goes_to_log, is_seen)) for command in commands]
            status = all(statuses) if self.pipes_fail else statuses[-1]
        return not status if pipeline.negated else status

    def _apart(self, run: Callable[[], bool]) -> bool:
        """Runs a part in a process of its own, which ends without the rest."""
        try:
            return run()
        except _EndedError as ended:
            return ended.status

    def _output(self, redirects: tuple[Redirect, ...], captured: bool, visible: bool) -> tuple[bool, bool]:
        for redirect in redirects:
            if redirect.number in ("", "1") and redirect.operator in (">", ">>", ">|", "&>", "&>>"):
                captured = redirect.target == self.log
                visible = captured
        return captured, visible

    def _command(self, command: Simple | Compound, captured: bool, visible: bool) -> bool:
        captured, visible = self._output(command.redirects, captured, visible)
        if isinstance(command, Simple):
            return self._simple(command, captured, visible)
        return self._compound(command, captured, visible)

    def _compound(self, command: Compound, captured: bool, visible: bool) -> bool:
        kind, parts = command.kind, command.parts
        if kind == "function":
            self.functions[command.name] = Compound("{", parts, command.redirects)
            return True
        if kind == "(":
            return self._apart(lambda: self.script(parts[0], captured=captured, visible=visible))
        if kind == "if":
            return self._if(parts, captured, visible)
        if kind in ("while", "until"):
            status = self.script(parts[0], captured=captured, visible=visible, condition=True)
            return status != (kind == "while") or self.script(parts[1], captured=captured, visible=visible)
        status = True
        for part in parts:
            status = self.script(part, captured=captured, visible=visible)
        return status

    def _if(self, parts: tuple[Script, ...], captured: bool, visible: bool) -> bool:
        for index in range(0, len(parts) - 1, 2):
            if self.script(parts[index], captured=captured, visible=visible, condition=True):
                return self.script(parts[index + 1], captured=captured, visible=visible)
        return self.script(parts[-1], captured=captured, visible=visible) if len(parts) % 2 else True

    def _simple(self, command: Simple, captured: bool, visible: bool) -> bool:
        if any(redirect.target == self.mark for redirect in command.redirects):
            self.marked = True
            return True
        name = command.name
        words = command.words
        if name in self.functions:
            return self._call(self.functions[name], captured, visible)
        if name == "exit":
            status = len(words) == 1 or not words[1].text.strip("0")
            raise _EndedError(status if len(words) > 1 else self.programs_succeed or not self.ran, "exit")
        if name == "exec" and len(words) > 1:
            self.ran.append(Ran(words[1:], captured, visible, self.in_background > 0))
            raise _EndedError(self.programs_succeed, "exec")
        if name == "set":
            self._set([word.text for word in words[1:]])
        if name == "wait":
            self.ran = [ran._replace(left=False) for ran in self.ran]
        if name in self.missing:
            return False
        if not name or name in _BUILTINS or name in ("set", "exec"):
            return True
        if name == "false":
            return False
        self.ran.append(Ran(words, captured, visible, self.in_background > 0))
        return self.programs_succeed or name in _FILTERS

    def _call(self, function: Compound, captured: bool, visible: bool) -> bool:
        """Runs a function, unless it calls itself for ever."""
        self.calls += 1
        self.depth += 1
        try:
            if self.calls > _MOST_CALLS or self.depth > _DEEPEST:
                return True
            return self._command(function, captured, visible)
        finally:
            self.depth -= 1

    def _set(self, options: list[str]) -> None:
        for index, option in enumerate(options):
            if option.startswith("-") and not option.startswith("--") and "e" in option.partition("o")[0]:
                self.stops_at_errors = True
            if option == "errexit" and options[index - 1] == "-o":
                self.stops_at_errors = True
            if option == "pipefail":
                self.pipes_fail = True
