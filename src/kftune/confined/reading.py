"""Reads files that other programs have written: regular ones, without waiting, up to a size, until Ctrl-C."""

from __future__ import annotations

import errno
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Literal

from kftune.confined.paths import below, entries, explained, open_folder, opened
from kftune.errors import ConfinedError, ReadingStoppedError

LONGEST_FILE = 1 << 30
"""Bytes of a file that are read at most; a log of a trial has as many."""

ANY_SIZE = 1 << 63
"""For files of which only a part is read."""

_DEEPEST = 200
"""Folders in a folder that an output may have. A path of the system has 4 096 bytes, and most programs follow it."""

_CHUNK = 1 << 18
_MOMENT = 1.0
# A FIFO would wait for a writer, and a terminal would become that of this process.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


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


def open_file(
    folder: Path, path: str | PurePath, *, most: int = LONGEST_FILE, stop: Callable[[], bool] = never
) -> io.BufferedReader:
    """Opens a regular file below a folder for reading.

    Args:
        folder: The folder.
        path: The file.
        most: The bytes that it may have.
        stop: Asked before each piece whether to read no more.

    Raises:
        ConfinedError: The path leads out or has a link in it, or the file is not regular, or too large. A read raises
            it too, since the file may grow.
        ReadingStoppedError: `stop` said so; a read raises it.
        OSError: It cannot be opened.
    """
    with opened(folder, path) as (here, name, whole):
        try:
            descriptor = os.open(name, _FILE, dir_fd=here)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a socket
                raise ConfinedError(f"{whole} must be a regular file, but is a socket or a device") from error
            raise explained(error, whole, "a regular file") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfinedError(f"{whole} must be a regular file, but is {_called(found.st_mode)}")
        if found.st_size > most:
            raise _too_large(whole, most)
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
            raise _too_large(self._path, self._most)
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _too_large(path: Path, most: int) -> ConfinedError:
    return ConfinedError(f"{path} must have at most {most:,} bytes to be read, but has more")


def end_of(folder: Path, path: str | PurePath, size: int) -> bytes | None:
    """Returns the last bytes of a file below a folder; None where there is no regular file.

    Args:
        folder: The folder.
        path: The file.
        size: How many, at most.
    """
    try:
        with open_file(folder, path, most=ANY_SIZE) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
    except OSError:
        return None


def is_file(folder: Path, path: str | PurePath) -> bool:
    """Whether there is a regular file at a path below a folder.

    Args:
        folder: The folder.
        path: The file.
    """
    try:
        open_file(folder, path, most=ANY_SIZE).close()
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
        ConfinedError: It is, or holds, a FIFO, socket or device, or a link that leads out of it.
        ReadingStoppedError: `stop` said so.
        FileNotFoundError: There is nothing.
        OSError: It cannot be read.
    """
    with opened(folder, path) as (here, name, whole):
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
            name = str(each.relative_to(whole))
            raise ConfinedError(f"{whole} must hold files and folders, but {name!r} is {kind}")
    return "folder"


def _check_link(whole: Path, link: Path) -> None:
    """Refuses a link that leads out of its folder, or would once the folder is moved."""
    target = link.readlink()
    stays = not target.is_absolute() and Path(os.path.realpath(link)).is_relative_to(os.path.realpath(whole))
    if not stays:
        raise ConfinedError(
            f"links in {whole} must be relative and stay in it, but {str(link.relative_to(whole))!r} leads to "
            f"{str(target)!r}; write the file itself"
        )


def _content(folder: Path, path: str | PurePath) -> Iterator[tuple[Path, str]]:
    """Yields what is below a folder, but for folders, with its kind: file, link, or a word for a message."""
    waiting = [(below(folder, path), 0)]
    while waiting:
        place, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ConfinedError(f"folders must be at most {_DEEPEST} deep, but {str(place)[:200]}… is deeper")
        with opened(folder, place) as (here, name, whole):
            inner = open_folder(here, name, whole)
        try:
            found = entries(inner)
        finally:
            os.close(inner)
        for name, mode in found:
            if not stat.S_ISDIR(mode):
                kind = "file" if stat.S_ISREG(mode) else "link" if stat.S_ISLNK(mode) else _called(mode)
                yield place / name, kind
        waiting += [(place / name, depth + 1) for name, mode in reversed(found) if stat.S_ISDIR(mode)]


def _called(mode: int) -> str:
    """Returns a word for what is no regular file."""
    words = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    return words.get(stat.S_IFMT(mode), "a device")
