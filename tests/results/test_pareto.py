"""The Pareto set, against a reference that compares every trial with every other one."""

from __future__ import annotations

from typing import Any

import pytest
from growth import calls_of
from hypothesis import given
from hypothesis import strategies as st

from kftune.metrics.values import MetricValues
from kftune.results import Aim, Front, Meta, Score, TrackedMetric, TrackedObjective, front_of, score_of

DIRECTIONS = st.lists(st.sampled_from(["minimize", "maximize"]), min_size=1, max_size=4)
# Few different numbers, so that equal ones are frequent.
NUMBERS = st.integers(-3, 3).map(lambda value: value / 2)


def is_beaten(score: Score, by: Score, directions: list[str]) -> bool:
    """Whether a trial is as good in every objective and better in one, in the words of the definition."""
    compared = [
        (mine, theirs) if direction == "minimize" else (-mine, -theirs)
        for mine, theirs, direction in zip(score, by, directions, strict=True)
    ]
    return all(theirs <= mine for mine, theirs in compared) and any(theirs < mine for mine, theirs in compared)


def reference(scores: list[Score], directions: list[str]) -> set[int]:
    return {
        number
        for number, score in enumerate(scores)
        if not any(is_beaten(score, other, directions) for other in scores)
    }


@st.composite
def cases(draw: Any) -> tuple[list[str], list[Score]]:
    directions = draw(DIRECTIONS)
    scores = st.tuples(*[NUMBERS] * len(directions))
    return directions, draw(st.lists(scores, max_size=25))


@given(cases())
def test_it_is_that_of_the_definition_after_each_trial(case):
    directions, scores = case
    front: Front[int] = Front(directions)
    for number, score in enumerate(scores):
        is_in = front.add(number, score)
        expected = reference(scores[: number + 1], directions)
        assert set(front.members()) == expected
        assert is_in == (number in expected)


@given(cases(), st.randoms())
def test_the_order_in_which_trials_end_changes_nothing(case, rng):
    directions, scores = case
    numbered = [*enumerate(scores)]
    there, back = Front[int](directions), Front[int](directions)
    rng.shuffle(numbered)
    for number, score in numbered:
        there.add(number, score)
    for number, score in reversed(numbered):
        back.add(number, score)
    assert there.members() == back.members()


@given(cases())
def test_the_best_in_an_objective_is_a_member_and_no_trial_is_better_in_it(case):
    directions, scores = case
    front: Front[int] = Front(directions)
    for number, score in enumerate(scores):
        front.add(number, score)
    for index, direction in enumerate(directions):
        values = [score[index] for score in scores]
        extreme = (min if direction == "minimize" else max)(values, default=None)
        best = front.best(index)
        assert (best is None) == (not scores)
        assert best is None or (scores[best][index] == extreme and best in front.members())


def test_of_equal_trials_the_lowest_number_is_the_best_whatever_the_order():
    front: Front[int] = Front(["minimize"])
    assert [front.add(number, (0.5,)) for number in (3, 1, 2)] == [True, True, True]
    assert front.best() == 1


def test_with_two_objectives_a_set_of_thousands_takes_linear_work():
    def added(count: int) -> None:
        front: Front[int] = Front(["minimize", "maximize"])
        for number in range(count):
            place = number * 7919 % count  # in no order
            front.add(number, (place, place))
        assert len(front.members()) == count

    assert calls_of(lambda: added(4000)) < 2.5 * calls_of(lambda: added(2000))


def test_minus_zero_equals_zero():
    front: Front[int] = Front(["maximize", "minimize"])
    assert front.add(1, (0.0, -0.0))
    assert front.add(2, (-0.0, 0.0))
    assert front.members() == [1, 2]


OTHERS = (TrackedObjective("size", "max", "minimize", None),)
SIZE = MetricValues("1", "3", "2", 2)


@pytest.mark.parametrize(
    ("objective", "metrics", "score"),
    [
        (0.5, {"size": SIZE}, (0.5, 3.0)),
        (0.5, {}, None),
        (0.5, {"size": SIZE._replace(max="nan")}, None),
        (None, {"size": SIZE}, None),
    ],
)
def test_a_score_has_the_value_that_counts_of_each_objective_or_there_is_none(objective, metrics, score):
    assert score_of(objective, metrics, OTHERS) == score


def test_only_scored_trials_with_all_objectives_are_in_it():
    metrics = (TrackedMetric("loss", "min"), TrackedMetric("size", "min"), TrackedMetric("time", "latest"))
    given: dict[str, Any] = {"direction": "minimize", "metrics": metrics, "more_objectives": (Aim("minimize"),)}
    meta = Meta(**{**dict.fromkeys(Meta._fields), **given})
    assert [objective.name for objective in meta.objectives] == ["loss", "size"]

    class Ended:
        def __init__(self, number: int, state: str, loss: float, size: str) -> None:
            self.number, self.state, self.objective = number, state, loss
            self.metrics = {"size": MetricValues(size, size, size, 1)} if size else {}

    trials = [
        Ended(1, "Succeeded", 0.5, "5"),
        Ended(2, "Failed", 0.1, "1"),
        Ended(3, "EarlyStopped", 0.7, "3"),
        Ended(4, "EarlyStopped", 0.1, ""),
        Ended(5, "Succeeded", 0.6, "6"),
    ]
    assert front_of(trials, meta).members() == [1, 3]  # type: ignore[arg-type]
