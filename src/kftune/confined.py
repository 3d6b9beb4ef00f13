"""Files below a folder that other programs can write to, such as a trial in a container: no path and no link leads out.

A folder given here is trusted; everything below it is not. Each part of a path is opened on its own and may be no link,
so that nothing changes between a check and the use. Only regular files are read, without waiting, up to a size, and
every reader can be told to stop.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal

from kftune.errors import ConfinedError, ReadingStoppedError

LONGEST_FILE = 1 << 30
"""Bytes of a file that are read at most; a log of a trial has as many."""

_DEEPEST = 200
"""Folders in a folder that an output may have. A path of the system has 4 096 bytes, and most programs follow it."""

_CHUNK = 1 << 18
_MOMENT = 1.0
_SHARED = 0o1777  # as an emptyDir is: any user of an image may write there
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO would wait for a writer, and a terminal would become that of this process.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
# What the system answers for a link, by platform, and for a file in place of a folder.
_IS_LINK = (errno.ELOOP, errno.EMLINK, errno.ENOTDIR)


def never() -> bool:
    """Lets a reader go on to the end of its file."""
    return False


def after_a_moment(interrupted: Callable[[], bool]) -> Callable[[], bool]:
    """Returns what stops a reader that is interrupted, unless it is done within a second.

    Args:
        interrupted: Whether the user has asked for the end.
    """
    began = time.monotonic()
    return lambda: interrupted() and time.monotonic() - began > _MOMENT


# -- paths -------------------------------------------------------------------------------------------------------------


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


@contextmanager
def _opened(folder: Path, path: str | PurePath, *, make: bool = False) -> Iterator[tuple[int, str, Path]]:
    """Opens the folder of a path below `folder`; yields its descriptor, the last part, and the whole path."""
    whole = below(folder, path)
    *parents, last = whole.relative_to(folder).parts or (".",)
    here, at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), folder
    try:
        for part in parents:
            at /= part
            there = _open_folder(here, part, at, make=make)
            os.close(here)
            here = there
        yield here, last, whole
    finally:
        os.close(here)


def _open_folder(here: int, name: str, path: Path, *, make: bool = False) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=here)
    try:
        return os.open(name, _FOLDER, dir_fd=here)
    except OSError as error:
        raise _explained(error, path, "a folder") from error


def _explained(error: OSError, path: Path, wanted: str) -> OSError:
    if error.errno in _IS_LINK:
        return ConfinedError(f"{path} must be {wanted}, but is a link or another kind of file; links are not followed")
    return OSError(error.errno, error.strerror, str(path))


# -- making and writing ------------------------------------------------------------------------------------------------


def make_folder(folder: Path, path: str | PurePath) -> Path:
    """Makes a folder below another, with those between, and returns it.

    Args:
        folder: The folder.
        path: The new one, which may be there already.

    Raises:
        ConfinedError: The path leads out, or has a link in it.
        OSError: It cannot be made.
    """
    with _opened(folder, path, make=True) as (here, name, whole):
        os.close(_open_folder(here, name, whole, make=True))
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
    with _opened(folder, path, make=True) as (here, name, whole):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=here)
        created = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=here)
        with os.fdopen(created, "w", encoding="utf-8") as file:
            file.write(text)
    return whole


def share(folder: Path) -> None:
    """Lets every user write to a folder, as to an emptyDir.

    Raises:
        ConfinedError: It is a link.
        OSError: Its mode cannot be changed.
    """
    with _opened(folder.parent, folder.name) as (here, name, whole):
        descriptor = _open_folder(here, name, whole)
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
    with _opened(folder.parent, folder.name) as (here, name, whole):
        top = _open_folder(here, name, whole)
        try:
            _empty(top, whole)
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=here)


def _empty(top: int, path: Path) -> None:
    """Removes everything in a folder. It first moves folders out of folders, so that depth does not count."""
    moved = 0
    while found := _entries(top):
        for name, mode in found:
            if not stat.S_ISDIR(mode):
                os.unlink(name, dir_fd=top)
                continue
            inner = _open_folder(top, name, path / name)
            try:
                for each, its_mode in _entries(inner):
                    if not stat.S_ISDIR(its_mode):
                        os.unlink(each, dir_fd=inner)
                        continue
                    while _is_there(top, f".removed-{moved}"):
                        moved += 1
                    os.rename(each, f".removed-{moved}", src_dir_fd=inner, dst_dir_fd=top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _entries(folder: int) -> list[tuple[str, int]]:
    """Returns what is in an open folder: names and modes."""
    with os.scandir(folder) as entries:
        return sorted((entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in entries)


def _is_there(here: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


# -- reading -----------------------------------------------------------------------------------------------------------


def open_file(
    folder: Path, path: str | PurePath, *, most: int = LONGEST_FILE, stop: Callable[[], bool] = never
) -> io.BufferedReader:
    """Opens a regular file below a folder for reading.

    Args:
        folder: The folder.
        path: The file.
        most: The bytes that may be read from its start.
        stop: Asked before each piece whether to read no more.

    Raises:
        ConfinedError: The path leads out or has a link in it, or it is no regular file. A read raises it after `most`
            bytes.
        ReadingStoppedError: `stop` said so; a read raises it.
        OSError: It cannot be opened.
    """
    with _opened(folder, path) as (here, name, whole):
        try:
            descriptor = os.open(name, _FILE, dir_fd=here)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a socket
                raise ConfinedError(f"{whole} must be a regular file, but is a socket or a device") from error
            raise _explained(error, whole, "a regular file") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfinedError(f"{whole} must be a regular file, but is a folder, a FIFO or a device")
    except BaseException:
        os.close(descriptor)
        raise
    return io.BufferedReader(_Bounded(descriptor, whole, most, stop), _CHUNK)


class _Bounded(io.RawIOBase):
    """A descriptor of a file that is read up to a size, and until it should stop."""

    def __init__(self, descriptor: int, path: Path, most: int, stop: Callable[[], bool]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._path = path
        self._most = most
        self._stop = stop
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._position = os.lseek(self._descriptor, offset, whence)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a BufferedReader gives it a memoryview
        if self._stop():
            raise ReadingStoppedError(f"{self._path} was not read to its end: the run was interrupted")
        count = os.readv(self._descriptor, [buffer])
        self._position += count
        if self._position > self._most:
            raise ConfinedError(f"{self._path} must have at most {self._most:,} bytes to be read, but has more")
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def end_of(folder: Path, path: str | PurePath, size: int) -> bytes | None:
    """Returns the last bytes of a file below a folder; None where there is no regular file.

    Args:
        folder: The folder.
        path: The file.
        size: How many, at most.
    """
    try:
        with open_file(folder, path, most=1 << 62) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
    except OSError:
        return None


def is_file(folder: Path, path: str | PurePath) -> bool:
    """Whether there is a regular file at a path below a folder."""
    try:
        open_file(folder, path).close()
    except OSError:
        return False
    return True


def files(folder: Path, path: str | PurePath) -> Iterator[Path]:
    """Yields the regular files at any depth below a folder below another, in the order of their names.

    Args:
        folder: The folder.
        path: The one below it; if there is none, it has no files.

    Raises:
        ConfinedError: The path has a link in it, or folders are too deep.
        OSError: A folder cannot be read.
    """
    with suppress(FileNotFoundError):
        for each, kind in _content(folder, path):
            if kind == "file":
                yield each


def check(folder: Path, path: str | PurePath, stop: Callable[[], bool] = never) -> Literal["file", "folder"]:
    """Checks a file, or a folder with everything in it, that another program has written.

    Args:
        folder: The folder.
        path: The file or folder below it.
        stop: Asked at each file whether to go on.

    Returns:
        What it is.

    Raises:
        ConfinedError: It is, or holds, something else than regular files, folders, and links that stay in it.
        ReadingStoppedError: `stop` said so.
        FileNotFoundError: There is nothing.
        OSError: It cannot be read.
    """
    with _opened(folder, path) as (here, name, whole):
        mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
    if stat.S_ISREG(mode):
        return "file"
    if not stat.S_ISDIR(mode):
        raise ConfinedError(f"{whole} must be a regular file or a folder, but is {_called(mode)}")
    for each, kind in _content(folder, path):
        if stop():
            raise ReadingStoppedError(f"{whole} was not read to its end: the run was interrupted")
        if kind == "link":
            _check_link(whole, each)
        elif kind != "file":
            raise ConfinedError(f"{whole} must hold files and folders, but {each.relative_to(whole)} is {kind}")
    return "folder"


def _check_link(whole: Path, link: Path) -> None:
    """Refuses a link that leads out of its folder, or would once the folder is somewhere else."""
    target = link.readlink()
    stays = not target.is_absolute() and Path(os.path.realpath(link)).is_relative_to(os.path.realpath(whole))
    if not stays:
        raise ConfinedError(
            f"links in {whole} must be relative and stay in it, but {link.relative_to(whole)} leads to {str(target)!r}"
            f"; write the file itself"
        )


def _content(folder: Path, path: str | PurePath) -> Iterator[tuple[Path, str]]:
    """Yields what is below a folder, but for folders, with its kind: file, link, or a word for a message."""
    waiting = [(below(folder, path), 0)]
    while waiting:
        place, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ConfinedError(f"folders must be at most {_DEEPEST} deep, but {str(place)[:200]}… is deeper")
        with _opened(folder, place) as (here, name, whole):
            inner = _open_folder(here, name, whole)
        try:
            found = _entries(inner)
        finally:
            os.close(inner)
        for name, mode in found:
            if not stat.S_ISDIR(mode):
                kind = "file" if stat.S_ISREG(mode) else "link" if stat.S_ISLNK(mode) else _called(mode)
                yield place / name, kind
        waiting += [(place / name, depth + 1) for name, mode in reversed(found) if stat.S_ISDIR(mode)]


def _called(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
