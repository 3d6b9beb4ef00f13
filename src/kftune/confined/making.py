"""Makes, shares and removes folders, and writes files, below a folder that other programs write to."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path, PurePath

from kftune.confined.paths import entries, open_folder, opened

_SHARED = 0o1777  # as an emptyDir is: any user of an image may write there


def make_folder(folder: Path, path: str | PurePath) -> Path:
    """Makes a folder below another, with those between, and returns it.

    Args:
        folder: The folder.
        path: The new one, which may be there already.

    Raises:
        ConfinedError: The path leads out, or has a link in it.
        OSError: It cannot be made.
    """
    with opened(folder, path, make=True) as (here, name, whole):
        os.close(open_folder(here, name, whole, make=True))
    return whole


def write(folder: Path, path: str | PurePath, text: str) -> Path:
    """Writes a file below a folder, in place of what is there, and returns it.

    Args:
        folder: The folder.
        path: The file; folders on the way to it are made.
        text: Its content.

    Raises:
        ConfinedError: The path leads out, or has a link in it.
        OSError: It cannot be written.
    """
    with opened(folder, path, make=True) as (here, name, whole):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=here)
        created = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=here)
        with os.fdopen(created, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(text)
    return whole


def share(folder: Path) -> None:
    """Lets every user write to a folder, as to an emptyDir.

    Raises:
        ConfinedError: It is a link.
        OSError: Its mode cannot be changed.
    """
    with opened(folder.parent, folder.name) as (here, name, whole):
        descriptor = open_folder(here, name, whole)
        try:
            os.fchmod(descriptor, _SHARED)
        finally:
            os.close(descriptor)


def remove_folder(folder: Path) -> None:
    """Removes a folder and everything in it, however deep; of links only the links.

    Raises:
        ConfinedError: It is a link.
        OSError: It, or something in it, cannot be removed.
    """
    with opened(folder.parent, folder.name) as (here, name, whole):
        top = open_folder(here, name, whole)
        try:
            _empty(top, whole)
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=here)


def _empty(top: int, path: Path) -> None:
    """Removes everything in a folder. It first moves folders out of folders, so that depth does not count."""
    moved = 0
    while found := entries(top):
        for name, mode in found:
            if not stat.S_ISDIR(mode):
                os.unlink(name, dir_fd=top)
                continue
            if mode & stat.S_IRWXU != stat.S_IRWXU:
                os.chmod(name, stat.S_IRWXU, dir_fd=top)  # what is in a read-only folder could not be removed
            inner = open_folder(top, name, path / name)
            try:
                for each, its_mode in entries(inner):
                    if not stat.S_ISDIR(its_mode):
                        os.unlink(each, dir_fd=inner)
                        continue
                    while _is_there(top, f".removed-{moved}"):
                        moved += 1
                    os.rename(each, f".removed-{moved}", src_dir_fd=inner, dst_dir_fd=top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _is_there(here: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
