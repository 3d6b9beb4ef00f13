"""How much of the disk files take, and when they were last changed. No link is followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

_BLOCK = 512  # of st_blocks, whatever the file system has


class Usage(NamedTuple):
    """What is below a path.

    Attributes:
        bytes: What it takes on the disk; a file with several names counts once.
        changed: When a file in it was last written (s since 1970); 0 without files.
        unreadable: Folders that cannot be read, with the reason.
    """

    bytes: int
    changed: float
    unreadable: list[str]


def usage_of(path: Path) -> Usage:
    """Returns what is below a path, or the path itself takes."""
    total, changed, seen, unreadable = 0, 0.0, set(), []
    waiting = [str(path)]
    while waiting:
        place = waiting.pop()
        try:
            found = os.lstat(place)
            is_folder = stat.S_ISDIR(found.st_mode)
            if is_folder:
                with os.scandir(place) as entries:
                    waiting += [entry.path for entry in entries]
        except FileNotFoundError:  # a run has just removed it
            continue
        except OSError as error:
            unreadable.append(f"{place}: {error.strerror}")
            continue
        if (found.st_dev, found.st_ino) in seen:
            continue
        if found.st_nlink > 1:
            seen.add((found.st_dev, found.st_ino))
        total += found.st_blocks * _BLOCK
        if not is_folder and not _is_of_reader(place, found.st_size):
            changed = max(changed, found.st_mtime)
    return Usage(total, changed, unreadable)


def _is_of_reader(place: str, size: int) -> bool:
    """Returns whether one who only reads a database may have made a file: SQLite's index and empty log of changes."""
    return place.endswith(".db-shm") or (place.endswith(".db-wal") and size == 0)


def problem_text(error: Exception) -> str:
    """Returns what is wrong with results, with the file of an error of the system."""
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)


def size_text(size: float) -> str:
    """Returns a size as people read it, such as ``1.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
