"""Names of the files that a study's results are kept in; nothing else joins these paths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_LONGEST_SLUG = 40
_NUMBER_WIDTH = 4


class RunFolder(NamedTuple):
    """The folder of one study's results.

    trials.db         every trial, in SQLite
    logs/NAME.log     what a trial printed
    trials/NAME/      what a trial wrote (its KFTUNE_OUTPUT_DIR)
    lock              held by the run that writes

    Of a trial that was cut short and started again, the earlier files end in ``.attempt1``, ``.attempt2``, …
    """

    path: Path

    @property
    def database(self) -> Path:
        """The trials."""
        return self.path / "trials.db"

    @property
    def lock(self) -> Path:
        """Locked as long as a run writes here; holds the number of its process."""
        return self.path / "lock"

    @property
    def logs(self) -> Path:
        """Folder of all logs."""
        return self.path / "logs"

    @property
    def outputs(self) -> Path:
        """Folder of all that trials write."""
        return self.path / "trials"

    def log(self, trial: str) -> Path:
        """What the trial of that name printed."""
        return self.logs / f"{trial}.log"

    def output(self, trial: str) -> Path:
        """What the trial of that name wrote."""
        return self.outputs / trial


def slug(name: str) -> str:
    """A study's name as a part of file names: small ASCII letters, digits and dashes, at most 40."""
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return text[:_LONGEST_SLUG].rstrip("-") or "study"


def trial_name(study_slug: str, number: int) -> str:
    """The name of trial number `number`, from 1: ``circuits-lstm-0001``."""
    return f"{study_slug}-{number:0{_NUMBER_WIDTH}}"
