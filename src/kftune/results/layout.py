"""The files of a study's results; their paths are joined only here."""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

_LONGEST_SLUG = 40
_NUMBER_WIDTH = 4
_EARLIER = re.compile(r"(.+)\.attempt\d+")

ASIDE = ".old-"
"""Between the name of a folder that a new run has moved aside, and the time."""


INDEX = "entities.json"
"""The file that says which entity has which folder, above their folders."""


class RunFolder(NamedTuple):
    """The folder of the results of one study, or of one experiment list.

    trials.db         every trial, in SQLite
    logs/NAME.log     what a trial printed
    trials/NAME/      what a trial wrote (its KFTUNE_OUTPUT_DIR); NAME/ for the trials of an experiment list
    lock              held by the run that writes

    When a trial is started again, since it was interrupted or is retried, its earlier files end in ``.attempt1``,
    ``.attempt2``, … When it goes on after it has waited, it keeps its folder, and only its earlier log is renamed.
    """

    path: Path
    names: tuple[str, ...] = ()
    """The names of the trials of an experiment list; empty for the trials of a study."""

    @property
    def database(self) -> Path:
        """The file with the trials."""
        return self.path / "trials.db"

    @property
    def lock(self) -> Path:
        """The file that is locked while a run writes here; it contains the process number."""
        return self.path / "lock"

    @property
    def lock_above(self) -> Path | None:
        """The file that is locked while a run for several entities writes here; None if this is not one of them."""
        above = self.path.absolute().parent
        return above / self.lock.name if (above / INDEX).is_file() else None

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.path / "logs"

    @property
    def outputs(self) -> Path:
        """The folder of the files that trials write."""
        return self.path if self.names else self.path / "trials"

    def log(self, trial: str) -> Path:
        """Returns the log of the trial with this name."""
        return self.logs / f"{trial}.log"

    def output(self, trial: str) -> Path:
        """Returns the output folder of the trial with this name."""
        return self.outputs / trial

    def move_aside(self, trial: str, attempt: int, *, only_log: bool = False) -> None:
        """Renames the files of an earlier try, so that the next one finds none.

        Args:
            trial: The trial's name.
            attempt: Which try, from 1.
            only_log: Whether the next one goes on with the output folder.
        """
        for path in (self.log(trial),) if only_log else (self.log(trial), self.output(trial)):
            if path.exists():
                number = attempt
                # A kill right here leaves files of a try that was never stored.
                while (aside := path.with_name(f"{path.name}.attempt{number}")).exists():
                    number += 1
                path.rename(aside)

    def others(self) -> list[str]:
        """Returns the names of files and folders here that are not part of the results."""
        own = {*self.own_names(), *self.names, *(() if self.names else (self.outputs.name,))}
        earlier = tuple(f"{name}.attempt" for name in self.names)
        found = {path.name for path in self.path.iterdir()} - own
        return sorted(name for name in found if not name.startswith(earlier))

    def own_names(self) -> set[str]:
        """Returns the names in this folder that no trial of an experiment list may have."""
        return {self.lock.name, self.logs.name, *(f"trials.db{end}" for end in ("", "-wal", "-shm", "-journal"))}


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
