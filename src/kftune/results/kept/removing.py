"""Removes files of results, while no run can start that needs them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from kftune.errors import StoreError
from kftune.results.kept.disk import problem_text
from kftune.results.kept.pruning import Unneeded, identity_of
from kftune.results.lock import take_lock


def remove(unneeded: Iterable[Unneeded]) -> tuple[list[Unneeded], list[str]]:
    """Removes files and folders. Of a link only the link goes.

    Args:
        unneeded: What to remove.

    Returns:
        What is gone, and why the others are not.
    """
    gone, problems = [], []
    for locks, group in groupby(unneeded, key=lambda each: each.locks):
        with ExitStack() as held:
            link = next((lock for lock in locks if lock.is_symlink()), None)
            if link is not None:  # whatever it leads to would be written to
                problems.append(f"not removed: {link}: a link, which is not followed")
                continue
            try:
                for lock in locks:
                    held.callback(os.close, take_lock(lock))
            except (StoreError, OSError) as error:
                problems.append(f"not removed: {problem_text(error)}")
                continue
            for each in group:
                if identity_of(each.path) != each.identity:
                    problems.append(f"not removed: {each.path}: a run has put another one in its place")
                    continue
                try:
                    _remove(each.path)
                    gone.append(each)
                except OSError as error:
                    problems.append(f"not removed: {problem_text(error)}")
    return gone, problems


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
