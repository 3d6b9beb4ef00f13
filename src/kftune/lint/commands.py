"""What becomes of a container's command when Katib wraps it into a shell line.

Katib joins command and args with blanks, appends `1>/var/log/katib/metrics.log 2>&1 && echo completed > ...`, and runs
that with `sh -c`; only a command that begins with `sh -c` or `bash -c`, letter by letter, is taken for a shell's own.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go); recorded runs in dash and bash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.lint.findings import finding
from kftune.lint.pods import texts
from kftune.lint.rule import Finding

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_OWN = ("sh", "bash")
_PLACEHOLDER = re.compile(r"\$\{trial(?:Parameters|Spec)\.[^}]*\}|\$\([A-Za-z_][A-Za-z0-9_.-]*\)")
_META = re.compile(r"[\s'\"\\$`();&|<>*?~]|^#|\{[^{}]*(?:,|\.\.)[^{}]*\}")
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")
_SEQUENCE = re.compile(r";|\n|&&|\|\||(?<![|])\|(?![|])|(?<![&>])&(?![&>1])")
_COMMENT = re.compile(r"^\s*#[^\n]*(?:\n|$)", re.MULTILINE)
# Commands before the training that print nothing anybody would miss.
_QUIET = frozenset(
    [
        "cd",
        "export",
        "set",
        "ulimit",
        "trap",
        "umask",
        "mkdir",
        "source",
        ".",
        "unset",
        "[",
        "[[",
        "test",
        "true",
        ":",
        "sleep",
    ]
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*")
_HARMLESS_LAST = frozenset({"echo", "true", ":", "date", "sleep", "ls", "printf"})


def command_findings(container: Mapping[str, Any], path: Path, collector: str) -> Iterator[Finding]:
    """What the wrapping does to the primary container.

    Args:
        container: The primary container.
        path: Where it stands.
        collector: The metrics collector's kind, one that wraps: StdOut, File or TensorFlowEvent.
    """
    command, arguments = texts(container.get("command")), texts(container.get("args"))
    field = (*path, "args" if arguments else "command")
    if not command:
        yield from _image_findings(container, path)
        return
    tokens = command + arguments
    if tokens[0] in _OWN and tokens[1:2] == ["-c"]:
        yield from _script_findings(" ".join(tokens[2:]), field, collector)
    elif tokens in (["sh"], ["bash"]):
        yield finding(
            "KT255", (*path, "command"), "a shell without a script stops Katib's webhook, and no pod comes up"
        )
    elif tokens[0].rpartition("/")[2] in _SHELLS and any(re.fullmatch("-[a-z]*c", token) for token in tokens[1:4]):
        shown = " ".join(tokens[:2])
        message = f"{shown!r} is not taken for a shell: of the script only the first word is run"
        yield finding("KT250", (*path, "command"), message)
    else:
        yield from _token_findings(command, arguments, path, collector)


def _image_findings(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    image = container.get("image")
    if not isinstance(image, str) or _PLACEHOLDER.search(image) or not image:
        return
    registry, _, rest = image.partition("/")
    named = bool(rest) and ("." in registry or ":" in registry or registry == "localhost")
    if not named or not re.search(r":[\w.-]+$|@sha256:", rest):
        message = f"there is no command, and Katib cannot look up that of {image!r}: it needs registry and tag"
        yield finding("KT256", (*path, "image"), message)


def _token_findings(command: list[str], arguments: list[str], path: Path, collector: str) -> Iterator[Finding]:
    tokens = [(token, (*path, "command", index)) for index, token in enumerate(command)]
    tokens += [(token, (*path, "args", index)) for index, token in enumerate(arguments)]
    for token, place in tokens:
        bare = _PLACEHOLDER.sub("x", token)
        if token.endswith("\n"):
            yield from _newline(place, collector)
            return
        found = _META.search(bare)
        if found or not token:
            what = "an empty argument" if not token else f"{found[0] if found else ''!r} in {token[:60]!r}"
            yield finding("KT254", place, f"the shell line has no quotes: {what} does not reach the program as written")
            return


def _script_findings(script: str, path: Path, collector: str) -> Iterator[Finding]:
    text = script.strip()
    if not text:
        yield finding("KT255", path, "the script is empty: the trial succeeds without metrics")
        return
    if script.endswith("\n"):
        yield from _newline(path, collector)
        return
    last = text.rpartition("\n")[2].strip()
    bare = _QUOTED.sub("q", _PLACEHOLDER.sub("x", _COMMENT.sub("", text)))
    if re.search(r"(?<!\\)['\"]", bare) or bare.count("`") % 2:
        yield finding("KT257", path, "a quote is never closed: the shell runs nothing")
    elif last.startswith("#") or re.search(r"\s#[^\n]*$", _QUOTED.sub("q", last)):
        yield finding("KT253", path, "the last line ends in a comment, which swallows what Katib appends")
    elif re.search(r"(?:^|[;\n&|]\s*)exec\s", bare):
        yield finding("KT253", path, "exec replaces the shell, so that Katib's mark of completion is never written")
    elif re.search(r"(?:^|[;\n&]\s*)exit(?:\s+\d+)?$", bare):
        yield finding("KT253", path, "exit ends the shell before Katib's mark of completion is written")
    elif bare.endswith(";") and collector == "StdOut" and not bare.endswith(";;"):
        message = "the script ends in ';': no output is captured, and a failing training counts as completed"
        yield finding("KT252", path, message, "wrong")
    elif re.search(r"(?<!&)&$", bare):
        yield finding(
            "KT252", path, "a command in the background ends at once: its output and its exit code are lost", "wrong"
        )
    else:
        yield from _sequence_findings(bare, path, collector)


def _newline(path: Path, collector: str) -> Iterator[Finding]:
    if collector == "StdOut":
        message = "the script ends in a newline: no output is captured, and a failing training counts as completed"
        yield finding("KT251", path, message)
    else:
        message = "the script ends in a newline: after the training the shell stops at what Katib appends"
        yield finding("KT251", path, message, "fails")


def _sequence_findings(bare: str, path: Path, collector: str) -> Iterator[Finding]:
    if collector != "StdOut" or (bare.startswith("{") and bare.endswith("}")):
        return
    parts = [part.strip() for part in _SEQUENCE.split(bare) if part.strip()]
    if all(_is_quiet(part) for part in parts[:-1]):
        return
    last = parts[-1].split()[0]
    if last in _HARMLESS_LAST:
        yield finding("KT252", path, f"only the output of the last command, {last!r}, is captured", "wrong")
    else:
        yield finding("KT252", path, "only the output of the last of several commands is captured")


def _is_quiet(part: str) -> bool:
    word = part.split(maxsplit=1)[0]
    return word in _QUIET or _ASSIGNMENT.fullmatch(part) is not None
