"""The views of a running study: plain lines, and the live table in a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from local_study import run, sh, study
from places import SUPPORT

from kftune.local.study.events import (
    Event,
    MetricReported,
    Note,
    StudyFinished,
    StudyStarted,
    TrialFinished,
    TrialPaused,
    TrialRetries,
    TrialStarted,
)
from kftune.local.views import study_view
from kftune.local.views.formatting import assignments, clock, number_text, value_text
from kftune.local.views.study_board import StudyBoard
from kftune.local.views.study_live import LiveStudyView
from kftune.local.views.study_plain import PlainStudyView

VALUES = {"lr": 0.00123456, "units": 64, "name": "two words"}
BEST = {"trial": "demo-0001", "objective": 0.25, "metrics": {"loss": 0.25, "acc": 0.9}, "values": VALUES}
STARTED = StudyStarted(
    study="demo",
    folder="runs/demo",
    algorithm="tpe",
    seed=7,
    objective="loss",
    direction="minimize",
    goal=0.1,
    max_trials=4,
    total=4,
    parallel=2,
    wall_clock=None,
    finished=1,
)
SUCCEEDED = TrialFinished(
    trial="demo-0001",
    number=1,
    state="Succeeded",
    objective=1.0,
    metrics={},
    values={},
    duration=10.0,
    exit_code=0,
    message="",
    is_best=True,
    finished=1,
)
STORY: list[Event] = [
    STARTED,
    Note(message="something to know"),
    TrialStarted(trial="demo-0001", number=1, attempt=2, values=VALUES, log="runs/demo/logs/demo-0001.log"),
    TrialStarted(trial="demo-0002", number=2, attempt=1, values={"lr": 0.1, "units": 8, "name": "x"}, log="log"),
    MetricReported(trial="demo-0001", number=1, metric="loss", value=0.25, text="0.25", step=3),
    MetricReported(trial="demo-0001", number=1, metric="acc", value=0.9, text="0.9", step=3),
    replace(SUCCEEDED, objective=0.25, metrics={"loss": 0.25, "acc": 0.9}, values=VALUES, duration=75.2, finished=2),
    TrialFinished(
        trial="demo-0002",
        number=2,
        state="Failed",
        objective=None,
        metrics={},
        values={"lr": 0.1},
        duration=3.04,
        exit_code=1,
        message="exit code 1; it printed nothing",
        is_best=False,
        finished=3,
    ),
]
END = StudyFinished(
    state="Succeeded",
    reason="GoalReached",
    message="the goal",
    counts={"Failed": 1, "Succeeded": 3},
    best=BEST,
    seconds=3725.0,
)


def summary(number: int, loss: float, size: float) -> dict[str, Any]:
    metrics = {"loss": loss, "size": size}
    return {"trial": f"demo-{number:04}", "objective": loss, "metrics": metrics, "values": {"units": size}}


def ended(number: int, loss: float, size: float, *, is_best: bool = True) -> TrialFinished:
    return replace(SUCCEEDED, number=number, is_best=is_best, **summary(number, loss, size))


SEVERAL = replace(
    STARTED,
    objectives=[
        {"name": "loss", "reduce": "min", "direction": "minimize", "goal": 0.1},
        {"name": "size", "reduce": "min", "direction": "minimize", "goal": None},
    ],
    pareto=[summary(1, 0.5, 8)],
    best=summary(1, 0.5, 8),
)
TRADE_OFFS: list[Event] = [
    SEVERAL,
    TrialStarted(trial="demo-0002", number=2, attempt=1, values={"units": 4}, log="log"),
    MetricReported(trial="demo-0002", number=2, metric="epoch", value=1, text="1", step=1),
    MetricReported(trial="demo-0002", number=2, metric="loss", value=0.75, text="0.75", step=1),
    MetricReported(trial="demo-0002", number=2, metric="size", value=4, text="4", step=2),
    MetricReported(trial="demo-0002", number=2, metric="epoch", value=2, text="2", step=2),
]
PARETO_END = replace(END, best=summary(3, 0.4, 8), pareto=[summary(3, 0.4, 8), summary(2, 0.7, 4)])


def test_the_board_keeps_the_pareto_set_and_shows_all_objectives():
    board = StudyBoard()
    for event in TRADE_OFFS:
        board.apply(event)
    assert board.running[2].metric == "loss=0.75 size=4"
    board.apply(ended(2, 0.7, 4))
    assert [*board.pareto] == ["demo-0001", "demo-0002"]
    board.apply(ended(3, 0.4, 8))  # better than the first in one objective, and as good in the other
    board.apply(ended(4, 0.9, 9, is_best=False))
    assert [*board.pareto] == ["demo-0003", "demo-0002"]
    assert board.best == summary(3, 0.4, 8)


def test_plain_lines_of_several_objectives():
    out = io.StringIO()
    with PlainStudyView(out, ["kftune best study.yaml"]) as view:
        for event in [SEVERAL, ended(2, 0.7, 4), PARETO_END]:
            view(event)
    lines = out.getvalue().splitlines()
    assert lines[0] == "demo: minimize loss (goal 0.1), minimize size, tpe with seed 7, 4 trials, 2 at once"
    assert lines[3:4] + lines[6:] == [
        "[1/4] demo-0002 Succeeded in 10 s: loss=0.7 size=4, in the Pareto set so far",
        "Pareto set: 2 trials (no other trial is as good in every objective and better in one)",
        "demo-0003 loss=0.4 size=8",
        "  units=8",
        "demo-0002 loss=0.7 size=4",
        "  units=4",
        "next: kftune best study.yaml",
    ]


def test_a_long_pareto_set_is_cut_in_both_views():
    pareto = [summary(number, 1 - number / 100, number) for number in range(1, 14)]
    end = replace(END, best=pareto[0], pareto=pareto)
    for shown in (plain, summary_of):
        text = shown([SEVERAL, end])
        assert "demo-0010" in text
        assert "demo-0011" not in text
        assert "and 3 more" in text


def summary_of(events: list[Event]) -> str:
    """What the live view leaves behind."""
    out = io.StringIO()
    with LiveStudyView(out) as view:
        for event in events:
            view(event)
    return out.getvalue()


def test_the_live_view_shows_the_pareto_set():
    text = frame([*TRADE_OFFS, ended(2, 0.7, 4)])
    assert "Pareto set so far: 2, with demo-0001  loss=0.5 size=8  units=8" in text
    assert re.search(r"demo-0002 +units=4 +loss=0.7 size=4 +Succeeded", text)
    text = summary_of([*TRADE_OFFS, PARETO_END])
    assert re.search(r"Pareto set: 2 +loss +size +values", text)
    assert re.search(r"demo-0003 +0.4 +8 +units=8", text)


def test_plain_lines_tell_the_story():
    out = io.StringIO()
    with PlainStudyView(out, ["kftune best study.yaml"]) as view:
        for event in [*STORY, END]:
            view(event)
    assert out.getvalue().splitlines() == [
        "demo: minimize loss (goal 0.1), tpe with seed 7, 4 trials, 2 at once",
        "results in runs/demo",
        "resuming: 1 trial finished earlier",
        "note: something to know",
        "demo-0001 started (attempt 2): lr=0.001235 units=64 name=two words",
        "demo-0002 started: lr=0.1 units=8 name=x",
        "[2/4] demo-0001 Succeeded in 1:15: loss=0.25 acc=0.9, the best so far",
        "[3/4] demo-0002 Failed in 3.0 s: exit code 1; it printed nothing",
        "Succeeded (GoalReached): the goal",
        "trials: 1 Failed, 3 Succeeded; 1:02:05",
        "best: demo-0001 loss=0.25 acc=0.9",
        "  lr=0.001235 units=64 name=two words",
        "next: kftune best study.yaml",
    ]


def test_where_the_space_has_fewer_points_than_the_budget_the_points_are_the_total():
    text = plain([replace(STARTED, max_trials=50, total=18), SUCCEEDED])
    assert "18 trials (all points; the budget is 50), 2 at once" in text
    assert "[1/18] demo-0001" in text
    assert "1/18 trials" in frame([replace(STARTED, max_trials=50, total=18)])


def test_a_trial_that_starts_again_is_told_and_no_longer_shown_as_running():
    again = TrialRetries("demo-0002", 2, 1, "starts again: was ended from outside by SIGKILL", "lost")
    line = "demo-0002 attempt 1 starts again: was ended from outside by SIGKILL"
    assert line in plain([*STORY[:6], again]).splitlines()
    shown = frame([*STORY[:6], again])
    assert line in shown
    assert "lr=0.1 units=8 name=x" not in shown


def test_a_trial_that_waits_is_told_and_no_longer_shown_as_running_until_it_goes_on():
    message = "paused by asha: at rung 1 its value is 3"
    paused = TrialPaused(trial="demo-0002", number=2, objective=3.0, duration=4.0, message=message)
    assert f"demo-0002 after 4.0 s {message}" in plain([*STORY[:6], paused]).splitlines()
    assert "lr=0.1 units=8 name=x" not in frame([*STORY[:6], paused])
    started = next(event for event in STORY if isinstance(event, TrialStarted) and event.number == 2)
    goes_on = replace(started, attempt=2, goes_on=True)
    assert "demo-0002 goes on (attempt 2): " in plain([*STORY[:6], paused, goes_on])
    assert "lr=0.1 units=8 name=x" in frame([*STORY[:6], paused, goes_on])


STOPPED = replace(
    SUCCEEDED,
    trial="demo-0002",
    number=2,
    state="EarlyStopped",
    message="stopped early by bandit: too far",
)


def test_a_stopped_trial_is_told_with_the_rule_and_counted():
    stopped = replace(STOPPED, metrics={"loss": 0.5})
    line = "demo-0002 EarlyStopped in 10 s: loss=0.5, the best so far: stopped early by bandit: too far"
    assert line in plain([STARTED, stopped])
    shown = frame([STARTED, STOPPED])
    assert "demo-0002 stopped early by bandit: too far" in shown
    assert "1 stopped early" in shown


def test_targets_are_told_at_the_end():
    targets = [
        {"name": "acc", "met": False, "trial": 1, "value": 0.9, "at_least": 0.95, "at_most": None},
        {"name": "size", "met": True, "trial": 1, "value": 4.0, "at_least": 1.0, "at_most": 5.0},
    ]
    end = replace(END, targets=targets)
    out = io.StringIO()
    with LiveStudyView(out) as view:
        view(STARTED)
        view(end)
    for text in (plain([STARTED, end]), out.getvalue()):
        assert "target acc at least 0.95: not met (0.9)" in text
        assert "target size at least 1 and at most 5: met (4)" in text


def frame(events: list[Event]) -> str:
    """What a terminal of 120 columns shows after these events."""
    out = io.StringIO()
    view = LiveStudyView(out, ["kftune best study.yaml"])
    view._console.width = 120
    for event in events:
        view(event)
    view._console.print(view._draw())
    return out.getvalue()


def plain(events: list[Event]) -> str:
    out = io.StringIO()
    view = PlainStudyView(out)
    for event in events:
        view(event)
    return out.getvalue()


def test_the_live_view_shows_what_runs_what_ended_and_the_best():
    shown_now = frame(STORY[:6])
    assert "demo: minimize loss (goal 0.1), tpe with seed 7, 4 trials, 2 at once" in shown_now
    assert "1/4 trials" in shown_now
    assert re.search(r"demo-0001 +lr=0.001235 units=64 name=two words +loss=0.25 +3 ", shown_now)
    assert "note: something to know" in shown_now
    later = frame(STORY)
    assert "3/4 trials, 1 failed" in later
    assert re.search(r"demo-0001 +lr=0.001235 units=64 name=two words +0.25 +Succeeded +1:15", later)
    assert "demo-0002 Failed: exit code 1; it printed nothing" in later
    assert "best so far demo-0001  0.25  lr=0.001235 units=64 name=two words" in later
    assert re.search(r"about \d+\.?\d* s left", later)


def test_the_live_view_leaves_a_summary():
    out = io.StringIO()
    with LiveStudyView(out, ["kftune best study.yaml"]) as view:
        for event in [*STORY, END]:
            view(event)
    text = out.getvalue()
    assert "Succeeded (GoalReached): the goal" in text
    assert re.search(r"best trial +demo-0001", text)
    assert re.search(r"loss +0.25", text)
    assert "next: kftune best study.yaml" in text


@pytest.mark.parametrize(
    "shown_by", [lambda events: frame(events), lambda events: plain(events)], ids=["live", "plain"]
)
def test_hostile_values_cannot_draw_on_the_terminal(shown_by):
    hostile = {"a": "\x1b[2Jline\nbreak", "b": "[bold]not markup[/bold]", "c": ""}
    start = TrialStarted(trial="demo-0001", number=1, attempt=1, values=hostile, log="log")
    text = shown_by([STARTED, start])
    assert "\x1b[2J" not in text
    assert r"\u001b[2Jline\nbreak" in text
    assert "[bold]not markup[/bold]" in text
    assert 'c=""' in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.2, "59 s"), (60, "1:00"), (3599.7, "1:00:00")]
)
def test_durations_are_short_to_read(seconds, text):
    assert clock(seconds) == text


def test_numbers_and_values_are_short_to_read():
    assert [number_text(value) for value in (0.5, 12.0, 1e-07, 123456.789, 1e20)] == [
        "0.5",
        "12",
        "1e-07",
        "1.235e+05",
        "1e+20",
    ]
    assert value_text([1, "a", None]) == '[1, "a", null]'
    assert value_text("x" * 50) == "x" * 39 + "…"
    assert assignments({"a": True, "b": None}) == "a=true b=null"


def test_the_time_left_counts_parallel_trials():
    board = StudyBoard()
    board.apply(replace(STARTED, max_trials=10, total=10, finished=0))
    assert board.left is None
    board.apply(SUCCEEDED)
    assert board.left == pytest.approx(50, abs=1)
    board.apply(TrialStarted(trial="d-0002", number=2, attempt=1, values={}, log="log"))
    assert board.left == pytest.approx(50, abs=1)


def test_the_time_left_ends_with_the_wall_clock():
    board = StudyBoard()
    board.apply(replace(STARTED, max_trials=10, total=10, finished=0, wall_clock=30.0))
    board.apply(SUCCEEDED)
    assert board.left == pytest.approx(30, abs=1)


def test_a_pipe_gets_plain_lines_and_a_terminal_the_live_view(tmp_path):
    out = io.StringIO()
    assert isinstance(study_view(out), PlainStudyView)
    a_study = study(sh("echo loss=0.5"), trials=2)
    with study_view(out) as view:
        events = run(a_study, tmp_path / "a")[1]
        for event in events:
            view(event)
    assert "[2/2] small-study-0002 Succeeded" in out.getvalue()
    code = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
from local_study import study, sh, run_study
from kftune.local.views import study_view
with study_view(sys.stdout) as view:
    assert type(view).__name__ == "LiveStudyView"
    run_study(study(sh("echo loss=0.5; sleep 0.5"), trials=2), {str(tmp_path / "b")!r}, on_event=view)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    text = terminal([sys.executable, str(script)])
    assert "1/2 trials" in text
    assert re.search("best trial.*small-study-0001", text)


def terminal(command: list[str]) -> str:
    """What a command writes to a terminal."""
    reader, writer = pty.openpty()
    with subprocess.Popen(command, stdin=writer, stdout=writer, stderr=writer) as process:
        os.close(writer)
        pieces = []
        while True:
            try:
                piece = os.read(reader, 65536)
            except OSError:  # the terminal's other side is closed
                break
            pieces.append(piece)
        os.close(reader)
        assert process.wait(30) == 0, b"".join(pieces).decode()
    return b"".join(pieces).decode()


def test_without_rich_a_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    for module in ("live", "study_live"):
        monkeypatch.delitem(sys.modules, f"kftune.local.views.{module}", raising=False)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(study_view(Terminal()), PlainStudyView)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TERM", "dumb"),
        ("TERM", ""),
        ("JPY_PARENT_PID", "7"),
        ("MPLBACKEND", "module://matplotlib_inline.backend_inline"),
    ],
)
def test_what_cannot_redraw_a_table_gets_plain_lines(monkeypatch, name, value):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(study_view(Terminal()), LiveStudyView)
    monkeypatch.setenv(name, value)
    assert isinstance(study_view(Terminal()), PlainStudyView)


def test_the_best_so_far_is_above_the_tables():
    shown = frame(STORY)
    assert shown.rindex("best so far") < shown.rindex("ended last")
