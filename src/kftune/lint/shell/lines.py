"""Findings about the shell line that Katib builds from a command.

Katib joins command and args with blanks, appends `1>/var/log/katib/metrics.log 2>&1 && echo completed > ...`, and runs
the result with `sh -c`. Only a command that starts with exactly `sh -c` or `bash -c` is taken as a shell with a script.
The line is parsed and followed with and without the appended part, and the two results are compared.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go); recorded runs in dash and bash.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_list, as_map, texts
from kftune.katib.trial.quoting import is_line, is_script, meant_words
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding, Severity
from kftune.lint.shell.trace import LOG, MARK, Trace, follow
from kftune.lint.shell.values import expanded, kept_backslashes
from kftune.shell import HARMLESS, AndOr, CommandList, Pipe, ShellSyntaxError, ShellToken, Simple, parse

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_LONGEST_SCRIPT = 30_000  # a longer script is a program; parsing it would take longer than the rest of lint
# Commands that bash has and dash does not, although dash parses the line.
_BASH_COMMANDS = frozenset("[[ coproc declare let mapfile popd pushd readarray shopt source typeset".split())  # noqa: SIM905
_BASH_EXPANSION = re.compile(r"(?:^|[\s;&|])\(\(|\$\{\w+(?:\[|/|\^|,|:(?![-=?+]))|\$\{!|<\(|>\(|&>")
_INTERPRETER = re.compile(r"python[\d.]*|bash|sh|Rscript|node|julia|java|torchrun|accelerate|uv|poetry|conda")
# Why Katib's completion mark is not written, by what ended the line.
_UNMARKED = {
    "exec": "exec replaces the shell, so Katib's completion mark is never written",
    "exit": "exit ends the shell before Katib's completion mark is written",
    "set -e": "set -e stops the shell before the training",
    "": "the end of the script hides what Katib appends, as a comment does: no completion mark is written",
}


class _Context(NamedTuple):
    path: Path
    """The field that findings point to."""
    captures: bool
    """Whether Katib redirects the output, as it does for the collector StdOut."""
    bash: bool = False
    """Whether the shell is bash, not the image's sh."""
    stops: bool = False
    """Whether the Experiment has early stopping."""

    def finding(self, code: str, message: str, severity: Severity | None = None) -> Finding:
        return finding(code, self.path, message, severity)


def command_findings(
    container: Mapping[str, Any], path: Path, collector: str, *, early_stopping: bool = False
) -> Iterator[Finding]:
    """Yields what goes wrong when the primary container's command is wrapped.

    Args:
        container: The primary container.
        path: Its path in the Experiment.
        collector: The metrics collector's kind, one that wraps: StdOut, File or TensorFlowEvent.
        early_stopping: Whether trials may be stopped early.
    """
    command, arguments = texts(container.get("command")), texts(container.get("args"))
    for word in kept_backslashes([*command, *arguments]):
        message = f"quotes keep the backslash, and {word} is passed; remove it"
        yield finding("KT254", (*path, "args" if arguments else "command"), message)
    if not command:
        yield from _argument_findings(arguments, path)
        return
    known = {str(as_map(variable).get("name")) for variable in as_list(container.get("env"))}
    tokens = [expanded(token, known) for token in command + arguments]
    captures = collector == "StdOut"
    if is_script(tokens):
        field = (*path, "args" if arguments else "command")
        yield from _script_findings(tokens[2:], _Context(field, captures, tokens[0] == "bash", early_stopping))
    elif is_line(tokens):
        context = _Context((*path, "command"), captures, stops=early_stopping)
        yield from _script_findings([" ".join(tokens)], context)
    elif tokens in (["sh"], ["bash"]):
        yield finding("KT255", (*path, "command"), "Katib's webhook fails at a shell without a script")
    else:
        places: list[Path] = [(*path, "command", index) for index in range(len(command))]
        places += [(*path, "args", index) for index in range(len(arguments))]
        yield from _token_findings(tokens, places, captures=captures)


def _line(words: list[str], *, captures: bool) -> str:
    """Returns the line that Katib makes, with short names for its files."""
    redirection = [f"1>{LOG}", "2>&1"] if captures else []
    return " ".join([*words, *redirection, "&&", "echo", "completed", ">", MARK])


def _argument_findings(arguments: list[str], path: Path) -> Iterator[Finding]:
    """Yields what happens to arguments of the image's entrypoint, which are part of the shell line too."""
    changed = _first_changed([expanded(token, set()) for token in arguments])
    if changed is not None:
        what = repr(arguments[changed][:60])
        message = f"the shell line has no quotes: {what} does not reach the image's entrypoint as written"
        yield finding("KT254", (*path, "args", changed), message)


def _token_findings(tokens: list[str], places: list[Path], *, captures: bool) -> Iterator[Finding]:
    if sum(map(len, tokens)) > _LONGEST_SCRIPT:
        return
    changed = _first_changed(tokens)
    if changed == len(tokens) - 1 and tokens[-1].endswith("\n"):
        yield _newline(places[-1], captures=captures)
    elif changed is not None:
        yield _changed_finding(tokens, changed, places, captures=captures)
    elif tokens[0] == "exec":
        yield finding("KT253", places[0], _UNMARKED["exec"])
    else:
        yield from _unchanged_findings(tokens, places, captures=captures)


def _changed_finding(tokens: list[str], changed: int, places: list[Path], *, captures: bool) -> Finding:
    """Describes a token that the shell changes."""
    nested = _nested_script(tokens)
    if tokens[0] == "exec" and nested is None:
        return finding("KT253", places[0], _UNMARKED["exec"])
    try:
        parse(_line(tokens, captures=captures), bash=False)
    except ShellSyntaxError as error:
        message = f"the shell line has no quotes, and the shell runs nothing: {error}"
        return finding("KT250" if nested else "KT254", places[changed], message, "fails")
    if nested is not None:
        shown = " ".join(tokens[:nested])
        return _nested_finding(shown, tokens[nested], places[0])
    what = repr(tokens[changed][:60]) if tokens[changed] else "an empty argument"
    message = f"the shell line has no quotes: {what} does not reach the program as written"
    return finding("KT254", places[changed], message)


def _nested_finding(shown: str, script: str, place: Path) -> Finding:
    """Describes a script for a shell that Katib does not recognise: Katib's shell splits it, and runs the rest itself.

    Args:
        shown: The shell, as written.
        script: Its script, which Katib's shell can read.
        place: The shell's place.
    """
    commands = list(parse(script, bash=False).simple_commands())
    first = commands[0].name if commands else ""
    message = f"Katib does not recognise {shown!r} as a shell: of the script's first command only {first!r} is run"
    if len(commands) == 1 and _INTERPRETER.fullmatch(first.rpartition("/")[2]):
        return finding("KT250", place, f"{message}, which does nothing without its arguments")
    return finding("KT250", place, message, "wrong")


def _unchanged_findings(tokens: list[str], places: list[Path], *, captures: bool) -> Iterator[Finding]:
    """Yields what goes wrong with tokens that stay whole words but may still be special to the shell."""
    try:
        first = next(parse(_line(tokens, captures=captures), bash=False).simple_commands(), None)
    except ShellSyntaxError as error:
        message = f"the shell line has no quotes, and the shell runs nothing: {error}"
        yield finding("KT254", places[0], message, "fails")
        return
    wanted = [(word, index) for index, words in enumerate(meant_words(tokens)) for word in words]
    if first is None or [word.text for word in first.words] != [word for word, _ in wanted]:
        if tokens[0] != "time":
            yield finding("KT254", places[0], f"{tokens[0]!r} is a word of the shell, not the name of a program")
        return
    special = (word for word in zip(wanted, first.words, strict=True) if set(word[1].expansions) & set("?["))
    for (_, maybe), _ in itertools.islice(special, 1):
        message = f"the shell replaces {tokens[maybe]!r} by the names of files that match it"
        yield finding("KT254", places[maybe], message, "advice")


def _first_changed(tokens: list[str]) -> int | None:
    """Returns the index of the first token that the shell does not pass to the program as it was meant."""
    wanted = _meant(tokens)
    return next((index for index, token in enumerate(tokens) if not _is_kept(token, wanted[index])), None)


def _meant(tokens: list[str]) -> list[tuple[str, ...]]:
    return [(token,) for token in tokens] if _nested_script(tokens) is not None else meant_words(tokens)


def _is_kept(token: str, meant: tuple[str, ...]) -> bool:
    """Returns whether the shell makes the meant words of a token."""
    if HARMLESS.fullmatch(token):
        return True
    try:
        script = parse(f"x {token} y", bash=True)
    except ShellSyntaxError:
        return False
    words = next((command.words for command in script.simple_commands()), ())
    if [word.text for word in words] != ["x", *meant, "y"] or any(map(_is_changed, words)):
        return False
    return script == CommandList((AndOr(Pipe((Simple(words),))),))


def _is_changed(word: ShellToken) -> bool:
    """Returns whether an expansion changes a word. `*` in an option matches no file; `?` and `[` hardly ever do."""
    found = set(word.expansions) - set("?[")
    if word.raw.startswith("-"):
        found.discard("*")
    if not word.raw.startswith("~"):
        found.discard("~")  # only bash expands `x=~`, and not when it runs as sh
    return bool(found)


def _nested_script(tokens: list[str]) -> int | None:
    """Returns the index of a script for a shell that Katib does not recognise, as in `/bin/sh -c` or `env bash -lc`."""
    names = [token.strip().rpartition("/")[2].lower() for token in tokens[:3]]
    start = next((index for index, name in enumerate(names) if name in _SHELLS), None)
    if start is None or any(name not in ("env", "exec") for name in names[:start]):
        return None
    for index in range(start + 1, min(len(tokens) - 1, start + 6)):
        if re.fullmatch("-[a-z]*c[a-z]*", tokens[index]):
            return index + 1
    return None


class _Traces(NamedTuple):
    """A script followed twice."""

    good: Trace
    """With programs that succeed."""
    bad: Trace
    """With programs that fail."""


def _traces(script: CommandList) -> _Traces:
    return _Traces(*(follow(script, programs_succeed=succeed) for succeed in (True, False)))


def _script_findings(words: list[str], context: _Context) -> Iterator[Finding]:
    script = " ".join(words)
    if not script.strip():
        yield context.finding("KT255", "the script is empty: no trial has metrics", "fails")
        return
    if len(words) > 1:
        rest = " ".join(words[1:])[:60]
        yield context.finding("KT254", f"Katib appends {rest!r} to the script, which no longer gets it as arguments")
    if len(script) > _LONGEST_SCRIPT:
        return
    try:
        alone = parse(script, bash=context.bash)
    except ShellSyntaxError:
        alone = None
    try:
        line = parse(_line([script], captures=context.captures), bash=context.bash)
    except ShellSyntaxError as error:
        yield _syntax_finding(script, error, context, alone=alone is not None)
    else:
        yield from _compared(script, alone, line, context)


def _syntax_finding(script: str, error: ShellSyntaxError, context: _Context, *, alone: bool) -> Finding:
    """Describes a line that the shell rejects; `alone` is whether it accepts the script without the appended part."""
    if alone and script.rstrip("\r").endswith("\n"):
        return _newline(context.path, captures=context.captures)
    if alone:
        message = "after the training the shell fails at what Katib appends: the script must not end in ';' or '&'"
        return context.finding("KT252", message, "fails")
    if error.bash_only:
        return _bash_finding(str(error), context)
    return context.finding("KT257", f"the shell runs nothing of the script: {error}")


def _bash_finding(what: str, context: _Context) -> Finding:
    return context.finding("KT258", f"in many images sh is dash, not bash, and dash does not run this: {what}")


def _compared(script: str, alone: CommandList | None, line: CommandList, context: _Context) -> Iterator[Finding]:
    wrapped = _traces(line)
    bare = _traces(alone) if alone is not None else None
    good = wrapped.good
    misread = None if context.bash else _misread_by_dash(script, line, good)
    if misread is not None:
        yield _bash_finding(f"{misread} is part of bash only", context)
    elif bare is not None and script.endswith("\n") and (not good.marked or wrapped.bad.marked):
        yield _newline(context.path, captures=context.captures)
    elif bare is not None and not bare.good.succeeded and bare.bad.succeeded:
        yield context.finding("KT252", "the exit code is inverted: a training that succeeds counts as failed", "wrong")
    elif not good.marked and (bare is None or bare.good.succeeded or not bare.good.ran):
        yield context.finding("KT253", _UNMARKED[good.ended_by])
    elif bare is not None and _words(bare.good) != _words(good):
        yield context.finding("KT254", "Katib's text is joined with the script's last word, which changes the word")
    else:
        yield from _output_findings(wrapped, bare, context, speaks=_speaks(line))


def _misread_by_dash(script: str, line: CommandList, good: Trace) -> str | None:
    """Returns what dash parses but does not have; None if there is nothing, or it makes no difference."""
    found = _BASH_EXPANSION.search(re.sub(r"'[^']*'", "", script))
    if found is not None:
        return repr(found[0])
    for command in line.simple_commands():
        if command.name in _BASH_COMMANDS and not _is_same_without(line, good):
            return repr(command.name)
        if command.name == "set" and "pipefail" in [word.text for word in command.words]:
            return "'set -o pipefail'"
    return None


def _is_same_without(line: CommandList, good: Trace) -> bool:
    dash = follow(line, programs_succeed=True, missing=_BASH_COMMANDS)
    return dash.marked == good.marked and _words(dash) == _words(good)


def _words(trace: Trace) -> list[list[str]]:
    return [[word.text for word in ran.words] for ran in trace.ran]


def _newline(path: Path, *, captures: bool) -> Finding:
    if captures:
        message = "the script ends in a newline: no output is captured, so no trial has metrics"
        return finding("KT251", path, message)
    message = "the script ends in a newline: after the training the shell fails at what Katib appends"
    return finding("KT251", path, message, "fails")


def _speaks(line: CommandList) -> bool:
    """Returns whether an echo or printf that is captured may print a metric, as in `echo loss=$(cat m.txt)`."""
    return any(
        "$(" in word.raw or "`" in word.raw or ("=" in word.text and "$" in word.expansions)
        for command in line.simple_commands()
        if command.name in ("echo", "printf") and any(each.target == LOG for each in command.redirects)
        for word in command.words[1:]
    )


def _output_findings(wrapped: _Traces, bare: _Traces | None, context: _Context, *, speaks: bool) -> Iterator[Finding]:
    good = wrapped.good
    captured = [ran for ran in good.ran if ran.captured]
    seen = [ran for ran in (bare or wrapped).good.ran if ran.visible]
    masked = wrapped.bad.marked and bare is not None and bool(bare.bad.ran)
    if context.captures and seen and not captured and not speaks:
        message = "no output of the training is captured, so no trial has metrics"
        yield context.finding("KT252", message, "fails")
    elif masked and bare is not None and not bare.bad.succeeded:
        message = "what follows the training decides: a failing training counts as completed"
        yield context.finding("KT252", message, "wrong")
    elif good.ran and all(ran.left for ran in good.ran):
        message = "a command in the background: Katib's completion mark is written before the training ends"
        yield context.finding("KT252", message, "wrong")
    elif context.captures and len(captured) < len(seen):
        yield context.finding("KT252", "only the output of the last of several commands is captured")
    elif masked:
        yield context.finding("KT252", "a failing training counts as completed", "advice")
    elif context.stops and good.ran and good.ran[-1].words[0].text.rpartition("/")[2] in _SHELLS:
        message = "a shell inside the shell: Katib's early stopping does not find the training's process"
        yield context.finding("KT252", message, "wrong")
