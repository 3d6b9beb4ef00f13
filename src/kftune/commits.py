"""Makes a git branch with one commit that changes one file. Working tree and current branch stay as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from kftune.errors import CommitError

_PATIENCE = 60.0
_NO_COMMIT = "0" * 40


class Committed(NamedTuple):
    """A commit on a new branch.

    Attributes:
        branch: The branch.
        commit: The commit.
        base: The branch or the commit that it begins at.
    """

    branch: str
    commit: str
    base: str


def commit_on_branch(path: Path, content: bytes, branch: str, message: str) -> Committed:
    """Makes a branch at the current commit, with one commit that changes a file. Hooks do not run, nothing is pushed.

    Args:
        path: The file, which git tracks.
        content: What the file becomes.
        branch: The name of the new branch.
        message: The message of the commit.

    Raises:
        CommitError: There is no git or no commit, the file is not tracked or has changes, the branch exists, or git
            does not know who commits.
    """
    path = path.resolve()
    git = _Git(path.parent)
    git.check(f"{path} is in no git repository with a commit; make one first", "rev-parse", "--verify", "HEAD^{commit}")
    git.check(
        f"{branch!r} cannot be the name of a branch; choose another: --branch NAME",
        "check-ref-format",
        "--branch",
        branch,
    )
    listed = git(["ls-files", "--stage", "--full-name", "-z", "--", path.name]).rstrip("\0")
    if not listed:
        raise CommitError(f"{path} is not tracked by git; add and commit it first")
    if git(["status", "--porcelain", "--", path.name]):
        raise CommitError(f"{path} has changes that are not committed; commit or stash them first")
    reference = f"refs/heads/{branch}"
    if git(["for-each-ref", reference]):
        raise CommitError(f"the branch {branch} exists; give another name with --branch NAME, or delete it")
    stage, _, tracked = listed.partition("\t")
    mode = stage.split(" ", 1)[0]
    blob = git(["hash-object", "-w", "--stdin", "--path", path.name], stdin=content)
    head = git(["rev-parse", "HEAD"])
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git(["read-tree", head], env=index)
        git(["update-index", "--cacheinfo", f"{mode},{blob},{tracked}"], env=index)
        tree = git(["write-tree"], env=index)
    commit = git(["commit-tree", tree, "-p", head, *git.signing(), "-F", "-"], stdin=message.encode())
    git(["update-ref", "-m", "kftune apply", reference, commit, _NO_COMMIT])
    return Committed(branch, commit, git(["rev-parse", "--abbrev-ref", "HEAD"]))


class _Git:
    """Git in a folder."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("git")
        if program is None:
            raise CommitError("git is not installed; install it, or apply without --branch")
        self._command = [program, "--literal-pathspecs", "-C", str(folder)]

    def __call__(
        self, arguments: Sequence[str], stdin: bytes = b"", env: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        done = self._run(arguments, stdin, env)
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip() or "it failed"
            raise CommitError(f"git {arguments[0]}: {lines}")
        return done.stdout.decode(errors="surrogateescape").strip("\n")

    def check(self, problem: str, *arguments: str) -> None:
        """Runs a command, and raises an error with another text when it fails."""
        if self._run(arguments).returncode != 0:
            raise CommitError(problem)

    def signing(self) -> list[str]:
        """Returns the option to sign the commit, if the user signs all."""
        done = self._run(("config", "--type=bool", "--get", "commit.gpgSign"))
        return ["-S"] if done.stdout.strip() == b"true" else []

    def _run(
        self, arguments: Sequence[str], stdin: bytes = b"", env: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                [*self._command, *arguments],
                input=stdin,
                capture_output=True,
                check=False,
                timeout=_PATIENCE,
                env={**os.environ, **env},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommitError(f"git {arguments[0]}: {error}") from error
