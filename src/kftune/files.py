"""Writes files atomically, so that a reader never sees half a file, and hashes files and folders."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

_LIST = ".kftune-files"
# Names of streams, such as /dev/stdout and bash's >(command). To replace one would take it from all programs.
_STREAMS = ("/dev/", "/proc/")
_LIST_HEAD = "# kftune wrote these files here, and removes those that it writes no more. It touches no others.\n"


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Opens a text file that replaces `path`, and takes its mode, when the block ends without an error.

    Args:
        path: The file to write; its folder is created when missing. An older file stays until the new one is complete.
            A stream below /dev is written to, and not replaced.

    Raises:
        OSError: The folder cannot be created or written to.
    """
    with _replacing(path, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        yield file


def write_text(path: Path, text: str) -> None:
    """Writes a file atomically.

    Args:
        path: The file; its folder is created when missing.
        text: Its content.
    """
    with replacing(path) as file:
        file.write(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically, unless it has this content already.

    Args:
        path: The file; its folder is created when missing.
        content: Its content.
    """
    if path.is_file() and path.read_bytes() == content:
        return
    with _replacing(path, "wb") as file:
        file.write(content)


def is_left_of(name: str, names: Iterable[str]) -> bool:
    """Returns whether a kill has left a file while another one was written.

    Args:
        name: The name of the file.
        names: The names of files that are written in its folder.
    """
    return any(re.fullmatch(rf"\.{re.escape(each)}\.[0-9a-f]{{16}}\.new", name) for each in names)


@contextmanager
def _replacing(path: Path, mode: str, **form: str) -> Iterator[Any]:
    if str(path.absolute()).startswith(_STREAMS):
        with path.open(mode, **form) as stream:  # type: ignore[call-overload]
            yield stream
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Nobody can have put a link there: the name can't be guessed, and a file that is there is not opened.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        with open(temporary, mode, opener=_open_new, **form) as file:  # type: ignore[call-overload]  # a Path takes no opener
            if path.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):  # the error says more
            temporary.unlink()
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # nobody knows the other name
        raise


def _open_new(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o666)


def open_regular(path: Path) -> BufferedReader:
    """Opens a regular file for reading; a link to one is followed.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be opened, or is a FIFO, which would be waited for, or another kind of file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it must be a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def written_before(folder: Path) -> set[str]:
    """Returns the files that `remember` listed in a folder, by their relative path; none without a list."""
    path = folder / _LIST
    if not _is_regular(path):
        return set()
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    if not text.startswith(_LIST_HEAD):
        return set()
    return {line for line in text.removeprefix(_LIST_HEAD).splitlines() if _inside(line)}


def remember(folder: Path, names: Iterable[str]) -> None:
    """Lists the files that were written to a folder, so that a later write can remove obsolete ones.

    Args:
        folder: The folder.
        names: The files, by their relative path.
    """
    write_text(folder / _LIST, _LIST_HEAD + "".join(f"{name}\n" for name in sorted(names)))


def forget(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Removes files from a folder, with subfolders that become empty, and yields the removed files.

    Links stay, and so does what is behind them: a name below a link to a folder is a file elsewhere.

    Args:
        folder: The folder.
        names: The files, by their relative path.
    """
    for name in sorted(names):
        path = folder / name
        if not _is_regular(path) or any((folder / parent).is_symlink() for parent in Path(name).parents[:-1]):
            continue
        path.unlink()
        yield path
        for parent in path.relative_to(folder).parents:
            if parent == Path() or any((folder / parent).iterdir()):
                break
            (folder / parent).rmdir()


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _open(path: Path) -> BufferedReader:
    return path.open("rb")


def digest_of(path: Path, opened: Callable[[Path], BufferedReader] = _open) -> str:
    """Returns a SHA-256 of a file's content, or of the names, files and links in a folder.

    Args:
        path: The file or folder.
        opened: Opens a file for reading.
    """
    if path.is_dir():
        hashed = hashlib.sha256(b"folder\0")
        for inner in _sorted(path):
            kind = b"link" if inner.is_symlink() else b"folder" if inner.is_dir() else b"file"
            content = os.fsencode(inner.readlink()) if kind == b"link" else b""
            content = _file_digest(inner, opened) if kind == b"file" else content
            hashed.update(b"\0".join((kind, os.fsencode(inner.relative_to(path)), content, b"")))
        return hashed.hexdigest()
    return _file_digest(path, opened).decode()


def _sorted(folder: Path) -> Iterator[Path]:
    for inner in sorted(folder.iterdir()):
        yield inner
        if inner.is_dir() and not inner.is_symlink():
            yield from _sorted(inner)


def _file_digest(path: Path, opened: Callable[[Path], BufferedReader]) -> bytes:
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest().encode()
