"""Follows a parsed shell line: which programs run, where their output goes, and how the line ends.

What a program does is unknown, so callers follow a line twice: with all programs succeeding, and with all failing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from kftune.shell import AndOr, CommandList, Compound, Pipe, Redirect, ShellToken, Simple

LOG = "/var/log/katib/metrics.log"
"""The metrics file; output written to it is captured."""

MARK = "/var/log/katib/mark.pid"
"""A short name for the file that marks the trial as completed."""

# The shell's own commands, and programs too small to be a training. They succeed here.
_BUILTINS = frozenset(
    """
    . : [ [[ alias break cd continue date declare echo exec export hash kill let local ls mkdir mkfifo popd printf
    pushd pwd read readonly rm set shift shopt sleep source test times touch trap true type typeset ulimit umask
    unalias unset wait
    """.split()  # noqa: SIM905  # one line each would be a page
)
# Programs that pass lines on. They do not fail when the programs before them do.
_FILTERS = frozenset("awk cat cut grep head sed sort stdbuf tail tee tr ts uniq wc".split())  # noqa: SIM905
_MOST_CALLS = 200
_DEEPEST = 20


class Ran(NamedTuple):
    """A program that was started."""

    words: tuple[ShellToken, ...]
    captured: bool
    """Whether its output goes into the metrics file."""
    visible: bool
    """Whether its output reaches the standard output of the line, rather than a file that the script chose."""
    left: bool
    """Whether nothing waits for its end."""


class Trace(NamedTuple):
    """What happened when the line ran."""

    ran: tuple[Ran, ...]
    succeeded: bool
    """Whether the exit code of the line is 0."""
    marked: bool
    """Whether Katib's completion mark was written."""
    ended_by: str
    """`exec`, `exit` or `set -e` if it ended the line early; otherwise empty."""


class _EndedError(Exception):
    def __init__(self, status: bool, by: str) -> None:
        super().__init__(by)
        self.status = status
        self.by = by


class _Output(NamedTuple):
    """Where standard output goes."""

    captured: bool
    visible: bool


def follow(script: CommandList, *, programs_succeed: bool, missing: frozenset[str] = frozenset()) -> Trace:
    """Follows a script.

    Args:
        script: The parsed line.
        programs_succeed: Whether every program succeeds.
        missing: Commands that the shell does not have.
    """
    run = _Run(programs_succeed, missing)
    ended_by = ""
    try:
        status = run.script(script, _Output(captured=False, visible=True))
    except _EndedError as ended:
        status, ended_by = ended.status, ended.by
    return Trace(tuple(run.ran), status, run.marked, ended_by)


class _Run:
    def __init__(self, programs_succeed: bool, missing: frozenset[str]) -> None:
        self.programs_succeed = programs_succeed
        self.missing = missing
        self.ran: list[Ran] = []
        self.marked = False
        self.stops_at_errors = False
        self.pipes_fail = False
        self.functions: dict[str, Compound] = {}
        self.calls = 0
        self.depth = 0
        self.in_background = 0

    def script(self, script: CommandList, output: _Output, *, condition: bool = False) -> bool:
        status = True
        for item in script.items:
            if item.background:
                self.in_background += 1
                self._in_subshell(partial(self._chain, item, output, condition=True))
                self.in_background -= 1
                status = True
            else:
                status = self._chain(item, output, condition=condition)
        return status

    def _chain(self, item: AndOr, output: _Output, *, condition: bool) -> bool:
        status = self._pipeline(item.first, output)
        last = item.first if not item.rest else None
        for index, (operator, pipeline) in enumerate(item.rest, 1):
            runs = status == (operator == "&&")
            if runs:
                status = self._pipeline(pipeline, output)
            last = pipeline if runs and index == len(item.rest) else None
        # `set -e` checks only the last command of a chain, and only if it is not negated.
        if not status and self.stops_at_errors and not condition and last is not None and not last.negated:
            raise _EndedError(False, "set -e")
        return status

    def _pipeline(self, pipeline: Pipe, output: _Output) -> bool:
        commands = pipeline.commands
        if len(commands) == 1:
            status = self._command(commands[0], output)
        else:
            last = commands[-1]
            output = self._redirected(last.redirects, output)
            if isinstance(last, Simple) and not last.words:
                output = output._replace(captured=False)
            statuses = [self._in_subshell(partial(self._command, command, output)) for command in commands]
            status = all(statuses) if self.pipes_fail else statuses[-1]
        return not status if pipeline.negated else status

    def _in_subshell(self, run: Callable[[], bool]) -> bool:
        """Runs a part in its own process, which may end without ending the line."""
        try:
            return run()
        except _EndedError as ended:
            return ended.status

    def _redirected(self, redirects: tuple[Redirect, ...], output: _Output) -> _Output:
        for redirect in redirects:
            if redirect.number in ("", "1") and redirect.operator in (">", ">>", ">|", "&>", "&>>"):
                is_log = redirect.target == LOG
                output = _Output(captured=is_log, visible=is_log)
        return output

    def _command(self, command: Simple | Compound, output: _Output) -> bool:
        output = self._redirected(command.redirects, output)
        return self._simple(command, output) if isinstance(command, Simple) else self._compound(command, output)

    def _compound(self, command: Compound, output: _Output) -> bool:
        kind, parts = command.kind, command.parts
        if kind == "function":
            self.functions[command.name] = Compound("{", parts, command.redirects)
            return True
        if kind == "(":
            return self._in_subshell(partial(self.script, parts[0], output))
        if kind == "if":
            return self._if(parts, output)
        if kind in ("while", "until"):
            status = self.script(parts[0], output, condition=True)
            return status != (kind == "while") or self.script(parts[1], output)
        status = True
        for part in parts:
            status = self.script(part, output)
        return status

    def _if(self, parts: tuple[CommandList, ...], output: _Output) -> bool:
        for index in range(0, len(parts) - 1, 2):
            if self.script(parts[index], output, condition=True):
                return self.script(parts[index + 1], output)
        return self.script(parts[-1], output) if len(parts) % 2 else True

    def _simple(self, command: Simple, output: _Output) -> bool:
        if any(redirect.target == MARK for redirect in command.redirects):
            self.marked = True
            return True
        name, words = command.name, command.words
        if name in self.functions:
            return self._call(self.functions[name], output)
        if name == "exit":
            status = not words[1].text.strip("0") if len(words) > 1 else self.programs_succeed or not self.ran
            raise _EndedError(status, "exit")
        if name == "exec" and len(words) > 1:
            self._start(words[1:], output)
            raise _EndedError(self.programs_succeed, "exec")
        if name == "set":
            self._set([word.text for word in words[1:]])
        if name == "wait":
            self.ran = [ran._replace(left=False) for ran in self.ran]
        if name in self.missing or name == "false":
            return False
        if not name or name in _BUILTINS:
            return True
        self._start(words, output)
        return self.programs_succeed or name in _FILTERS

    def _start(self, words: tuple[ShellToken, ...], output: _Output) -> None:
        self.ran.append(Ran(words, output.captured, output.visible, self.in_background > 0))

    def _call(self, function: Compound, output: _Output) -> bool:
        """Runs a function, unless it calls itself too often."""
        self.calls += 1
        self.depth += 1
        try:
            if self.calls > _MOST_CALLS or self.depth > _DEEPEST:
                return True
            return self._command(function, output)
        finally:
            self.depth -= 1

    def _set(self, options: list[str]) -> None:
        for previous, option in zip(["", *options], options, strict=False):
            if option.startswith("-") and not option.startswith("--") and "e" in option.partition("o")[0]:
                self.stops_at_errors = True
            if option == "errexit" and previous == "-o":
                self.stops_at_errors = True
            if option == "pipefail":
                self.pipes_fail = True
