"""Asks git for the revision of a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Longer than a repository on a network file system takes; a run must not wait for git without end.
_PATIENCE = 20.0


class Revision(NamedTuple):
    """The revision of a folder.

    Attributes:
        commit: The commit; empty where git knows none.
        changed: Whether files differ from it.
        problem: Why there is no commit; empty where there is one.
    """

    commit: str = ""
    changed: bool = False
    problem: str = ""

    def __str__(self) -> str:
        """The commit, with ``-dirty`` if files differ from it."""
        return f"{self.commit}-dirty" if self.changed else self.commit


def revision_of(folder: Path, changes: Sequence[str] = ("--untracked-files=no",)) -> Revision:
    """Returns the revision of a folder.

    Args:
        folder: The folder.
        changes: Which changes count: further arguments of ``git status``. Files that git does not track do not count
            by default.
    """
    program = shutil.which("git")
    if program is None:
        return Revision(problem="git is not installed")
    try:
        commit = _git(program, folder, "rev-parse", "--verify", "HEAD")
        return Revision(commit, bool(_git(program, folder, "status", "--porcelain", *changes)))
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it failed"])[-1]
        return Revision(problem=f"git: {last}")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Revision(problem=f"git: {error}")


def _git(program: str, folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [program, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
        timeout=_PATIENCE,
        # So that git writes nothing, and does not wait for the user's own git.
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
    ).stdout.strip()
