"""A trial's command line as Katib, a kubelet and a shell pass it on: one text that stands for exactly our tokens.

Katib puts its own redirection behind the container's command, and does so rightly only for ``sh -c`` with one simple
command. On the way to the program the text meets, in this order: Katib's replacing of ``${trialParameters.…}``, the
kubelet's replacing of ``$(NAME)`` and ``$$``, and the shell.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from kftune.errors import RenderError
from kftune.study import Resources, Step

PLACEHOLDER = "${trialParameters."

# Two quotes between `$` and `{` within quotes: Katib no longer sees a placeholder, and the shell sees nothing.
_BROKEN = f"$$''{PLACEHOLDER[1:]}"

# The kernel takes no longer argument (MAX_ARG_STRLEN, 131 072 bytes); Katib and torchrun add a little to ours.
LONGEST_SCRIPT = 130_000

_SHELL_LEAVES = re.compile(r"[A-Za-z0-9_@%+:,./=-]+")
_PYTHON = re.compile(r"python[0-9.]*")

# Words that dash or bash take for themselves where a program's name stands; `env` finds the program instead.
_SHELL_OWN = frozenset(
    """
    ! [[ . : [ alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare
    dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help
    history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set
    shift shopt source suspend test then time times trap true type typeset ulimit umask unalias unset until wait while
    """.split()  # noqa: SIM905  # one line each would be a page
)


def script(step: Step, assignment: Mapping[str, str], placeholders: Container[str], launcher: Sequence[str]) -> str:
    """The step's command line as one simple shell command.

    Args:
        step: What is run.
        assignment: Hyperparameter name -> text.
        placeholders: Names whose text holds a placeholder and is otherwise of safe characters only.
        launcher: Arguments of torchrun; empty where the program is started as it is.

    Raises:
        RenderError: The command cannot be started this way, or is too long.
    """
    tokens = step.command_line(assignment)
    first = len(tokens) - len(assignment)
    start = tokens[:first]
    parts = [quoted(token) for token in program_first(under_torchrun(start, launcher) if launcher else start)]
    for index, name in enumerate(assignment, first):
        parts.append(tokens[index] if name in placeholders else quoted(tokens[index]))
    text = " ".join(parts)
    if len(text) > LONGEST_SCRIPT // 4 and len(text.encode()) > LONGEST_SCRIPT:
        raise RenderError(
            f"a trial's command line may have {LONGEST_SCRIPT} bytes, but has {len(text.encode())}; "
            f"put long values into a file that the step reads"
        )
    return text


def quoted(token: str) -> str:
    """`token` so that it reaches the program byte by byte.

    Raises:
        RenderError: It is no text that could be written down (half of a surrogate pair).
    """
    if _SHELL_LEAVES.fullmatch(token):
        return token
    checked_text(token, "an argument")
    # `'` leaves the quotes, is quoted the other way, and goes back in; the kubelet reads `$$` as `$`.
    inner = token.replace("'", "'\"'\"'").replace("$", "$$").replace(f"${PLACEHOLDER}", _BROKEN)
    return f"'{inner}'"


def checked_text(text: str, what: str) -> str:
    """`text`, if it can be written in a manifest.

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
    """The tokens, with `env` before a program that a shell would take for a word of its own."""
    first = tokens[0]
    if first in _SHELL_OWN:
        return ["env", *tokens]
    if "=" in first:
        raise RenderError(
            f"the program's name must be without '=', but got {first!r}; "
            f"set environment variables under step.env instead of in the command"
        )
    return tokens


def torchrun_arguments(resources: Resources, trial_kind: str) -> list[str]:
    """What torchrun is told; nothing where one process trains the model and no launcher is needed.

    The operators tell each pod its number and the first pod's address in variables that torchrun reads (``PET_…``).
    """
    nodes, processes = resources.nodes, resources.procs_per_node
    if nodes == 1 and processes == 1:
        return []
    if trial_kind == "Job":
        return ["--standalone", f"--nproc_per_node={processes}"]
    return [f"--nnodes={nodes}", f"--nproc_per_node={processes}"]


def under_torchrun(tokens: Sequence[str], launcher: Sequence[str]) -> list[str]:
    """A Python command line as torchrun starts it.

    Raises:
        RenderError: It is another program, or Python with options that torchrun cannot hand on.
    """
    program, rest = tokens[0], list(tokens[1:])
    name = program.rpartition("/")[2]
    if name == "torchrun":
        return list(tokens)
    if rest[:1] == ["-u"]:  # torchrun starts its processes unbuffered by itself
        rest = rest[1:]
    starts_module = len(rest) > 1 and rest[0] == "-m"
    if _PYTHON.fullmatch(name) is None or not rest or (rest[0].startswith("-") and not starts_module):
        raise RenderError(
            f"more than one training process is started by torchrun, which takes 'python -m MODULE' or "
            f"'python FILE.py', but the step's command is {' '.join(tokens)!r}; write it so, write the whole torchrun "
            f"command yourself, or set resources.nodes and resources.procs_per_node to 1"
        )
    start = ["torchrun"] if name == program else [program, "-m", "torch.distributed.run"]
    return [*start, *launcher, *rest]
