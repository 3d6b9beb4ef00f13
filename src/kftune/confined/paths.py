"""Paths below a folder, each part of which is opened on its own and is no link."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath, PurePosixPath

from kftune.errors import ConfinedError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What the system answers for a link, by platform, and for a file in place of a folder.
_IS_LINK = (errno.ELOOP, errno.EMLINK, errno.ENOTDIR)


def below(folder: Path, path: str | PurePath) -> Path:
    """Returns a path below a folder, and looks at no file.

    Args:
        folder: The folder.
        path: A relative path, or one that begins with the folder.

    Raises:
        ConfinedError: It is absolute, has a part ``..``, or has a NUL.
    """
    given = PurePosixPath(path)
    if given.is_absolute() and given.is_relative_to(folder):
        given = given.relative_to(folder)
    if given.is_absolute() or ".." in given.parts or "\0" in str(given):
        raise ConfinedError(f"a path must be relative and without '..' to stay below {folder}, but is {str(path)!r}")
    return folder / given


def resolved_below(folder: Path, path: str) -> Path:
    """Returns a path below a folder of the user, with its links replaced by where they lead.

    Args:
        folder: The folder.
        path: A relative path.

    Raises:
        ConfinedError: The path, or a link in it, leads out of the folder.
    """
    found = below(folder, path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise ConfinedError(f"{path} must stay below {folder}, but a link in it leads to {found}")
    return found


def to_write(folder: Path, path: str | PurePath) -> Path:
    """Returns where a file is written whose place in a folder kftune chooses, and not the user.

    Args:
        folder: The folder that the user has named; it may be a link, or not be there yet.
        path: The file, as a relative path. It is replaced if it is a link.

    Raises:
        ConfinedError: The path, or a link to a folder in it, leads out of the folder.
    """
    whole = below(folder, path)
    resolved_below(folder, str(whole.parent.relative_to(folder)))
    return whole


@contextmanager
def opened(folder: Path, path: str | PurePath, *, make: bool = False) -> Iterator[tuple[int, str, Path]]:
    """Opens the folder of a path below `folder`; yields its descriptor, the last part, and the whole path.

    Args:
        folder: The folder.
        path: The path.
        make: Whether folders on the way are made.

    Raises:
        ConfinedError: The path leads out, or has a link in it.
        OSError: A folder on the way is missing, or cannot be opened.
    """
    whole = below(folder, path)
    *parents, last = whole.relative_to(folder).parts or (".",)
    here, at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), folder
    try:
        for part in parents:
            at /= part
            there = open_folder(here, part, at, make=make)
            os.close(here)
            here = there
        yield here, last, whole
    finally:
        os.close(here)


def open_folder(here: int, name: str, path: Path, *, make: bool = False) -> int:
    """Returns the descriptor of a folder in an open one.

    Args:
        here: The open folder.
        name: The name in it.
        path: The whole path, for errors.
        make: Whether it is made if it is missing.

    Raises:
        ConfinedError: It is a link, or no folder.
        OSError: It is missing, or cannot be opened.
    """
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=here)
    try:
        return os.open(name, _FOLDER, dir_fd=here)
    except OSError as error:
        raise explained(error, path, "a folder") from error


def explained(error: OSError, path: Path, wanted: str) -> OSError:
    """Returns an error of the system with the whole path, or what is wrong with the path.

    Args:
        error: The error.
        path: The path.
        wanted: What it must be.
    """
    if error.errno in _IS_LINK:
        return ConfinedError(f"{path} must be {wanted}, but is a link or another kind of file; links are not followed")
    return OSError(error.errno, error.strerror, str(path))


def entries(folder: int) -> list[tuple[str, int]]:
    """Returns what is in an open folder: names and modes."""
    with os.scandir(folder) as found:
        return sorted((entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in found)
