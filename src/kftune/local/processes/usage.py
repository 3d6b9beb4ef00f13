"""Runs a training script with --help, the only case in which kftune starts a script without training."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kftune.errors import RunError

_SECONDS = 30.0
_MOST_BYTES = 1_000_000


def help_text(file: Path, folders: Sequence[Path], given: Sequence[str] = (), seconds: float = _SECONDS) -> str:
    """Runs `python FILE ... --help` and returns what it printed.

    Args:
        file: The script.
        folders: Folders for its module path; the first is its working folder.
        given: Arguments before --help.
        seconds: How long it may take.

    Raises:
        RunError: It takes longer, or ends with an error.
    """
    path = os.pathsep.join(
        [*(str(folder.resolve()) for folder in folders), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    command = [sys.executable, str(file.resolve()), *given, "--help"]
    try:
        done = subprocess.run(
            command,
            cwd=folders[0] if folders else None,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(
            f"{file} --help must end within {seconds:g} s, but did not; does it train before it parses its arguments?"
        ) from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RunError(f"{file} --help must end with exit code 0, but ended with {done.returncode}: {last:.200}")
    return done.stdout[:_MOST_BYTES].decode(errors="replace")
