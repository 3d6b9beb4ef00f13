"""`Histories`: what was reported, at which position, and what is known at each position of all trials."""

from __future__ import annotations

import random

import pytest

from kftune.stopping import Histories, Report


def loss(value: float, step: int | None = None) -> Report:
    return Report("loss", value, step)


def filled(*reports: Report, minimize: bool = True) -> Histories:
    found = Histories("loss", minimize=minimize)
    for report in reports:
        found.add(1, report)
    return found


def test_the_position_is_the_step_and_without_steps_the_number_of_the_report():
    assert filled(loss(3), loss(2)).of(1).positions == [1, 2]
    assert filled(loss(3, 10), loss(2, 20)).of(1).positions == [10, 20]
    assert filled(loss(3, 0)).of(1).positions == [0]


def test_a_lower_step_replaces_what_was_reported_from_there_on():
    """As after a restart from a checkpoint."""
    history = filled(loss(5, 1), loss(1, 2), loss(4, 3), loss(3, 2)).of(1)
    assert (history.positions, history.values, history.best, history.count) == ([1, 2], [5, 3], 3, 4)
    assert history.mean_at(9) == 4


@pytest.mark.parametrize(("minimize", "bests", "place"), [(True, [3, 2, 2], 2), (False, [3, 3, 4], 3)])
def test_the_best_value_so_far_follows_the_direction(minimize, bests, place):
    history = filled(loss(3), loss(2), loss(4), minimize=minimize).of(1)
    assert [*history.bests()] == bests
    assert history.best_position == place


def test_a_value_between_two_positions_is_the_one_before():
    history = filled(loss(5, 10), loss(4, 20)).of(1)
    assert [history.value_at(position) for position in (9, 10, 15, 20, 99)] == [None, 5, 5, 4, 4]
    assert [history.value_from(position) for position in (9, 10, 15, 20, 21)] == [5, 5, 4, 4, None]


def test_the_means_are_over_the_first_values_or_up_to_a_position():
    history = filled(loss(4, 10), loss(2, 20), loss(0, 30)).of(1)
    assert [history.mean_of_first(count) for count in (1, 2, 9)] == [4, 3, 2]
    assert [history.mean_at(position) for position in (5, 10, 29)] == [None, 4, 3]


class Plain:
    """What `Histories` knows of all trials, found by reading every curve again."""

    def __init__(self, histories: Histories) -> None:
        self._all = [history for _, history in histories.all()]
        self._pick = min if histories.minimize else max

    def leader_at(self, position: int) -> float | None:
        bests = [best for history in self._all if (best := history.best_at(position)) is not None]
        return self._pick(bests, default=None)

    def values_at(self, position: int, *, succeeded: bool) -> list[float]:
        chosen = [each for each in self._all if each.reaches(position) and (each.ended or not succeeded)]
        return sorted(value for each in chosen if (value := each.value_at(position)) is not None)


@pytest.mark.parametrize("minimize", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_what_is_kept_of_all_trials_is_what_their_curves_say(seed, minimize):
    draw, found = random.Random(seed), Histories("loss", minimize=minimize)
    actions = [
        lambda trial: found.add(trial, loss(round(draw.gauss(0, 1), 1))),
        lambda trial: found.add(
            trial, loss(round(draw.gauss(0, 1), 1), found.of(trial).position + draw.choice([1, 1, 4]))
        ),
        lambda trial: found.add(trial, loss(round(draw.gauss(0, 1), 1), draw.randint(0, 12))),
        lambda trial: found.add(trial, Report("accuracy", 99.0, draw.randint(0, 12))),
        lambda trial: found.end(trial, succeeded=draw.random() < 0.5),
        lambda trial: found.forget(trial),
    ]
    weights = [20, 20, 2, 3, 2, 1]
    for _ in range(120):
        draw.choices(actions, weights)[0](draw.randint(1, 6))
        position = draw.randint(0, 14)
        plain = Plain(found)
        assert found.leader_at(position) == plain.leader_at(position)
        for succeeded in (True, False):
            assert [*found.values_at(position, succeeded=succeeded)] == plain.values_at(position, succeeded=succeeded)
