"""The lines of finished trials that a run writes, read as trials."""

from __future__ import annotations

from pathlib import Path

from kftune.errors import StoreError
from kftune.results.lines import read as read_lines
from kftune.results.tables import meta_from_text, trial_of
from kftune.results.trials import Recorded, Trials


def read(path: Path, place: str) -> Trials:
    """Returns the trials in a file ``trials.jsonl``.

    Args:
        path: The file.
        place: The file, for messages.

    Raises:
        StoreError: It has no study, or another version of kftune wrote it.
    """
    found = read_lines(path)
    if found.study is None:
        raise StoreError("none of its lines has the study, so nothing is known of its trials", place)
    try:
        meta = meta_from_text(found.study)
        trials = [trial_of(found.rows[number], meta) for number in sorted(found.rows)]
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"another version of kftune wrote these lines: {error}; use that one", place) from error
    notes = ["it has no curves, and only trials that have ended"]
    if found.damaged:
        notes.append(f"{found.damaged} of its lines are not as they were written, and are left out")
    return Recorded(meta, trials, place=place, notes=notes)
