"""The views of a run for several entities."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from entity_runs import many, run
from rich.console import Console, Group

from kftune.local.entities.events import EntitiesFinished
from kftune.local.study.events import Event, TrialFinished, TrialPaused, TrialRetries, TrialStarted
from kftune.local.views.entities_board import EntitiesBoard
from kftune.local.views.entities_live import LiveEntitiesView
from kftune.local.views.entities_plain import PlainEntitiesView


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """Returns the events of a run for 20 entities, of which one fails."""
    script = '[ "$0" = e7 ] && exit 3; echo loss=0.5'
    a_study = many([f"e{index}" for index in range(20)], 2, script, budget={"max_failed": 1, "parallel": 3})
    return run(a_study, tmp_path_factory.mktemp("entities") / "runs")[1]


def plain(events: list[Event]) -> list[str]:
    out = io.StringIO()
    view = PlainEntitiesView(out, ["kftune best x"])
    for event in events:
        view(event)
    return out.getvalue().splitlines()


def frames(events: list[Event]) -> list[str]:
    """Returns what a terminal has shown after each event, and at the end."""
    console, view, shown = Console(file=io.StringIO(), width=100), LiveEntitiesView(io.StringIO(), ["next"]), []
    for event in events:
        view._apply(event)
        with console.capture() as captured:
            console.print(Group(*view._frame(), *view._summary()))
        shown.append(captured.get())
    return shown


def test_each_plain_line_about_a_trial_has_its_entity_and_how_far_the_run_is(events):
    lines = plain(events)
    assert lines[0] == "Small study: minimize loss, random, 20 entities, 40 trials, 3 at once"
    numbers = [line.partition("]")[0] for line in lines if line.startswith("[")]
    assert numbers == [f"[{number}/40" for number in range(1, 40)]
    assert "e7: Failed (MaxFailedReached): 1 of 1 trials have failed" in "\n".join(lines)
    assert sum(line.startswith("progress: ") for line in lines) == 20
    assert lines[-1] == "next: kftune best x"


def test_a_run_without_a_result_offers_no_command_that_shows_one(events):
    *others, end = events
    none = replace(end, counts={"Failed": 3, "Killed": 1})
    assert not any("next" in text for text in (*plain([*others, none]), *frames([*others, none])))


def test_a_progress_line_has_news(tmp_path):
    _, events = run(many({"items": list("abcdefgh"), "budget": {"max_trials": 8}}), tmp_path / "runs")
    told = [line for line in plain(events) if line.startswith("progress: ")]
    assert len(told) == 1
    assert told[0].startswith("progress: 8/8 trials, ")


def test_a_run_that_goes_on_counts_from_where_it_was(tmp_path):
    each = {"items": list("abc"), "budget": {"max_trials": 2}}
    run(many(each), tmp_path / "runs")
    _, events = run(many({"items": list("abc"), "budget": {"max_trials": 4}}), tmp_path / "runs")
    lines = plain(events)
    assert "resuming: 2 trials finished earlier" in lines
    assert [line.partition("]")[0] for line in lines if line.startswith("[")] == ["[3/4", "[4/4"]
    assert "a: resuming: 1 trial finished earlier" in lines


def test_what_waits_or_is_tried_again_has_its_entity_too():
    waits = TrialPaused(trial="t-1", number=1, objective=1.0, duration=2.0, message="waits", entity="a")
    again = TrialRetries("t-1", 1, 1, "failed", "failed", entity="a")
    goes_on = TrialStarted(trial="t-1", number=1, attempt=2, values={}, log="", goes_on=True, entity="a")
    assert plain([waits, again, goes_on]) == [
        "a: t-1 after 2.0 s waits",
        "a: t-1 attempt 1 failed",
        "a: t-1 goes on (attempt 2): ",
    ]


def test_trials_of_different_entities_with_the_same_number_are_different():
    board = EntitiesBoard()
    for entity in "ab":
        board.apply(TrialStarted(trial=f"{entity}-1", number=1, attempt=1, values={}, log="", entity=entity))
    assert list(board.running) == [("a", 1), ("b", 1)]


def test_the_live_view_shows_entities_and_how_far_the_run_is(events):
    shown = frames(events)
    middle = shown[len(shown) // 2]
    assert "Small study: minimize loss, random, 20 entities" in middle
    assert "/40 trials" in middle
    assert "running" in middle
    assert "ended last" in middle
    assert "of 20 entities have ended" in shown[-2]
    assert "Failed (Completed): 39 of 40 trials" in shown[-1]
    assert "entities: 1 MaxFailedReached, 19 MaxTrialsReached" in shown[-1]


def test_the_last_event_has_all_counts(events):
    (end,) = [event for event in events if isinstance(event, EntitiesFinished)]
    ended = [event for event in events if isinstance(event, TrialFinished)]
    assert sum(end.counts.values()) == len(ended) == 39
    assert end.failed == ["e7"]
