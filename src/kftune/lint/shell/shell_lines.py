"""What the shell does with the line that Katib makes of a command.

Katib joins command and args with blanks, appends `1>/var/log/katib/metrics.log 2>&1 && echo completed > ...`, and runs
that with `sh -c`; only a command that begins with `sh -c` or `bash -c`, letter by letter, is taken for a shell's own.
The line with and without what is appended is read and followed as a shell does it, and the two are compared.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go); recorded runs in dash and bash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.go.types import Path
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.shell.commands import HARMLESS, OWN_SHELLS
from kftune.lint.shell.shell import Script, Simple, parse, simple_commands
from kftune.lint.shell.shell_trace import Trace, follow
from kftune.lint.shell.shell_words import ShellSyntaxError, Word
from kftune.lint.trial.pods import as_list, as_map, texts

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_PLACEHOLDER = re.compile(r"\$\{trial(?:Parameters|Spec)\.[^}]*\}")
# Kubernetes puts in variables that it knows, and writes `$$` as `$`.
_VARIABLE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_LOUD_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_LONGEST_SCRIPT = 30_000  # beyond this a script is a program; reading it would take longer than all the rest
_LOG = "/var/log/katib/metrics.log"
_MARK = "/var/log/katib/mark.pid"
# What bash has and dash does not, though dash reads the line.
_BASH_COMMANDS = frozenset(
    [
        "[[",
        "coproc",
        "declare",
        "let",
        "mapfile",
        "popd",
        "pushd",
        "readarray",
        "shopt",
        "source",
        "typeset",
    ]
)
_BASH_EXPANSION = re.compile(r"(?:^|[\s;&|])\(\(|\$\{\w+(?:\[|/|\^|,|:(?![-=?+]))|\$\{!|<\(|>\(|&>")


class _Context(NamedTuple):
    path: Path
    """The field that a finding points to."""
    captures: bool
    """Whether the collector is StdOut, for which Katib redirects the output."""
    bash: bool
    """Whether the shell is bash, and not what the image calls sh."""
    stops: bool
    """Whether the Experiment has early stopping."""


def line_findings(
    container: Mapping[str, Any], path: Path, collector: str, *, early_stopping: bool = False
) -> Iterator[Finding]:
    """What the wrapping does to the primary container.

    Args:
        container: The primary container.
        path: Where it stands.
        collector: The metrics collector's kind, one that wraps: StdOut, File or TensorFlowEvent.
        early_stopping: Whether trials may be stopped early.
    """
    command, arguments = texts(container.get("command")), texts(container.get("args"))
    field = (*path, "args" if arguments else "command")
    if not command:
        yield from _image_findings(container, path)
        yield from _argument_findings(arguments, path)
        return
    known = {str(as_map(variable).get("name")) for variable in as_list(container.get("env"))}
    tokens = [_expanded(token, known) for token in command + arguments]
    places: list[Path] = [(*path, "command", index) for index in range(len(command))]
    places += [(*path, "args", index) for index in range(len(arguments))]
    if tokens[0] in OWN_SHELLS and tokens[1:2] == ["-c"]:
        context = _Context(field, collector == "StdOut", tokens[0] == "bash", early_stopping)
        yield from _script_findings(tokens[2:], context)
    elif tokens in (["sh"], ["bash"]):
        yield finding(
            "KT255", (*path, "command"), "a shell without a script stops Katib's webhook, and no pod comes up"
        )
    else:
        yield from _token_findings(tokens, places, _Context((*path, "command"), collector == "StdOut", False, False))


def _expanded(token: str, known: set[str]) -> str:
    """The token as the shell gets it: Kubernetes' own variables are put in, and stand here as an x."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return "x" if match[1] in known or _LOUD_VARIABLE.fullmatch(match[1]) else match[0]

    if "$" not in token:
        return token
    return _VARIABLE.sub(replaced, _PLACEHOLDER.sub("x", token))


def _line(words: list[str], context: _Context) -> str:
    """The line that Katib makes, with short names for its files."""
    redirection = [f"1>{_LOG}", "2>&1"] if context.captures else []
    return " ".join([*words, *redirection, "&&", "echo", "completed", ">", _MARK])


def _image_findings(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    image = container.get("image")
    if not isinstance(image, str) or _PLACEHOLDER.search(image) or not image:
        return
    registry, _, rest = image.partition("/")
    named = bool(rest) and ("." in registry or ":" in registry or registry == "localhost")
    if not named or not re.search(r":[\w.-]+$|@sha256:", rest):
        message = f"there is no command, and Katib cannot look up that of {image!r}: it needs registry and tag"
        yield finding("KT256", (*path, "image"), message)


def _argument_findings(arguments: list[str], path: Path) -> Iterator[Finding]:
    """Arguments of the image's own entrypoint, which Katib puts into the shell line too."""
    for index, token in enumerate(arguments):
        if not _is_kept(_expanded(token, set())):
            message = f"the shell line has no quotes: {token[:60]!r} does not reach the image's entrypoint as written"
            yield finding("KT254", (*path, "args", index), message)
            return


# ------------------------------------------------------------------------------------- a program and its arguments


def _token_findings(tokens: list[str], places: list[Path], context: _Context) -> Iterator[Finding]:
    if sum(map(len, tokens)) > _LONGEST_SCRIPT:
        return
    changed = next((index for index, token in enumerate(tokens) if not _is_kept(token)), None)
    if changed == len(tokens) - 1 and tokens[-1].endswith("\n"):
        yield from _newline(places[-1], context)
    elif changed is not None:
        yield _changed_finding(tokens, changed, places, context)
    elif tokens[0] == "exec":
        message = "exec replaces the shell, so that Katib's mark of completion is never written"
        yield finding("KT253", places[0], message)
    else:
        yield from _unchanged_findings(tokens, places, context)


def _changed_finding(tokens: list[str], changed: int, places: list[Path], context: _Context) -> Finding:
    """A token that the shell does not hand on as it is."""
    nested = _nested_script(tokens)
    if tokens[0] == "exec" and nested is None:
        message = "exec replaces the shell, so that Katib's mark of completion is never written"
        return finding("KT253", places[0], message)
    try:
        parse(_line(tokens, context), bash=False)
    except ShellSyntaxError as error:
        code = "KT250" if nested else "KT254"
        message = f"the shell line has no quotes, and the shell runs nothing: {error}"
        return finding(code, places[changed], message, "fails")
    if nested is not None:
        shown = " ".join(tokens[:nested])
        message = f"{shown!r} is not taken for a shell: of the script only the first word is run"
        return finding("KT250", places[0], message)
    what = repr(tokens[changed][:60]) if tokens[changed] else "an empty argument"
    message = f"the shell line has no quotes: {what} does not reach the program as written"
    return finding("KT254", places[changed], message)


def _unchanged_findings(tokens: list[str], places: list[Path], context: _Context) -> Iterator[Finding]:
    """Tokens that are whole words, which may still mean something to the shell."""
    try:
        first = next(simple_commands(parse(_line(tokens, context), bash=False)), None)
    except ShellSyntaxError as error:
        message = f"the shell line has no quotes, and the shell runs nothing: {error}"
        yield finding("KT254", places[0], message, "fails")
        return
    if first is None or [word.text for word in first.words] != tokens:
        if tokens[0] != "time":
            yield finding("KT254", places[0], f"{tokens[0]!r} is a word of the shell, and no program runs by that name")
        return
    maybe = next((index for index, word in enumerate(first.words) if set(word.expansions) & set("?[")), None)
    if maybe is not None:
        message = f"the shell replaces {tokens[maybe]!r} by names of files, should it find any"
        yield finding("KT254", places[maybe], message, "advice")


def _is_kept(token: str) -> bool:
    """Whether the shell hands a bare token to the program as it is."""
    if HARMLESS.fullmatch(token):
        return True
    try:
        line = parse(f"x {token} y", bash=True)
    except ShellSyntaxError:
        return False
    if len(line.items) != 1 or line.items[0].rest or line.items[0].background:
        return False
    command = line.items[0].first.commands[0]
    if not isinstance(command, Simple) or command.redirects or len(line.items[0].first.commands) != 1:
        return False
    if [word.text for word in command.words] != ["x", token, "y"]:
        return False
    word = command.words[1]
    return not _is_changed(word)


def _is_changed(word: Word) -> bool:
    """Whether an expansion makes another text of it. A star in an option finds no file; `?` and `[` hardly ever do."""
    found = set(word.expansions) - set("?[")
    if word.raw.startswith("-"):
        found.discard("*")
    if not word.raw.startswith("~"):
        found.discard("~")  # `x=~` is bash's, and not when it is called sh
    return bool(found)


def _nested_script(tokens: list[str]) -> int | None:
    """Where the script of a shell stands that Katib does not recognise: behind `/bin/sh -c`, `env bash -lc`, ..."""
    names = [token.strip().rpartition("/")[2].lower() for token in tokens[:3]]
    start = next((index for index, name in enumerate(names) if name in _SHELLS), None)
    if start is None or any(name not in ("env", "exec") for name in names[:start]):
        return None
    for index in range(start + 1, min(len(tokens) - 1, start + 6)):
        if re.fullmatch("-[a-z]*c[a-z]*", tokens[index]):
            return index + 1
    return None


def is_torn(words: list[str], placeholder: str, value: str) -> bool:
    """Whether a value, put into command and args as it is, is not one whole argument any more.

    Args:
        words: The container's command and args.
        placeholder: What the value is put in for.
        value: One of its values.
    """
    line = " ".join(words[2:] if words[0] in OWN_SHELLS and words[1:2] == ["-c"] else words)
    try:
        wanted = _all_words(line.replace(placeholder, _STAND_IN))
    except ShellSyntaxError:
        return False  # told elsewhere
    try:
        got = _all_words(line.replace(placeholder, value))
    except ShellSyntaxError:
        return True
    return got != [word.replace(_STAND_IN, value) for word in wanted]


_STAND_IN = "kftune-stands-here"


def _all_words(line: str) -> list[str]:
    script = parse(_expanded(line, set()), bash=True)
    words = [word for command in simple_commands(script) for word in command.words]
    return [word.text if not set(word.expansions) - set("?[") else f"{word.text}\0{word.expansions}" for word in words]


# ----------------------------------------------------------------------------------------------- a script for sh -c


def _script_findings(words: list[str], context: _Context) -> Iterator[Finding]:
    script = " ".join(words)
    if not script.strip():
        yield finding("KT255", context.path, "the script is empty: the trial succeeds without metrics")
        return
    if len(words) > 1:
        message = f"Katib appends {' '.join(words[1:])[:60]!r} to the script; they are no arguments of it any more"
        yield finding("KT254", context.path, message)
    if len(script) > _LONGEST_SCRIPT:
        return
    alone = _parsed(script, context)
    try:
        line = parse(_line([script], context), bash=context.bash)
    except ShellSyntaxError as error:
        yield from _syntax_findings(script, alone, error, context)
        return
    yield from _compared(script, alone, line, context)


def _parsed(script: str, context: _Context) -> Script | None:
    try:
        return parse(script, bash=context.bash)
    except ShellSyntaxError:
        return None


def _syntax_findings(
    script: str, alone: Script | None, error: ShellSyntaxError, context: _Context
) -> Iterator[Finding]:
    if alone is not None and script.rstrip("\r").endswith("\n"):
        yield from _newline(context.path, context)
    elif alone is not None:
        message = "after the training the shell stops at what Katib appends: the script must not end in ';' or '&'"
        yield finding("KT252", context.path, message, "fails")
    elif error.bash_only:
        yield _bash_finding(str(error), context)
    else:
        yield finding("KT257", context.path, f"the shell runs nothing of the script: {error}")


def _bash_finding(what: str, context: _Context) -> Finding:
    return finding("KT258", context.path, f"sh is no bash in many images, and dash runs no training here: {what}")


def _compared(script: str, alone: Script | None, line: Script, context: _Context) -> Iterator[Finding]:
    good = follow(line, programs_succeed=True, log=_LOG, mark=_MARK)
    bad = follow(line, programs_succeed=False, log=_LOG, mark=_MARK)
    bare = follow(alone, programs_succeed=True, log=_LOG, mark=_MARK) if alone is not None else None
    bare_bad = follow(alone, programs_succeed=False, log=_LOG, mark=_MARK) if alone is not None else None
    misread = _misread_by_dash(script, line, good) if not context.bash else None
    if misread is not None:
        yield _bash_finding(misread, context)
    elif script.endswith("\n") and (not good.marked or bad.marked) and alone is not None:
        yield from _newline(context.path, context)
    elif bare is not None and not bare.succeeded and bare_bad is not None and bare_bad.succeeded:
        message = "the exit code is turned round: a training that succeeds counts as failed"
        yield finding("KT252", context.path, message, "wrong")
    elif not good.marked and (bare is None or bare.succeeded or not bare.ran):
        yield _unmarked(good, context)
    elif bare is not None and _words(bare) != _words(good):
        message = "the script's last word is joined with what Katib appends, and reaches the program changed"
        yield finding("KT254", context.path, message)
    else:
        yield from _output_findings(good, bad, bare, bare_bad, context)


def _misread_by_dash(script: str, line: Script, good: Trace) -> str | None:
    """What only bash understands, though dash reads it without an error; None also where it makes no difference."""
    found = _BASH_EXPANSION.search(re.sub(r"'[^']*'", "", script))
    if found is not None:
        return f"{found[0]!r} is bash's"
    for command in simple_commands(line):
        words = [word.text for word in command.words]
        if command.name in _BASH_COMMANDS and not _is_same_without(line, good):
            return f"{command.name!r} is bash's"
        if command.name == "set" and "pipefail" in words:
            return "'set -o pipefail' is bash's"
    return None


def _is_same_without(line: Script, good: Trace) -> bool:
    dash = follow(line, programs_succeed=True, log=_LOG, mark=_MARK, missing=_BASH_COMMANDS)
    return dash.marked == good.marked and _words(dash) == _words(good)


def _words(trace: Trace) -> list[list[str]]:
    return [[word.text for word in ran.words] for ran in trace.ran]


def _unmarked(trace: Trace, context: _Context) -> Finding:
    causes = {
        "exec": "exec replaces the shell, so that Katib's mark of completion is never written",
        "exit": "exit ends the shell before Katib's mark of completion is written",
        "set -e": "set -e stops the shell before the training",
        "": "the end of the script swallows what Katib appends, as a comment does: no mark of completion is written",
    }
    return finding("KT253", context.path, causes[trace.ended_by])


def _newline(path: Path, context: _Context) -> Iterator[Finding]:
    if context.captures:
        message = "the script ends in a newline: no output is captured, and a failing training counts as completed"
        yield finding("KT251", path, message)
    else:
        message = "the script ends in a newline: after the training the shell stops at what Katib appends"
        yield finding("KT251", path, message, "fails")


def _output_findings(
    good: Trace, bad: Trace, bare: Trace | None, bare_bad: Trace | None, context: _Context
) -> Iterator[Finding]:
    masked = bad.marked and bare_bad is not None and bool(bare_bad.ran)
    if masked and bare_bad is not None and not bare_bad.succeeded:
        message = "what follows the training decides: a failing training counts as completed"
        if context.captures and not any(ran.captured for ran in good.ran):
            message = "no output of the training is captured, and a failing training counts as completed"
        yield finding("KT252", context.path, message, "wrong")
        return
    seen = [ran for ran in (bare or good).ran if ran.visible]
    captured = [ran for ran in good.ran if ran.captured]
    if good.ran and all(ran.left for ran in good.ran):
        message = "a command in the background: Katib's mark is written before the training is over"
        yield finding("KT252", context.path, message, "wrong")
    elif context.captures and seen and not captured:
        yield finding("KT252", context.path, "no output of the training is captured", "wrong")
    elif context.captures and len(captured) < len(seen):
        yield finding("KT252", context.path, "only the output of the last of several commands is captured")
    elif masked:
        yield finding("KT252", context.path, "a failing training counts as completed", "advice")
    elif context.stops and good.ran and good.ran[-1].words[0].text.rpartition("/")[2] in _SHELLS:
        message = "a shell inside of the shell: Katib's early stopping does not find the training's process"
        yield finding("KT252", context.path, message, "wrong")
