"""Explains the exit code of the command that ran a container, and makes what programs print readable."""

from __future__ import annotations

import re
import signal
from typing import Literal, NamedTuple

from kftune.containers.container import ContainerRun

Kind = Literal["done", "failed", "engine", "not executable", "not found", "killed", "stopped"]

_GIB = 2**30
# Sequences that a terminal obeys; control characters but for tabs and line ends; changes of the writing direction.
_NOT_SHOWN = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


class ContainerEnding(NamedTuple):
    """How a container ended.

    Attributes:
        kind: ``engine`` means that nothing of the container ran.
        text: An explanation for people.
    """

    kind: Kind
    text: str


def how_it_ended(code: int, container: ContainerRun) -> ContainerEnding:
    """Explains the exit code of the command from `ContainerEngine.run_argv`.

    The engines report their own errors through codes that a program may use too; the text mentions that.

    Args:
        code: The exit code; -N when the engine's client itself died of signal N.
        container: What was run.

    Source: docker-run(1) and podman-run(1), "Exit status": 125, 126, 127; other codes are the program's.
    """
    program = container.command[0] if container.command else "the image's entrypoint"
    known: dict[int, tuple[Kind, str]] = {
        0: ("done", "done"),
        125: ("engine", "the container engine could not run it (exit code 125); the end of the log says why"),
        126: ("not executable", f"{program} cannot be executed (exit code 126); the end of the log says why"),
        127: ("not found", f"{program} is not in {container.image}, or misses a command there (exit code 127)"),
    }
    if code in known:
        return ContainerEnding(*known[code])
    number = -code if code < 0 else code - 128
    if number == signal.SIGKILL:
        return ContainerEnding("killed", _killed(container.memory))
    if code < 0 or number in (signal.SIGTERM, signal.SIGINT):
        return ContainerEnding("stopped", f"stopped by signal {number}")
    return ContainerEnding("failed", f"exit code {code}{_signal_name(number)}")


def _killed(memory: int | None) -> str:
    if memory is None:
        return "killed by signal 9: from outside, or because this machine ran out of memory"
    return f"killed by signal 9: most likely it needed more than its {memory / _GIB:.3g} GiB of memory"


def _signal_name(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""


def readable(text: bytes) -> str:
    """Returns text for a terminal: without control characters, and with a line break for each carriage return."""
    return _NOT_SHOWN.sub("", text.decode("utf-8", "replace").replace("\r", "\n"))
