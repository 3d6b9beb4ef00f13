"""Writing a file so that nobody ever reads half of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TextIO

_LIST = ".kftune-files"
_LIST_HEAD = "# kftune wrote these files here, and removes those that it writes no more. It touches no others.\n"


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file that takes the place of `path`, and its mode, when the block ends without an error; folders are made.

    Args:
        path: The file to write; an older one stays until the new one is complete.

    Raises:
        OSError: The folder cannot be made or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            if path.exists():
                temporary.chmod(stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Puts `text` in the place of `path`, whole or not at all."""
    with replacing(path) as file:
        file.write(text)


def written_before(folder: Path) -> set[str]:
    """The files that `remember` noted in a folder, by their path from there; none without its list."""
    try:
        text = (folder / _LIST).read_text(encoding="utf-8")
    except FileNotFoundError:
        return set()
    if not text.startswith(_LIST_HEAD):
        return set()
    return {line for line in text.removeprefix(_LIST_HEAD).splitlines() if _inside(line)}


def remember(folder: Path, names: Iterable[str]) -> None:
    """Notes the files that were written into a folder, so that a later write can remove what it writes no more."""
    write_text(folder / _LIST, _LIST_HEAD + "".join(f"{name}\n" for name in sorted(names)))


def forget(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Removes files of a folder, and the folders in it that are empty then; gives what is removed."""
    for name in sorted(names):
        path = folder / name
        if not path.is_file():
            continue
        path.unlink()
        yield path
        for parent in path.relative_to(folder).parents:
            if parent == Path() or any((folder / parent).iterdir()):
                break
            (folder / parent).rmdir()


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts
