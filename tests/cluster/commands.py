"""Runs programs: their output is returned, a failure becomes an error that shows it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cluster.layout import ClusterError


def run(*argv: str | Path, folder: Path | None = None, given: str | None = None, **environ: str) -> str:
    """Returns what a program prints.

    Args:
        argv: The program and its arguments.
        folder: Its working directory; None takes the current one.
        given: Its standard input; None closes it.
        environ: Environment variables to add.

    Raises:
        ClusterError: It fails or cannot be started.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **environ},
            input=given if given is not None else "",
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ClusterError(f"{words[0]} cannot be started: {error.strerror}") from error
    if done.returncode:
        shown = "\n".join([*done.stdout.splitlines()[-20:], *done.stderr.splitlines()[-20:]])
        raise ClusterError(f"`{' '.join(words)}` fails with exit code {done.returncode}:\n{shown}")
    return done.stdout


def succeeds(*argv: str | Path) -> bool:
    """Whether a program ends with exit code 0."""
    return subprocess.run([str(word) for word in argv], capture_output=True, check=False).returncode == 0


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Waits for a condition; returns whether it holds in time.

    Args:
        seconds: How long to wait.
        condition: The condition; it is asked ten times a second.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
