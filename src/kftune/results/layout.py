"""The files of a study's results; their paths are joined only here."""

from __future__ import annotations

import os
import re
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

_LONGEST_SLUG = 40
_NUMBER_WIDTH = 4
_TRY, _UNSTORED = ".attempt", ".unstored"
_EARLIER = re.compile(rf"(.+)(?:{re.escape(_TRY)}|{re.escape(_UNSTORED)})\d+")

ASIDE = ".old-"
"""Between the name of a folder that a new run has moved aside, and the time."""


class RunFolder(NamedTuple):
    """The folder of the results of one study, or of one experiment list.

    trials.db         every trial, in SQLite
    trials.jsonl      every finished trial again, to save it when trials.db is damaged
    logs/NAME.log     what a trial printed
    trials/NAME/      what a trial wrote (its KFTUNE_OUTPUT_DIR); NAME/ for the trials of an experiment list
    lock              held by the run that writes

    When a trial is started again, since it was interrupted or is retried, its earlier files end in ``.attempt1``,
    ``.attempt2``, … When it goes on after it has waited, it keeps its folder, and only its earlier log is renamed.
    Files that are here when a new trial gets its number end in ``.unstored1``, …: they are of a start that a kill kept
    from being stored, or of a file of trials that is gone, so they may have other values.
    """

    path: Path
    names: tuple[str, ...] = ()
    """The names of the trials of an experiment list; empty for the trials of a study."""

    @property
    def database(self) -> Path:
        """The file with the trials."""
        return self.path / "trials.db"

    @property
    def lines(self) -> Path:
        """The file with a second copy of the finished trials."""
        return self.path / "trials.jsonl"

    @property
    def lock(self) -> Path:
        """The file that is locked while a run writes here; it contains the process number."""
        return self.path / "lock"

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.path / "logs"

    @property
    def outputs(self) -> Path:
        """The folder of the files that trials write."""
        return self.path if self.names else self.path / "trials"

    def has_results(self) -> bool:
        """Whether trials are stored here, readable or not."""
        return os.path.lexists(self.database) or os.path.lexists(self.lines)

    def unstore(self, path: Path) -> None:
        """Moves a file or folder aside that is not of these results.

        Args:
            path: It, in this folder; it need not be there.
        """
        _rename(path, _UNSTORED, 1)

    def log(self, trial: str) -> Path:
        """Returns the log of the trial with this name."""
        return self.logs / f"{trial}.log"

    def output(self, trial: str) -> Path:
        """Returns the output folder of the trial with this name."""
        return self.outputs / trial

    def new_output(self, trial: str) -> Path:
        """Makes the output folder of a trial that starts from nothing, and returns it.

        Its log and its folder must not be there. If they are, they are of a start that is not stored, perhaps with
        other values, so they are moved aside.

        Args:
            trial: The trial's name.

        Raises:
            OSError: It cannot be made, or the files cannot be moved.
        """
        output = self.output(trial)
        self.unstore(self.log(trial))
        try:
            output.mkdir()
        except FileExistsError:
            if not _is_empty_folder(output):
                self.unstore(output)
                output.mkdir()
        return output

    def move_aside(self, trial: str, attempt: int, *, only_log: bool = False) -> None:
        """Renames the files of an earlier try, so that the next one finds none.

        Args:
            trial: The trial's name.
            attempt: Which try, from 1.
            only_log: Whether the next one goes on with the output folder.
        """
        _rename(self.log(trial), _TRY, attempt)
        if not only_log:
            _rename(self.output(trial), _TRY, attempt)

    def others(self) -> list[str]:
        """Returns the names of files and folders here that are not part of the results."""
        own = {*self.own_names(), *self.names, *(() if self.names else (self.outputs.name,))}
        earlier = tuple(f"{name}{end}" for name in self.names for end in (_TRY, _UNSTORED))
        found = {path.name for path in self.path.iterdir()} - own
        return sorted(name for name in found if not name.startswith((*earlier, self.database.name, self.lines.name)))

    def own_names(self) -> set[str]:
        """Returns the names in this folder that no trial of an experiment list may have."""
        own = {self.lock.name, self.logs.name, self.lines.name}
        return own | {
            f"{name}{end}" for name in ("trials.db", "trials.db.new") for end in ("", "-wal", "-shm", "-journal")
        }


def _rename(path: Path, end: str, number: int) -> None:
    """Renames a file or folder, if it is there, so that it ends in a word and the next free number."""
    if os.path.lexists(path):
        # A kill right here leaves files of a try that was never stored, so the number may be taken.
        while os.path.lexists(aside := path.with_name(f"{path.name}{end}{number}")):
            number += 1
        path.rename(aside)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and next(path.iterdir(), None) is None


def trial_of_file(name: str, names: Container[str]) -> str | None:
    """Returns which of the names a file has, also with the end of an earlier try; None if it has none of them.

    Args:
        name: The file's name.
        names: The names of logs, or of output folders.
    """
    if name in names:
        return name
    earlier = _EARLIER.fullmatch(name)
    return earlier[1] if earlier and earlier[1] in names else None


def slug(name: str) -> str:
    """Returns a study's name as part of file names: lower-case ASCII letters, digits and dashes, at most 40."""
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return text[:_LONGEST_SLUG].rstrip("-") or "study"


def trial_name(study_slug: str, number: int) -> str:
    """Returns a trial's name, such as ``circuits-lstm-0001``.

    Args:
        study_slug: The study's name, as `slug` gives it.
        number: The trial's number, from 1.
    """
    return f"{study_slug}-{number:0{_NUMBER_WIDTH}}"
