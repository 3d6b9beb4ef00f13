"""The trials of several studies: a folder of folders with results, or one place."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from kftune.errors import StoreError
from kftune.results.layout import ASIDE, INDEX, RunFolder
from kftune.results.sources.find import open_trials
from kftune.results.sources.hints import NO_HINTS, Hints
from kftune.results.trials import Trials


def open_several(place: Path, hints: Hints = NO_HINTS, *, leave_out: Path | None = None) -> list[Trials]:
    """Opens the trials of a place; of a folder that has none itself, the trials of each folder in it.

    A folder of the results of several entities may have those of `leave_out` only, and gives nothing then.

    Args:
        place: A folder, or a file that `open_trials` reads.
        hints: What a file does not say.
        leave_out: A folder of results that is passed over.

    Raises:
        StoreError: There are no trials, or they cannot be read.
    """
    inner = inner_results(place)
    own = None if leave_out is None else leave_out.resolve()
    if not inner and place.resolve() != own:
        return [open_trials(place, hints)]
    chosen = [folder for folder in inner if folder.resolve() != own]
    if not chosen and (place / INDEX).is_file():
        return []  # the first entities of a run have no others
    if not chosen:
        raise StoreError("there are no results here but those of this study", str(place))
    with ExitStack() as stack:
        opened = [stack.enter_context(open_trials(folder)) for folder in chosen]
        stack.pop_all()
    return opened


def inner_results(place: Path) -> list[Path]:
    """Returns the folders with results in a folder that has none of its own, by name.

    Folders that a new run has moved aside are left out.

    Args:
        place: A folder, or any other path, which has none.
    """
    name = RunFolder(place).database.name
    if not place.is_dir() or (place / name).exists():
        return []
    return [each.parent for each in sorted(place.glob(f"*/{name}")) if ASIDE not in each.parent.name]
