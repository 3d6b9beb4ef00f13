"""Rungs at which trials wait, against asynchronous successive halving as its paper writes it."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from stopping_examples import curve, histories

from kftune.stopping import Histories, Report, rules_from_spec
from kftune.stopping.halving import Halving
from kftune.stopping.rungs import Ladder

STEPS = 27
TRIALS = 60


class Job(NamedTuple):
    """What a worker does next: a trial, from a rung on (0: from its start)."""

    trial: int
    rung: int


Next = Callable[[Job | None, float], Job | None]
"""Takes the job that has reached its next rung, or its end, and the value there; returns the next job."""


def simulated(next_job: Next, rungs: Sequence[int], workers: int, seed: int) -> list[Job]:
    """Gives jobs to workers; each trial has its own speed and curve. Returns the jobs in their order."""
    draw, jobs, waits = random.Random(seed), list[Job](), workers
    speeds = [draw.uniform(0.5, 2) for _ in range(TRIALS + 1)]
    busy: list[tuple[float, int, Job]] = []

    def begin(job: Job | None, moment: float) -> int:
        if job is None:
            return 1
        jobs.append(job)
        until = min([rung for rung in rungs if rung > job.rung], default=STEPS)
        heapq.heappush(busy, (moment + speeds[job.trial] * (until - job.rung), job.trial, Job(job.trial, until)))
        return 0

    waits = sum(begin(next_job(None, 0.0), 0.0) for _ in range(workers))
    while busy:
        moment, _, reached = heapq.heappop(busy)
        waits += begin(next_job(reached, value_at(seed, reached)), moment)
        waits = sum(begin(next_job(None, 0.0), moment) for _ in range(waits))
    return jobs


def value_at(seed: int, job: Job) -> float:
    return curve(seed * 1000 + job.trial, STEPS)[job.rung - 1]


def by_the_paper(rungs: Sequence[int], factor: int, sign: int) -> Next:
    """Li et al., A system for massively parallel hyperparameter tuning, algorithm 2: run_then_return_val_loss and
    get_job, which looks from the highest rung down for one of the best 1 / factor that was not promoted yet."""
    values: dict[int, dict[int, float]] = {rung: {} for rung in rungs}
    promoted: dict[int, set[int]] = {rung: set() for rung in rungs}
    fresh = iter(range(1, TRIALS + 1))

    def next_job(reached: Job | None, value: float) -> Job | None:
        if reached is not None and reached.rung in values:
            values[reached.rung][reached.trial] = value
        for rung in reversed(rungs):
            at_rung = values[rung]
            best = sorted(at_rung, key=lambda trial: sign * at_rung[trial])[: len(at_rung) // factor]
            for trial in best:
                if trial not in promoted[rung]:
                    promoted[rung].add(trial)
                    return Job(trial, rung)
        trial = next(fresh, 0)
        return Job(trial, 0) if trial else None

    return next_job


def by_ladder(ladder: Ladder, sign: int) -> Next:
    """What the engine does with the rungs of a rule."""
    found, waiting = Histories("loss", minimize=sign == 1), set[int]()
    fresh = iter(range(1, TRIALS + 1))

    def next_job(reached: Job | None, value: float) -> Job | None:
        if reached is not None:
            found.add(reached.trial, Report("loss", value, reached.rung))
            if not ladder.waits(reached.trial, found, found.of(reached.trial).position_before):
                return reached if reached.rung < STEPS else next_job(None, 0.0)
            waiting.add(reached.trial)
        for trial in ladder.promotable(waiting, found)[:1]:
            waiting.remove(trial)
            return Job(trial, ladder.reached(trial, found))
        trial = next(fresh, 0)
        return Job(trial, 0) if trial else None

    return next_job


@pytest.mark.parametrize("workers", [1, 4, 9])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_trials_go_on_in_the_order_of_the_paper(workers, sign, factor, seed):
    ladder = Ladder(1, factor, STEPS)
    rungs = [*ladder.rungs(1, STEPS)]
    expected = simulated(by_the_paper(rungs, factor, sign), rungs, workers, seed)
    assert simulated(by_ladder(ladder, sign), rungs, workers, seed) == expected
    assert TRIALS < len(expected) < 3 * TRIALS, "some trials go on and others do not"


def test_a_trial_waits_while_too_few_have_reached_its_rung():
    ladder = Ladder(2, 3)
    assert ladder.waits(1, histories({1: [1.0, 1.0]}), 0) == ("number 1 of 1 at rung 2 with 1; the best 0 continue")
    three = histories({1: [1.0, 1.0], 2: [2.0, 2.0], 3: [3.0, 3.0], 4: [0.0]})
    assert ladder.promotable([1, 2, 3], three) == [1]


def test_of_several_trials_the_one_at_the_highest_rung_goes_on_first_then_the_best():
    ladder = Ladder(1, 2)
    values = {1: [4.0], 2: [3.0], 3: [6.0], 4: [7.0], 5: [5.0, 5.0], 6: [9.0, 9.0], 7: [8.0], 8: [10.0]}
    assert ladder.promotable([8, 6, 5, 2, 1], histories(values)) == [5, 2, 1]


def test_equal_trials_go_on_together():
    assert Ladder(1, 2).promotable([1, 2, 3], histories({1: [1.0], 2: [1.0], 3: [1.0]})) == [1, 2, 3]


def test_trials_are_compared_within_their_bracket():
    ladder = Ladder(1, 2, 16, 3)
    numbers = [number for number in range(1, 60) if ladder.bracket(number) == 1][:2]
    others = [number for number in range(1, 60) if ladder.bracket(number) == 0][:9]
    values = {**{number: [0.0] * 2 for number in others}, **{number: [float(number)] * 2 for number in numbers}}
    assert ladder.promotable(numbers, histories(values)) == numbers[:1]


def halving(spec: dict[str, dict[str, Any]]) -> Halving:
    (rule,) = rules_from_spec(spec)
    assert isinstance(rule, Halving)
    return rule


@pytest.mark.parametrize("kind", ["asha", "hyperband"])
def test_a_rule_of_type_promotion_ends_no_trial(kind):
    rule = halving({kind: {"type": "promotion", "max_resource": 27}})
    found = histories({number: curve(number) for number in range(1, 20)})
    assert [rule.judge(number, found) for number in range(1, 20)] == [""] * 19
    assert rule.pauses_at == rule.ladder


def test_the_type_is_stopping_unless_a_study_says_otherwise():
    assert halving({"asha": {}}) == halving({"asha": {"type": "stopping"}})
    assert halving({"asha": {}}).pauses_at is None
