"""Finds the files that a pipeline file names: in its folder, or in the current one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kftune.errors import near_names
from kftune.spec.part import PartError


def find_file(name: str, folders: Sequence[Path], what: str) -> Path:
    """Returns the path of a file.

    Args:
        name: Its relative path.
        folders: Where to look for it, in order; none means the current folder.
        what: What the file holds, for the message.

    Raises:
        PartError: It is in none of the folders.
    """
    looked_in = folders or (Path.cwd(),)
    found = next((folder / name for folder in looked_in if (folder / name).is_file()), None)
    if found is not None:
        return found
    beside = (looked_in[0] / name).parent
    hint = near_names(Path(name).name, [other.name for other in beside.glob("*.y*ml")])
    places = " and ".join(map(str, looked_in))
    raise PartError(f"there is no {what} file {name!r} (looked in {places}){hint and f'; {hint}'}")
