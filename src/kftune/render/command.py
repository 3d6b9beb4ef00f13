"""Writes a trial's command line as one shell command from which Katib, kubelet and shell make exactly the same tokens.

Katib appends a redirection to the container's command, which works only for ``sh -c`` with one simple command. Then, in
this order, Katib replaces ``${trialParameters.…}``, the kubelet replaces ``$(NAME)`` and ``$$``, and the shell reads
the result.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from kftune.argv import NO_KINDS, Kinds
from kftune.errors import RenderError
from kftune.katib.trial import METRICS_LOG
from kftune.render.line import Piece, line_of
from kftune.spec.program import PYTHON
from kftune.study import Resources, Step

PLACEHOLDER = "${trialParameters."

# Two quotes between `$` and `{`: Katib no longer finds a placeholder, and the shell removes them.
_BROKEN = f"$$''{PLACEHOLDER[1:]}"

# The kernel's limit of an argument is 131 072 bytes (MAX_ARG_STRLEN); Katib and torchrun add a little.
LONGEST_SCRIPT = 130_000

_SHELL_LEAVES = re.compile(r"[A-Za-z0-9_@%+:,./=-]+")

# Words with a meaning of their own in dash or bash at the start of a command; `env` runs the program instead.
_SHELL_OWN = frozenset(
    """
    ! [[ . : [ alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare
    dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help
    history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set
    shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset until wait while
    """.split()  # noqa: SIM905  # one line each would be a page
)


class Texts(NamedTuple):
    """The hyperparameters of a trial, as texts, and which of them are not known yet."""

    assignment: Mapping[str, str]
    """Hyperparameter name -> text."""
    placeholders: Container[str] = ()
    """Names whose text is for the shell already: it holds a placeholder, and otherwise only safe characters."""
    marks: Container[str] = ()
    """Names whose text only a run knows, and kftune's launcher fills in."""
    wholes: Container[str] = ()
    """Names whose placeholder is the whole argument, or nothing."""
    kinds: Kinds = NO_KINDS
    """What is known about each of them."""


def script(step: Step, texts: Texts, launcher: Sequence[str]) -> str:
    """Returns the step's command line as one simple shell command.

    Args:
        step: The step.
        texts: The hyperparameters.
        launcher: Arguments of torchrun; empty to start the program directly.

    Raises:
        RenderError: The command cannot be started this way, or is too long.
    """
    front, rest = line_of(step, texts.assignment, texts.kinds, texts.marks, texts.wholes)
    start = under_torchrun(step.start, launcher) if launcher else step.start
    parts = [_written(piece, texts) for piece in front]
    parts += map(quoted, start if front else program_first(start))
    parts += [_written(piece, texts) for piece in rest]
    text = " ".join(parts)
    if len(text) > LONGEST_SCRIPT // 4 and len(text.encode()) > LONGEST_SCRIPT:
        raise RenderError(
            f"a trial's command line may have {LONGEST_SCRIPT} bytes, but has {len(text.encode())}; "
            f"put long values into a file that the step reads"
        )
    return text


def _written(piece: Piece, texts: Texts) -> str:
    return piece.text if piece.name in texts.placeholders else quoted(piece.text)


def lasting(command: str, seconds: float, *, alone: bool) -> str:
    """Returns a command that lasts at least some seconds when it succeeds.

    Braces start no other shell, so Katib's marker keeps its name; a command that fails ends at once with its exit code.

    Args:
        command: One simple shell command.
        seconds: The seconds, rounded up.
        alone: Whether the shell must have one child at a time, and waits in addition: Katib's collector stops a trial
            early only then.
    """
    if alone:
        return f"{{ {command} && sleep {math.ceil(seconds)}; }}"
    return f"{{ sleep {math.ceil(seconds)} & {command} && wait; }}"


def stoppable(command: str) -> str:
    """Returns a command that Katib's collector can stop early, although its shell does not run as root.

    The collector, which does, writes the marker `early-stopped`, and Katib's own line behind the command has to
    overwrite it. So the shell makes the file first: it belongs to the user of the training from then on. Elsewhere,
    where there is no such folder, nothing happens.

    Args:
        command: A simple command, or several in braces.

    Source: katib v0.19.0, pkg/webhook/v1beta1/pod/utils.go, pkg/metricscollector/v1beta1/common/pns.go; seen on a
        cluster: otherwise the collector waits for the marker `completed` forever.
    """
    folder = METRICS_LOG.rpartition("/")[0]
    return f"{{ {{ echo running > {folder}/$$$$.pid; }} 2> /dev/null; {command}; }}"


def quoted(token: str) -> str:
    """Quotes a token so that it reaches the program byte by byte.

    Raises:
        RenderError: It is not valid Unicode (half of a surrogate pair).
    """
    if _SHELL_LEAVES.fullmatch(token):
        return token
    checked_text(token, "an argument")
    # `'` closes the quotes, is quoted with `"`, and opens them again; the kubelet reads `$$` as `$`.
    inner = token.replace("'", "'\"'\"'").replace("$", "$$").replace(f"${PLACEHOLDER}", _BROKEN)
    return f"'{inner}'"


def checked_text(text: str, what: str) -> str:
    """Returns `text` if it can be written in a manifest.

    Args:
        text: The text.
        what: Which text it is, for the error.

    Raises:
        RenderError: It holds half of a surrogate pair.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise RenderError(f"{what} must be Unicode text, but {text!r} holds half of a surrogate pair") from error
    return text


def program_first(tokens: Sequence[str]) -> Sequence[str]:
    """Returns the tokens, with `env` before a program whose name means something else in a shell.

    Raises:
        RenderError: The program's name holds '='.
    """
    first = tokens[0]
    if first in _SHELL_OWN:
        return ["env", *tokens]
    if "=" in first:
        raise RenderError(
            f"the program's name must not hold '=', but got {first!r}; "
            f"set environment variables in step.env, not in the command"
        )
    return tokens


def torchrun_arguments(resources: Resources, trial_kind: str) -> list[str]:
    """Returns the arguments of torchrun; empty where one process trains the model and no launcher is needed.

    The operators set each pod's number and the first pod's address in variables that torchrun reads (``PET_…``).

    Args:
        resources: The nodes and processes that train the model.
        trial_kind: The kind of object that runs the trial, such as ``Job``.
    """
    nodes, processes = resources.nodes, resources.procs_per_node
    if nodes == 1 and processes == 1:
        return []
    if trial_kind == "Job":
        return ["--standalone", f"--nproc_per_node={processes}"]
    return [f"--nnodes={nodes}", f"--nproc_per_node={processes}"]


def under_torchrun(tokens: Sequence[str], launcher: Sequence[str]) -> list[str]:
    """Returns a Python command line started by torchrun.

    Args:
        tokens: The command line.
        launcher: Arguments of torchrun.

    Raises:
        RenderError: The program is not Python, or has options that torchrun cannot pass on.
    """
    program, rest = tokens[0], list(tokens[1:])
    name = program.rpartition("/")[2]
    if name == "torchrun":
        return list(tokens)
    if rest[:1] == ["-u"]:  # torchrun always starts its processes unbuffered
        rest = rest[1:]
    starts_module = len(rest) > 1 and rest[0] == "-m"
    if PYTHON.fullmatch(program) is None or not rest or (rest[0].startswith("-") and not starts_module):
        raise RenderError(
            f"torchrun starts several training processes only for 'python -m MODULE' or 'python FILE.py', but the "
            f"step's command is {' '.join(tokens)!r}; change the command, write the whole torchrun command, or set "
            f"resources.nodes and resources.procs_per_node to 1"
        )
    start = ["torchrun"] if name == program else [program, "-m", "torch.distributed.run"]
    return [*start, *launcher, *rest]
