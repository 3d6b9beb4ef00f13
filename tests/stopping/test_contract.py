"""What holds for every stopping rule, with each of its examples."""

from __future__ import annotations

import copy
import random
import time

import pytest
from stopping_examples import COMPARES, TRIAL_RULES, curve, histories, replay, stops, trial_rule

from kftune.stopping import RULES, Histories, Report, TrialRule, rules_from_spec, spec_from_rules
from kftune.stopping.rules import rule_class

CURVES = {number: curve(number) for number in range(1, 25)}
every_rule = pytest.mark.parametrize("name", TRIAL_RULES)
every_comparison = pytest.mark.parametrize("name", COMPARES)


def test_every_rule_of_trials_has_an_example():
    kinds = {kind for kind in RULES if issubclass(rule_class(kind), TrialRule)}
    assert {name.split(" ")[0] for name in TRIAL_RULES} == kinds


def test_every_rule_has_the_kind_by_which_it_is_found():
    assert {kind: rule_class(kind).kind for kind in RULES} == {kind: kind for kind in RULES}


@every_rule
def test_a_rule_stops_some_trials_and_not_all(name):
    stopped = {trial for trial, _ in stops(replay(trial_rule(name), CURVES, parallel=4))}
    assert 0 < len(stopped) < len(CURVES)


@every_rule
def test_the_same_question_has_the_same_answer(name):
    rule, before = trial_rule(name), histories(CURVES, ended=range(1, 20))
    first = [rule.judge(number, before) for number in CURVES]
    assert [rule.judge(number, before) for number in CURVES] == first
    assert [rule.judge(number, copy.deepcopy(before)) for number in reversed(CURVES)] == first[::-1]


@every_rule
def test_negated_values_to_maximize_are_judged_as_the_values_to_minimize(name):
    rule = trial_rule(name)
    negated = {number: [-value for value in values] for number, values in CURVES.items()}
    assert stops(replay(rule, negated, minimize=False)) == stops(replay(rule, CURVES))


@every_rule
def test_negated_values_to_minimize_are_judged_as_the_values_to_maximize(name):
    rule = trial_rule(name)
    negated = {number: [-value for value in values] for number, values in CURVES.items()}
    assert stops(replay(rule, negated)) == stops(replay(rule, CURVES, minimize=False))


@every_comparison
@pytest.mark.parametrize("shift", [-5.0, -1.0, 0.0, 5.0])
@pytest.mark.parametrize("minimize", [True, False])
def test_the_trial_that_leads_at_every_report_is_never_stopped(name, shift, minimize):
    sign = 1 if minimize else -1
    others = {number: [sign * (value + shift) for value in values] for number, values in CURVES.items()}
    columns = [*zip(*others.values(), strict=True)]
    leader = [(min(column) - 0.01 if minimize else max(column) + 0.01) for column in columns]
    for place in (0, 1, 13, 99):
        seen = replay(
            trial_rule(name), {**others, place: leader} if place else {place: leader, **others}, minimize=minimize
        )
        assert place not in [trial for trial, _ in stops(seen)]


@every_comparison
def test_equal_trials_all_go_on(name):
    assert stops(replay(trial_rule(name), {number: [1.0] * 12 for number in range(1, 12)}, parallel=3)) == []


@every_comparison
def test_one_trial_alone_goes_on(name):
    rising = [float(value) for value in range(12)]
    assert stops(replay(trial_rule(name), {1: rising})) == []


@every_rule
def test_no_trial_is_stopped_before_the_delay(name):
    rule = trial_rule(name)
    first = max(getattr(rule, name, 1) for name in ("delay", "start_step", "min_resource"))
    assert min(report for _, report in stops(replay(rule, CURVES, parallel=4))) >= first


@every_rule
def test_the_order_of_the_other_trials_does_not_matter(name):
    rule, numbers = trial_rule(name), [*CURVES]
    expected = [rule.judge(24, histories(CURVES, ended=range(1, 24)))]
    for seed in range(5):
        shuffled = random.Random(seed).sample(numbers, len(numbers))
        found = histories({number: CURVES[number] for number in shuffled}, ended=range(1, 24))
        assert [rule.judge(24, found)] == expected


@every_rule
def test_a_trial_without_a_report_goes_on(name):
    assert trial_rule(name).judge(99, histories(CURVES, ended=[1, 2, 3])) == ""


@every_rule
def test_the_number_of_the_report_counts_like_a_step(name):
    rule, without, with_steps = (
        trial_rule(name),
        histories(CURVES, ended=range(1, 24)),
        Histories("loss", minimize=True),
    )
    for number, values in CURVES.items():
        for step, value in enumerate(values, 1):
            with_steps.add(number, Report("loss", value, step))
    for number in range(1, 24):
        with_steps.end(number, succeeded=True)
    assert [rule.judge(number, with_steps) for number in CURVES] == [rule.judge(number, without) for number in CURVES]


@every_rule
def test_settings_are_the_same_after_they_were_written(name):
    rule = trial_rule(name)
    assert rules_from_spec(spec_from_rules([rule])) == (rule,)


@every_rule
def test_a_reason_is_one_sentence_of_numbers_without_a_rest_of_a_template(name):
    reasons = {each.why for each in replay(trial_rule(name), CURVES, parallel=4) if each.why}
    assert [why for why in reasons if "{" in why or "None" in why or "\n" in why or why.endswith(".")] == []


@every_rule
def test_a_study_of_1000_trials_with_100_reports_each_is_judged_in_seconds(name):
    rule, found, draw = trial_rule(name), Histories("loss", minimize=True), random.Random(1)
    began = time.process_time()
    for number in range(1, 1001):
        for step in range(1, 101):
            found.add(number, Report("loss", draw.random() + 1 / step, step))
            rule.judge(number, found)
        found.end(number, succeeded=True)
    assert time.process_time() - began < 10
