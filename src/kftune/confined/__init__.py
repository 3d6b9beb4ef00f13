"""Files below a folder that other programs can write to, such as a trial in a container: no path and no link leads out.

A folder given here is trusted; everything below it is not. Each part of a path is opened on its own and may be no link,
so that nothing changes between a check and the use. Only regular files are read, without waiting and up to a size, and
Ctrl-C can end each reader.
"""

from __future__ import annotations

from kftune.confined.making import make_folder, remove_folder, share, write
from kftune.confined.paths import below, resolved_below, to_write
from kftune.confined.reading import ANY_SIZE, after_a_moment, check, end_of, files, is_file, never, open_file

__all__ = [
    "ANY_SIZE",
    "after_a_moment",
    "below",
    "check",
    "end_of",
    "files",
    "is_file",
    "make_folder",
    "never",
    "open_file",
    "remove_folder",
    "resolved_below",
    "share",
    "to_write",
    "write",
]
