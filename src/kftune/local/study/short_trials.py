"""Warns about trials that are too short for Katib."""

from __future__ import annotations

from kftune.local.study.events import Event, Note, OnEvent, StudyFinished, TrialFinished
from kftune.study import Study

# Katib's collector fails trials that end before it looks for their process. Trials of one second often did, trials of
# three seconds did not; a loaded node starts containers more slowly.
_SHORT = 10.0


def noting_short_trials(study: Study, emit: OnEvent) -> OnEvent:
    """Returns `emit`, with a note before the end of a study whose trials may be too short for its Katib target.

    Args:
        study: The study.
        emit: Called with each event.
    """
    if "katib" not in study.targets.model_fields_set or (study.targets.katib.min_runtime or 0) >= _SHORT:
        return emit
    durations: list[float] = []

    def noting(event: Event) -> None:
        if isinstance(event, TrialFinished) and event.state == "Succeeded" and event.duration < _SHORT:
            durations.append(event.duration)
        if isinstance(event, StudyFinished) and durations:
            emit(
                Note(
                    f"trials took less than {_SHORT:g} s, the shortest {min(durations):.1f} s: Katib "
                    f"fails trials that end before its collector looks for them; set targets.katib.min_runtime to "
                    f"{_SHORT:g}s"
                )
            )
        emit(event)

    return noting
