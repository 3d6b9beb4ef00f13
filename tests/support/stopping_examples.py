"""Stopping rules with settings, and learning curves, for the tests of `kftune.stopping`."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kftune.stopping import Histories, Report, TrialRule, rules_from_spec

TRIAL_RULES: dict[str, dict[str, Any]] = {
    "median": {"min_trials": 2, "start_step": 3},
    "bandit": {"slack_factor": 0.1, "interval": 2, "delay": 4},
    "bandit with an amount": {"slack_amount": 0.05, "delay": 3},
    "truncation": {"percentage": 30, "interval": 2, "delay": 4},
    "truncation of running trials": {"percentage": 30, "exclude_finished": True},
    "percentile": {"keep": 50, "min_trials": 2, "delay": 3},
    "asha": {"min_resource": 2, "reduction_factor": 2, "max_resource": 12},
    "asha with brackets": {"min_resource": 1, "reduction_factor": 2, "max_resource": 12, "brackets": 3},
    "hyperband": {"min_resource": 1, "max_resource": 9},
    "threshold": {"above": 3.2, "below": -3.2, "delay": 2},
    "plateau": {"patience": 3, "min_delta": 0.01, "delay": 4},
}
"""Settings of each rule that ends trials, by its key and a remark."""

COMPARES = [name for name in TRIAL_RULES if name not in ("threshold", "plateau")]
"""The rules that compare trials with each other. They never stop the trial that leads."""


def trial_rule(name: str) -> TrialRule:
    """Returns a rule of `TRIAL_RULES`."""
    (rule,) = rules_from_spec({name.split(" ", maxsplit=1)[0]: TRIAL_RULES[name]})
    assert isinstance(rule, TrialRule)
    return rule


def curve(seed: int, reports: int = 12) -> list[float]:
    """Returns a noisy falling curve."""
    draw = random.Random(seed)
    end, speed = draw.uniform(0, 2), draw.uniform(0.2, 1)
    return [end + 2 * (1 - speed / 2) ** step + draw.gauss(0, 0.1) for step in range(reports)]


class Seen(NamedTuple):
    """The answer of a rule after one report."""

    trial: int
    report: int
    why: str


def histories(curves: Mapping[int, Sequence[float]], *, minimize: bool = True, ended: Sequence[int] = ()) -> Histories:
    """Returns histories in which each trial has reported a whole curve.

    Args:
        curves: The values by the number of the trial.
        minimize: Whether lower values are better.
        ended: The trials that have succeeded.
    """
    found = Histories("loss", minimize=minimize)
    for number, values in curves.items():
        for value in values:
            found.add(number, Report("loss", value))
    for number in ended:
        found.end(number, succeeded=True)
    return found


def replay(
    rule: TrialRule, curves: Mapping[int, Sequence[float]], *, minimize: bool = True, parallel: int = 1
) -> list[Seen]:
    """Replays curves, and returns the answer of a rule after each report; no trial is stopped.

    Args:
        rule: The rule.
        curves: The values by the number of the trial.
        minimize: Whether lower values are better.
        parallel: The number of trials that report in turn, until all of them have ended.
    """
    found, seen, numbers = Histories("loss", minimize=minimize), [], [*curves]
    for first in range(0, len(numbers), parallel):
        together = numbers[first : first + parallel]
        for report in range(max(len(curves[number]) for number in together)):
            for number in (number for number in together if report < len(curves[number])):
                found.add(number, Report("loss", curves[number][report]))
                seen.append(Seen(number, report + 1, rule.judge(number, found)))
        for number in together:
            found.end(number, succeeded=True)
    return seen


def stops(seen: Sequence[Seen]) -> list[tuple[int, int]]:
    """Returns trial and report of each answer that stops a trial."""
    return [(each.trial, each.report) for each in seen if each.why]
