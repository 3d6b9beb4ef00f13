"""The report for a terminal."""

from __future__ import annotations

import pytest
from report_studies import CASES, recorded, sampled

from kftune.study_report.text import report_text


@pytest.mark.parametrize("case", CASES)
def test_every_study_gives_a_text_without_letters_that_control_a_terminal(case: str) -> None:
    text = report_text(CASES[case], 80)
    assert [letter for letter in text if not letter.isprintable() and letter != "\n"] == []


@pytest.mark.parametrize("width", [10, 40, 80, 1000])
def test_plots_fit_the_width(width: int) -> None:
    _, *plots = report_text(sampled(40), width).split("\n\n")
    assert max(len(line) for plot in plots for line in plot.splitlines()) <= max(width, 44)


def test_colours_are_only_there_when_they_are_asked_for():
    assert "\x1b[" in report_text(sampled(12), 80, colours=True)
    assert "\x1b" not in report_text(sampled(12), 80)


def test_without_blocks_everything_is_ascii():
    assert report_text(sampled(40), 80, is_unicode=False).isascii()
    assert "█" in report_text(sampled(40), 80)


def test_the_history_shows_the_best_so_far():
    text = report_text(recorded([{"x": place} for place in range(4)], [4.0, 3.0, 1.0, 2.0]), 52)
    assert text[text.index("history") :].split("\n\n")[0].splitlines()[1:11] == [
        "         4 |-------------",
        "           |",
        "           |",
        "           |             -------------",
        "           |",
        "           |",
        "           |                                       .",
        "           |",
        "           |",
        "         1 |                          *-------------",
    ]


def test_a_slice_is_high_where_the_trials_are_good():
    line = next(each for each in report_text(sampled(60), 80).splitlines() if each.startswith("  lr") and "|" in each)
    marks = line.split("|")[1]
    assert marks[0] in "▁▂"
    assert {"▇", "█"} & set(marks[15:25])


def test_failures_are_counted_by_their_message():
    assert "  3 Failed, first small-0001: exit code 1 Traceback\n" in report_text(CASES["all failed"], 80)
