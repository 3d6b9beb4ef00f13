"""The past trials that a study starts from: read by its first run, and kept with its results for later ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from kftune.errors import RunError, StoreError
from kftune.results import Trials
from kftune.results.past import NO_PAST, Past, hints_of, joined, past_of
from kftune.results.sources.many import open_several
from kftune.results.store import Store
from kftune.study import Study
from kftune.study.start import StartFrom

_KEY = "start_from"
_LIVE = "katib:"

OpenLive = Callable[[str], Trials]
"""Opens the trials of an Experiment on a cluster by its address."""


class Starting:
    """Reads what a study starts from.

    Args:
        study: The study.
        place: The folder of its file.
        open_live: Opens an Experiment on a cluster; None refuses it.

    Attributes:
        notes: What was taken over; empty if an earlier run has read it.
    """

    def __init__(self, study: Study, place: Path, open_live: OpenLive | None = None) -> None:
        self._study, self._place, self._open_live = study, place, open_live
        self.notes: list[str] = []

    def past(self, store: Store) -> Past:
        """Returns what the study takes over: as an earlier run has read it, or else as it is now.

        Args:
            store: The results of the study.

        Raises:
            RunError: A place has nothing that the study can use.
            StoreError: A place cannot be read.
        """
        if not self._study.start_from:
            return NO_PAST
        kept = json.loads(store.kept(_KEY) or "{}")
        parts = []
        for start in self._study.start_from:
            key = start.model_dump_json(by_alias=True)
            if key not in kept:
                found = self._read(start, store.folder.path)
                self.notes += found.notes
                kept[key] = found.to_text()
            parts.append(Past.from_text(kept[key]))
        store.keep(_KEY, json.dumps(kept, ensure_ascii=False))
        return joined(parts)

    def _read(self, start: StartFrom, own: Path) -> Past:
        with ExitStack() as stack:
            opened = [stack.enter_context(each) for each in self._opened(start, own)]
            if not opened:
                return Past(notes=[f"start_from {start.place}: no other entity has results yet"])
            found = past_of(self._study, opened, start.top, start.learn)
        notes = [f"start_from {start.place}: {note}" for note in found.notes]
        if not found.first and not found.told:
            raise RunError("\n".join(["start_from must have points that the study can try or learn from", *notes]))
        return found._replace(notes=notes)

    def _opened(self, start: StartFrom, own: Path) -> Sequence[Trials]:
        path = _found(start.place, (self._place, Path.cwd()))
        if start.place.startswith(_LIVE) and not path.exists():
            if self._open_live is None:
                raise StoreError(
                    f"a cluster is read on the command line only; save the trials and give that file: kftune results "
                    f"{start.place} --format json > past.json",
                    start.place,
                )
            return [self._open_live(start.place)]
        return open_several(path, hints_of(self._study, start.study), leave_out=own)


def _found(place: str, folders: Sequence[Path]) -> Path:
    """Returns the path of a place, relative to the first folder that has it; as short as it can be shown."""
    path = next((folder / place for folder in folders if (folder / place).exists()), folders[0] / place)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
