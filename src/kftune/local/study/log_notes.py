"""Notes about metrics in the logs of trials: values of which only a part is read, and metrics without a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kftune.local.study.events import Event, Note, OnEvent, TrialFinished
from kftune.local.study.missing_objective import SEARCHED, not_read, shown_line
from kftune.metrics.cut_numbers import CutNumber
from kftune.metrics.near_lines import NearLine

Near = Callable[[str, Iterable[bytes]], Iterator[NearLine]]
"""Finds the lines that almost have a value of a metric."""
Cuts = Callable[[Iterable[bytes]], Iterable[CutNumber]]
"""Finds the values of which only a part is read."""


def noting_metrics(
    end: Callable[[str, int], bytes | None], more: Iterable[str], near: Near, cuts: Cuts, emit: OnEvent
) -> OnEvent:
    """Returns `emit`, with a note before the end of the first trial in which a metric is not read, or not wholly.

    Args:
        end: Returns the last bytes of what a trial's metrics are read from; None if there is no file.
        more: The metrics beside the objective.
        near: Explains lines of the file.
        cuts: Finds values in the file.
        emit: Called with each event.
    """
    noted: set[str] = set()

    def notes(trial: TrialFinished, lines: list[bytes]) -> Iterator[tuple[str, str]]:
        for cut in cuts(lines):
            text = shown_line(cut.text)
            yield cut.metric, f"is read as {cut.read!r} in the line {text!r}, where {cut.whole!r} stands; {cut.remedy}"
        for name in more:
            if name not in trial.metrics and trial.state == "Succeeded" and name not in noted:
                line = next(near(name, lines), None)
                yield name, f"has no value; {not_read(line) if line else 'nothing in the log is like it'}"

    def noting(event: Event) -> None:
        if isinstance(event, TrialFinished) and (text := end(event.trial, SEARCHED)) is not None:
            for metric, note in notes(event, text.split(b"\n")):
                if metric not in noted:
                    noted.add(metric)
                    emit(Note(f"{event.trial}: {metric} {note}"))
        emit(event)

    return noting
