"""Importances of hyperparameters."""

from __future__ import annotations

import sys

import pytest
from report_studies import CASES, sampled

from kftune.study_report.content import content_of
from kftune.study_report.importances import FEWEST, importances
from kftune.study_report.parameters import Parameter


def test_the_hyperparameter_that_decides_is_the_most_important():
    shares = content_of(sampled(200)).importances.shares
    assert next(iter(shares)) == "lr"
    assert shares["lr"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_direction_decides_which_trials_are_good(direction: str) -> None:
    values = [float(place) for place in range(40)]
    steady, noise = (
        Parameter("steady", values, True),
        Parameter("noise", [place * 17 % 40 for place in range(40)], True),
    )
    assert next(iter(importances([noise, steady], values, direction).shares)) == "steady"


@pytest.mark.parametrize(
    ("case", "note"),
    [
        ("no trial", "at least 10 trials with a result; there are 0"),
        ("equal values", "All results are equal"),
        ("nan and infinity", "there are 1"),
    ],
)
def test_a_sentence_says_why_there_are_none(case: str, note: str) -> None:
    found = content_of(CASES[case]).importances
    assert found.shares == {}
    assert note in found.note


def test_without_optuna_the_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    found = content_of(sampled(20)).importances
    assert found == ({}, "Importances need Optuna: pip install 'kftune[local]'.")


def test_a_hyperparameter_with_one_value_is_named():
    values = [float(place) for place in range(FEWEST)]
    found = importances([Parameter("x", values, True), Parameter("fixed", [1] * FEWEST, True)], values, "minimize")
    assert found.shares == {"x": 1}
    assert "Without fixed: one value only, or too many categories." in found.note


def test_a_text_that_differs_in_each_trial_is_left_out():
    values = [float(place) for place in range(200)]
    names = [f"text {place}" for place in range(200)]
    prompt = Parameter("prompt", names, False, categories=names)
    assert importances([prompt, Parameter("x", values, True)], values, "minimize").shares == {"x": 1}


def test_of_many_trials_an_even_part_is_taken_and_said():
    values = [float(place) for place in range(5000)]
    assert "1667 of 5000 trials" in importances([Parameter("x", values, True)], values, "minimize").note


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", ["extreme values", "a tiny range", "tiny numbers", "huge integers"])
def test_extreme_numbers_are_taken_as_shares_of_their_range(case: str) -> None:
    assert content_of(CASES[case]).importances.note
