"""Asks git for the revision of a folder, and runs no program that the repository there names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Longer than a repository on a network file system takes; a run must not wait for git without end.
_PATIENCE = 20.0
# So that git writes nothing, does not wait for the user's own git, and fetches nothing.
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
_USUAL_CHANGES = ("--untracked-files=no", "--ignore-submodules=dirty")  # in submodules git runs again
_COUNT = "GIT_CONFIG_COUNT"
_OWN = ("system", "global", "command")
"""Where the configuration of the user is, and not that of the repository."""


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


def revision_of(folder: Path, changes: Sequence[str] = _USUAL_CHANGES) -> Revision:
    """Returns the revision of a folder.

    Args:
        folder: The folder.
        changes: Which changes count: further arguments of ``git status``. Files that git does not track, and those that
            changed in submodules, do not count by default.
    """
    program = shutil.which("git")
    if program is None:
        return Revision(problem="git is not installed")
    try:
        commit = _git(program, folder, "rev-parse", "--verify", "HEAD")
        safe = {**_QUIET, **_without_programs(program, folder)}
        return Revision(commit, bool(_git(program, folder, "status", "--porcelain", *changes, environment=safe)))
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["it failed"])[-1]
        return Revision(problem=f"git: {last}")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Revision(problem=f"git: {error}")


def _without_programs(program: str, folder: Path) -> dict[str, str]:
    """Returns the variables with which git runs no program that the configuration of the repository itself names.

    Source: git-status(1), gitattributes(5): a file system monitor, and filters that files go through.
    """
    arguments = ("config", "--includes", "--show-scope", "--name-only", "--get-regexp", r"^filter\.")
    try:
        lines = _git(program, folder, *arguments).splitlines()
    except subprocess.CalledProcessError:  # there is none
        lines = []
    found = dict.fromkeys(name for scope, _, name in (line.partition("\t") for line in lines) if scope not in _OWN)
    settings = {"core.fsmonitor": "false"}
    settings |= {name: "false" if name.endswith(".required") else "" for name in found}
    first = int(os.environ.get(_COUNT) or 0)  # CI uses it too
    variables = {_COUNT: str(first + len(settings))}
    for number, (key, value) in enumerate(settings.items(), start=first):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _git(program: str, folder: Path, *arguments: str, environment: Mapping[str, str] = _QUIET) -> str:
    return subprocess.run(
        [program, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
        timeout=_PATIENCE,
        env={**os.environ, **environment},
    ).stdout.strip()
