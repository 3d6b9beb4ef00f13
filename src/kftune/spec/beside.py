"""Files that a pipeline file names: they lie beside it, or in the current folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kftune.errors import near_names
from kftune.spec.part import PartError


def find_file(name: str, folders: Sequence[Path], what: str) -> Path:
    """The file of this name.

    Args:
        name: A path, most often from the pipeline file.
        folders: Where it is looked for, in order; none stands for the current folder.
        what: What the file holds, as a word before "file".

    Raises:
        PartError: It is in none of them.
    """
    looked_in = folders or (Path.cwd(),)
    found = next((folder / name for folder in looked_in if (folder / name).is_file()), None)
    if found is not None:
        return found
    beside = (looked_in[0] / name).parent
    hint = near_names(Path(name).name, [other.name for other in beside.glob("*.y*ml")])
    places = " and ".join(map(str, looked_in))
    raise PartError(f"there is no {what} file {name!r} (looked in {places}){hint and f'; {hint}'}")
