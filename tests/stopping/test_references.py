"""Stopping rules against independent references: published definitions, other programs, and recorded cases of Katib."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import optuna
import pytest
from places import DATA
from recorded import cases
from stopping_examples import curve, histories

from kftune.katib.trial.stopping import StopRule, StopWatch
from kftune.stopping import Histories, Report, TrialRule, rules_from_spec

optuna.logging.set_verbosity(optuna.logging.ERROR)


def made(kind: str, **settings: Any) -> TrialRule:
    (rule,) = rules_from_spec({kind: settings})
    assert isinstance(rule, TrialRule)
    return rule


class Said(NamedTuple):
    trial: int
    step: int
    stop: bool


Ask = Callable[[int, int, float], bool]
"""Whether a trial stops, by number, step and value."""


def simulated(ask: Ask, end: Callable[[int], object], seed: int, *, trials: int = 25, steps: int = 20) -> list[Said]:
    """Runs random trials, some at the same time; a trial that is stopped reports no more."""
    draw, said = random.Random(seed), []
    parallel, digits = draw.choice([1, 3, 8]), draw.choice([1, 6])
    waiting, running = [*range(trials)], dict[int, Iterator[tuple[int, float]]]()
    while waiting or running:
        while waiting and len(running) < parallel:
            number = waiting.pop(0)
            running[number] = enumerate([round(value, digits) for value in curve(seed * 100 + number, steps)], 1)
        number = draw.choice([*running])
        step, value = next(running[number])
        said.append(Said(number, step, ask(number, step, value)))
        if said[-1].stop or step == steps:
            del running[number]
            end(number)
    return said


def by_rule(rule: TrialRule, seed: int, *, sign: int, **options: int) -> list[Said]:
    """What one of our rules says in `simulated`."""
    found, stopped = Histories("loss", minimize=sign == 1), set()

    def ask(number: int, step: int, value: float) -> bool:
        found.add(number, Report("loss", sign * value, step))
        stopped.update([number] * bool(rule.judge(number, found)))
        return number in stopped

    return simulated(ask, lambda number: found.end(number, succeeded=number not in stopped), seed, **options)


# -- Azure ----------------------------------------------------------------------------------------------------------
# learn.microsoft.com, Tune hyperparameters for your model, early termination policies.


def azure_bandit(bests: Sequence[float], own: float, *, factor: float | None, amount: float | None) -> bool:
    """Whether a job that maximizes is canceled: "any jobs whose best metric is less than (best / (1 + slack_factor))",
    or "less than (best - slack_amount)"."""
    best = max(*bests, own)
    return own < (best / (1 + factor) if factor is not None else best - (amount or 0))


@pytest.mark.parametrize(
    ("interval", "goes_on", "stops"),
    [
        # "if the best performing job at interval 10 reported a primary metric of 0.8 with a goal to maximize, and the
        # policy has a slack_factor of 0.2, any jobs whose best metric at interval 10 is less than 0.66 (0.8/(1+0.2))
        # are canceled"
        (10, 0.67, 0.66),
        (20, 0.67, 0.66),
    ],
)
def test_bandit_is_azures_example(interval, goes_on, stops):
    rule = made("bandit", slack_factor=0.2, interval=10)
    best = [0.8] * interval
    assert rule.judge(2, histories({1: best, 2: [goes_on] * interval}, minimize=False)) == ""
    assert rule.judge(2, histories({1: best, 2: [stops] * interval}, minimize=False)) != ""
    assert rule.judge(2, histories({1: best, 2: [stops] * (interval - 1)}, minimize=False)) == ""


@pytest.mark.parametrize(
    ("report", "applied"),
    # "evaluation_interval = 1 and delay_evaluation = 5", and multiples of an interval from the delay on.
    [
        ((4, 1, 5), False),
        ((5, 1, 5), True),
        ((6, 1, 5), True),
        ((5, 5, 10), False),
        ((10, 5, 10), True),
        ((12, 5, 10), False),
    ],
)
def test_bandit_is_applied_at_multiples_of_the_interval_from_the_delay_on(report, applied):
    count, interval, delay = report
    rule = made("bandit", slack_factor=0.1, interval=interval, delay=delay)
    assert bool(rule.judge(2, histories({1: [1.0] * count, 2: [0.1] * count}, minimize=False))) == applied


@pytest.mark.parametrize("seed", range(40))
def test_bandit_cancels_what_azures_formula_cancels(seed):
    draw = random.Random(seed)
    interval, delay, reports = draw.randint(1, 4), draw.randint(0, 6), 15
    slack = draw.choice([{"slack_factor": draw.random()}, {"slack_amount": draw.random()}])
    rule = made("bandit", interval=interval, delay=delay, **slack)
    curves = {number: [draw.uniform(0.1, 1) for _ in range(reports)] for number in range(8)}
    for report in range(1, reports + 1):
        seen = histories({number: values[:report] for number, values in curves.items()}, minimize=False)
        bests = {number: max(values[:report]) for number, values in curves.items()}
        due = report >= delay and report % interval == 0
        expected = [
            number
            for number, own in bests.items()
            if due
            and azure_bandit([*bests.values()], own, factor=slack.get("slack_factor"), amount=slack.get("slack_amount"))
        ]
        assert [number for number in curves if rule.judge(number, seen)] == expected


@pytest.mark.parametrize("slack", [{"slack_factor": 0.2}, {"slack_amount": 0.2}])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("best", [-0.8, -1e-9, 0.0, 1e-9, 0.8])
def test_bandit_never_stops_the_best_trial_whatever_the_sign(slack, sign, best):
    seen = histories({1: [sign * best], 2: [sign * (best + 5)]}, minimize=sign == 1)
    assert made("bandit", **slack).judge(1, seen) == ""
    assert made("bandit", **slack).judge(2, seen) != ""


@pytest.mark.parametrize(
    ("values", "percentage", "stopped"),
    [
        # "a job terminates at interval 5 if its performance at interval 5 is in the lowest 20% of performance of all
        # jobs at interval 5"
        ([0.1, 0.2, 0.3, 0.4, 0.5], 20, [0]),
        ([0.1, 0.2, 0.3, 0.4], 20, []),  # one of four is a quarter
        ([0.1, 0.2, 0.3, 0.4], 25, [0]),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], 30, [0, 1, 2]),
        ([0.1, 0.1, 0.3, 0.4, 0.5], 20, []),  # two share the last place
        ([0.1, 0.1, 0.3, 0.4, 0.5], 40, [0, 1]),
        ([0.5, 0.5, 0.5], 99, []),
        ([0.1, 0.5], 99, [0]),
        ([0.1], 99, []),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_truncation_is_azures_definition(values, percentage, stopped, sign):
    rule = made("truncation", percentage=percentage, interval=5, delay=5)
    seen = histories({number: [0.0] * 4 + [sign * value] for number, value in enumerate(values)}, minimize=sign == -1)
    assert [number for number in range(len(values)) if rule.judge(number, seen)] == stopped


@pytest.mark.parametrize("seed", range(20))
def test_truncation_stops_the_share_of_the_ranking(seed):
    draw = random.Random(seed)
    percentage, count = draw.randint(1, 99), draw.randint(1, 30)
    values = {number: draw.random() for number in range(count)}
    lowest = sorted(values, key=lambda number: values[number])[: count * percentage // 100]
    seen = histories({number: [value] for number, value in values.items()}, minimize=False)
    rule = made("truncation", percentage=percentage)
    assert [number for number in values if rule.judge(number, seen)] == sorted(lowest)


def test_truncation_leaves_finished_trials_out_if_asked_to():
    # "exclude_finished_jobs: specifies whether to exclude finished jobs when applying the policy"
    seen = histories({1: [0.9], 2: [0.8], 3: [0.5], 4: [0.1]}, minimize=False, ended=[4])
    assert made("truncation", percentage=34).judge(3, seen) == ""
    assert made("truncation", percentage=34, exclude_finished=True).judge(3, seen) != ""


# -- Optuna ---------------------------------------------------------------------------------------------------------


def by_optuna(pruner: optuna.pruners.BasePruner, seed: int, *, sign: int, **options: int) -> list[Said]:
    """What a pruner of Optuna says in `simulated`."""
    study = optuna.create_study(direction="minimize" if sign == 1 else "maximize", pruner=pruner)
    trials, stopped = dict[int, optuna.Trial](), set()

    def ask(number: int, step: int, value: float) -> bool:
        trial = trials.setdefault(number, study.ask()) if number not in trials else trials[number]
        trial.report(sign * value, step)
        stopped.update([number] * bool(trial.should_prune()))
        return number in stopped

    def end(number: int) -> None:
        state = optuna.trial.TrialState.PRUNED if number in stopped else optuna.trial.TrialState.COMPLETE
        study.tell(trials[number], None if number in stopped else 0.0, state=state)

    return simulated(ask, end, seed, **options)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("seed", range(12))
def test_asha_stops_what_optunas_successive_halving_stops(seed, sign):
    first, factor = 1 + seed % 3, 2 + seed % 4
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=factor)
    expected = by_optuna(pruner, seed, sign=sign)
    assert by_rule(made("asha", min_resource=first, reduction_factor=factor), seed, sign=sign) == expected
    assert any(said.stop for said in expected)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("seed", range(12))
def test_percentile_stops_what_optunas_percentile_pruner_stops(seed, sign):
    keep, delay, least = [25.0, 50.0, 90.0][seed % 3], [0, 4][seed % 2], 1 + seed % 4
    pruner = optuna.pruners.PercentilePruner(keep, 0, delay, n_min_trials=least)
    expected = by_optuna(pruner, seed, sign=sign)
    assert by_rule(made("percentile", keep=keep, delay=delay, min_trials=least), seed, sign=sign) == expected
    assert any(said.stop for said in expected)


def test_percentile_of_50_is_optunas_median_pruner():
    pruner = optuna.pruners.MedianPruner(n_startup_trials=0, n_warmup_steps=0, n_min_trials=3)
    assert by_rule(made("percentile", keep=50, min_trials=3), 5, sign=1) == by_optuna(pruner, 5, sign=1)


@pytest.mark.parametrize(("first", "last", "factor"), [(1, 9, 3), (1, 81, 3), (2, 50, 4), (1, 16, 2), (3, 80, 3)])
def test_hyperband_has_the_brackets_and_shares_of_optunas_hyperband(first, last, factor):
    rule: Any = made("hyperband", min_resource=first, max_resource=last, reduction_factor=factor)
    brackets = math.floor(math.log(last / first, factor) + 1e-9) + 1
    assert rule.ladder.brackets == brackets
    shares = [math.ceil(brackets * factor**s / (s + 1)) for s in reversed(range(brackets))]
    counts = [0] * brackets
    for number in range(1, 20001):
        counts[rule.ladder.bracket(number)] += 1
    for count, share in zip(counts, shares, strict=True):
        assert count / 20000 == pytest.approx(share / sum(shares), abs=0.002)


def test_trials_of_hyperband_are_compared_within_their_bracket_only():
    rule: Any = made("hyperband", max_resource=9)
    first, third = [number for number in range(1, 60) if rule.ladder.bracket(number) == 0][:2]
    second = next(number for number in range(1, 60) if rule.ladder.bracket(number) == 1)
    seen = histories({first: [0.1], second: [9.0, 9.0, 9.0], third: [9.0]})
    assert rule.judge(third, seen) != ""
    assert rule.judge(second, seen) == ""


# -- Syne Tune ------------------------------------------------------------------------------------------------------


def lines() -> Iterator[dict[str, Any]]:
    yield from map(json.loads, (DATA / "syne_tune_asha.jsonl").read_text().splitlines())


@pytest.mark.parametrize("case", [pytest.param(case, id=str(place)) for place, case in enumerate(lines())])
def test_asha_differs_from_syne_tune_only_for_the_trial_that_just_misses_the_share(case):
    """Of n trials at a rung Syne Tune lets those go on to which at most n / factor are better; here fewer must be."""
    settings, minimize = case["settings"], case["minimize"]
    rule: Any = made("asha", **settings)
    seen, at_rungs = Histories("loss", minimize=minimize), dict[int, list[float]]()
    both = 0
    for trial, step, value, stopped in case["reports"]:
        seen.add(trial, Report("loss", value, step))
        ours = bool(rule.judge(trial, seen))
        if step in rule.ladder.rungs(trial, step):
            others = at_rungs.setdefault(step, [])
            better = sum(other < value if minimize else other > value for other in others)
            others.append(value)
            just_misses = better == len(others) // settings["reduction_factor"] and better > 0
            assert ours == stopped or (ours and just_misses)
            both += ours and stopped
        else:
            assert not ours
            assert not stopped or step >= settings["max_resource"]
    assert both > 0


# -- Katib ----------------------------------------------------------------------------------------------------------


class Round(NamedTuple):
    settings: dict[str, int]
    minimize: bool
    succeeded: dict[str, list[float]]
    """The values of all trials that the service has seen succeed."""
    others: list[list[float]]
    rules: list[StopRule]
    """What the service answered."""


def medianstop_rounds() -> Iterator[Any]:
    """The recorded answers of medianstop about trials with finite values; it remembers the trials of earlier rounds."""
    for case in (case for case in cases("medianstop") if case["stage"] != "validate"):
        settings = {name.replace("_required", ""): int(text) for name, text in case["settings"]}
        succeeded: dict[str, list[float]] = {}
        for place, (trials, answer) in enumerate(zip(case["trials"], case["rounds"], strict=True)):
            numbers = [(name, state, [*map(float, values)]) for name, state, values in trials if answer["code"] == "OK"]
            succeeded = {**{name: values for name, state, values in numbers if state == "SUCCEEDED"}, **succeeded}
            others = [values for _, state, values in numbers if state != "SUCCEEDED"]
            if answer["code"] == "OK" and all(map(math.isfinite, itertools.chain(*succeeded.values()))):
                minimize = case["objective_type"] == "minimize"
                rules = [StopRule(**{**rule, "comparison": rule["comparison"].lower()}) for rule in answer["rules"]]
                yield pytest.param(
                    Round(settings, minimize, dict(succeeded), others, rules), id=f"{case['id']}-{place}"
                )


ROUNDS = [*medianstop_rounds()]


def test_there_are_recorded_rounds_with_a_rule_and_without():
    assert len([True for each in ROUNDS if each.values[0].rules]) >= 8
    assert len([True for each in ROUNDS if not each.values[0].rules]) >= 4


@pytest.mark.parametrize("recorded", ROUNDS)
@pytest.mark.parametrize("away", [-3, -1e-9, 0, 1e-9, 3])
def test_median_stops_what_a_trial_with_the_rule_of_medianstop_is_stopped_for(recorded, away):
    rule: Any = made("median", **recorded.settings)
    curves = dict(enumerate([*recorded.succeeded.values(), *recorded.others]))
    value = float(next((each.value for each in recorded.rules), 0)) + away
    own = [value + (0.5 if recorded.minimize else -0.5)] * (rule.start_step - 1) + [value] * 3
    watch = StopWatch(recorded.rules, "loss", "minimize" if recorded.minimize else "maximize")
    here, katib = [], []
    for count in range(1, len(own) + 1):
        seen = histories({**curves, 99: own[:count]}, minimize=recorded.minimize, ended=range(len(recorded.succeeded)))
        here.append(rule.judge(99, seen) != "")
        katib.append(bool(recorded.rules) and watch.line(f"loss={own[count - 1]!r}".encode()))
    first = katib.index(True) + 1 if True in katib else len(own)  # a stopped trial reports no more
    assert here[:first] == katib[:first]
