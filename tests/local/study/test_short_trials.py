"""The note about trials that are too short for Katib."""

from __future__ import annotations

from typing import Any

import pytest
from render_examples import make_study

from kftune.local.study.events import Event, Note, StudyFinished, TrialFinished
from kftune.local.study.short_trials import noting_short_trials
from kftune.study.targets import Targets


def notes_of(duration: float, targets: dict[str, Any]) -> list[str]:
    said: list[Event] = []
    emit = noting_short_trials(make_study().replace(targets=Targets(**targets)), said.append)
    details: dict[str, Any] = {
        "metrics": {},
        "values": {},
        "exit_code": 0,
        "message": "",
        "is_best": True,
        "finished": 1,
    }
    emit(TrialFinished(trial="t-1", number=1, state="Succeeded", objective=1.0, duration=duration, **details))
    emit(StudyFinished(state="Succeeded", reason="GoalReached", message="", counts={}, best=None, seconds=1.0))
    return [event.message for event in said if isinstance(event, Note)]


def test_a_study_for_katib_is_told_of_short_trials():
    (note,) = notes_of(1.2, {"katib": {"version": "0.19"}})
    assert "the shortest 1.2 s" in note
    assert "targets.katib.min_runtime" in note


@pytest.mark.parametrize(
    ("duration", "targets"),
    [(12, {"katib": {"version": "0.19"}}), (1, {}), (1, {"katib": {"min_runtime": "10s"}})],
)
def test_other_studies_are_not(duration, targets):
    assert notes_of(duration, targets) == []
