"""The rules that end a study: no_improvement, target, wall_clock and max_cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kftune.stopping import (
    RULES,
    EndedTrial,
    Histories,
    Report,
    StudyFacts,
    StudyRule,
    rules_from_spec,
    spec_from_rules,
)
from kftune.stopping.rules import rule_class

STUDY_RULES: dict[str, Any] = {
    "no_improvement": {"trials": 3, "min_delta": 0.01},
    "target": {"metrics": {"accuracy": {"at_least": 0.9}}, "convergence_epochs": 4, "training_time_per_epoch": 30},
    "wall_clock": {"limit": "2h"},
    "max_cost": {"limit": 5, "per_hour": 2},
}


def made(kind: str, settings: Any = None) -> StudyRule:
    (rule,) = rules_from_spec({kind: STUDY_RULES[kind] if settings is None else settings})
    assert isinstance(rule, StudyRule)
    return rule


def facts(objectives: Sequence[float | None] = (), *, minimize: bool = True, **more: Any) -> StudyFacts:
    ended = [EndedTrial(number, value, {}, 10.0, 1) for number, value in enumerate(objectives, 1)]
    return StudyFacts(Histories("loss", minimize=minimize), ended, **{"trial_seconds": 0.0, **more})


def test_every_rule_of_studies_has_an_example():
    assert {kind for kind in RULES if issubclass(rule_class(kind), StudyRule)} == STUDY_RULES.keys()


@pytest.mark.parametrize("kind", STUDY_RULES)
def test_settings_are_the_same_after_they_were_written(kind):
    assert rules_from_spec(spec_from_rules([made(kind)])) == (made(kind),)


@pytest.mark.parametrize(
    ("joins", "over"),
    [
        ([True, False, False], False),
        ([True, False, False, False], True),
        ([True, True, False, False, True], False),
        ([False] * 5, False),
        ([True, False, False, False, True], False),
    ],
)
def test_with_several_objectives_a_trial_is_better_if_it_joins_the_pareto_set(joins, over):
    ended = [
        EndedTrial(number, 1.0, {}, 10.0, 1)._replace(joins_pareto=joined) for number, joined in enumerate(joins, 1)
    ]
    why = made("no_improvement", 3).over(facts()._replace(ended=ended))
    assert why == ("nothing new has come into the Pareto set for 3 trials" if over else "")


@pytest.mark.parametrize("kind", STUDY_RULES)
def test_no_study_is_over_before_it_begins(kind):
    assert made(kind).over(facts()) == ""


@pytest.mark.parametrize(("kind", "value", "field"), [("no_improvement", 3, "trials"), ("wall_clock", 60, "limit")])
def test_a_single_value_is_the_setting_that_the_rule_names(kind, value, field):
    assert made(kind, value) == made(kind, {field: value})


@pytest.mark.parametrize(
    ("objectives", "over"),
    [
        ([1.0], False),
        ([1.0, 2, 2], False),
        ([1.0, 2, 2, 2], True),
        ([1.0, 1, 1, 1], True),  # an equal value is not better
        ([1.0, 2, 0.5, 2], False),
        ([1.0, 2, 0.5, 2, 2], False),
        ([1.0, 2, 0.5, 2, 2, 2], True),
        ([1.0, 0.995, 0.995, 0.995], True),  # better by less than min_delta
        ([1.0, None, None, None], True),  # trials without a value are not better
        ([None, None, None, None, None], False),
        ([None, 1.0, 2, 2], False),
        ([None, 1.0, 2, 2, 2], True),
    ],
)
@pytest.mark.parametrize("minimize", [True, False])
def test_no_improvement_counts_the_trials_since_the_best_one(objectives, over, minimize):
    values = [value if minimize or value is None else -value for value in objectives]
    assert bool(made("no_improvement").over(facts(values, minimize=minimize))) == over


@pytest.mark.parametrize(("seconds", "over"), [(7199, False), (7200, True), (9000, True)])
def test_wall_clock_ends_a_study_when_the_time_has_passed(seconds, over):
    study = facts(seconds=seconds)
    assert bool(made("wall_clock").over(study)) == over
    assert made("wall_clock").seconds_left(study) == max(0, 7200 - seconds)


@pytest.mark.parametrize(("seconds", "running", "over", "left"), [(0, 0, 0, None), (8999, 1, 0, 1), (9000, 2, 1, 0)])
def test_max_cost_is_the_time_of_all_trials_by_their_price(seconds, running, over, left):
    """5 at 2 an hour are two and a half hours of one trial."""
    study = facts(trial_seconds=float(seconds), running=running)
    assert bool(made("max_cost").over(study)) == bool(over)
    assert made("max_cost").seconds_left(study) == left


def test_max_cost_is_reached_sooner_by_more_trials_at_once():
    assert made("max_cost").seconds_left(facts(trial_seconds=1000.0, running=4)) == 2000


def measured(*trials: tuple[float | None, float, float, list[float]]) -> StudyFacts:
    """Facts of trials: objective, accuracy, seconds, and the curve of the objective."""
    histories, ended = Histories("loss", minimize=True), []
    for number, (objective, accuracy, seconds, curve) in enumerate(trials, 1):
        for value in curve:
            histories.add(number, Report("loss", value))
        ended.append(EndedTrial(number, objective, {"accuracy": accuracy}, seconds, len(curve)))
    return StudyFacts(histories, ended, 0.0)


GOOD = (0.1, 0.95, 60.0, [0.3, 0.1, 0.2])


@pytest.mark.parametrize(
    ("trial", "missed"),
    [
        (GOOD, []),
        ((0.1, 0.90, 90.0, [0.4, 0.3, 0.2, 0.1][1:]), []),  # exactly each target
        ((0.1, 0.89, 60.0, [0.3, 0.1, 0.2]), ["accuracy"]),
        ((0.1, 0.95, 91.0, [0.3, 0.1, 0.2]), ["training_time_per_epoch"]),
        ((0.1, 0.95, 60.0, [0.5, 0.4, 0.3, 0.2, 0.1]), ["convergence_epochs"]),
        ((0.1, 0.95, 60.0, []), ["training_time_per_epoch", "convergence_epochs"]),
    ],
)
def test_a_trial_must_meet_every_target(trial, missed):
    study = measured(trial)
    assert [target.name for target in made("target").targets(study) if not target.met] == missed
    assert bool(made("target").over(study)) == (not missed)


def test_one_trial_must_meet_all_targets_not_each_another():
    study = measured((0.1, 0.95, 900.0, [0.3, 0.1]), (0.1, 0.5, 10.0, [0.3, 0.1]))
    assert made("target").over(study) == ""


def test_the_result_is_that_of_the_trial_that_meets_most_and_of_equal_ones_of_the_best():
    worse, better, none = (0.3, 0.1, 30.0, [0.3]), (0.2, 0.2, 30.0, [0.2]), (None, 0.95, 1.0, [0.1])
    found = made("target").targets(measured(none, worse, better))
    assert [(each.name, each.met, each.trial, each.value) for each in found] == [
        ("accuracy", False, 3, 0.2),
        ("training_time_per_epoch", True, 3, 30.0),
        ("convergence_epochs", True, 3, 1),
    ]


def test_targets_have_no_value_while_there_is_no_trial():
    found = made("target").targets(measured())
    assert [(each.met, each.trial, each.result) for each in found] == [(False, None, "not met (no value)")] * 3
