"""Warns about values of which only a part is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from kftune.local.study.events import Event, Note, OnEvent, TrialFinished
from kftune.local.study.failure import LONGEST_LINE, end_of, readable
from kftune.local.study.missing_objective import SEARCHED
from kftune.metrics.cut_numbers import CutNumber


def noting_cut_numbers(
    log: Callable[[str], Path], find: Callable[[Iterable[bytes]], Iterable[CutNumber]], remedy: str, emit: OnEvent
) -> OnEvent:
    """Returns `emit`, with a note before the end of the first trial of which only a part of a metric's value is read.

    Args:
        log: Returns the file in which a trial's metrics are.
        find: Returns what its lines show.
        remedy: What to do if a group that reads each number helps; empty for Katib's default filter.
        emit: Called with each event.
    """
    noted: set[str] = set()

    def noting(event: Event) -> None:
        if isinstance(event, TrialFinished) and (file := log(event.trial)).is_file():
            for cut in find(end_of(file, SEARCHED).split(b"\n")):
                if cut.metric not in noted:
                    noted.add(cut.metric)
                    emit(Note(f"{event.trial}: {_told(cut)}; {cut.remedy(remedy)}"))
        emit(event)

    return noting


def _told(cut: CutNumber) -> str:
    line = readable(cut.text.encode("utf-8", "surrogateescape"))[:LONGEST_LINE]
    return f"{cut.metric} is read as {cut.read!r} in the line {line!r}, where {cut.whole!r} stands"
