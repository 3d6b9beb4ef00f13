"""What each rule becomes on Katib, compared with the rule itself, through what Katib's collector does with a log."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import pytest
from recorded import cases

from kftune.earlystopping.approximation import _APPROXIMATIONS
from kftune.earlystopping.fixed import FixedRules
from kftune.earlystopping.names import KINDS
from kftune.earlystopping.settings import rule_of
from kftune.katib.trial.medianstop import Finished
from kftune.katib.trial.stopping import StopRule, StopWatch
from kftune.stopping import RULES, Histories, Report, TrialRule, rules_from_spec
from kftune.stopping.rules import rule_class

Curve = Sequence[float]

SETTINGS: dict[str, dict[str, Any]] = {
    "median": {"min_trials": 2, "start_step": 3},
    "bandit": {"slack_amount": 0.05, "interval": 2, "delay": 3},
    "truncation": {"percentage": 40, "interval": 3},
    "percentile": {"keep": 50, "min_trials": 2, "delay": 2},
    "asha": {"min_resource": 2, "reduction_factor": 2, "max_resource": 12},
}


def rule(kind: str, **settings: object) -> TrialRule:
    (found,) = rules_from_spec({kind: settings})
    assert isinstance(found, TrialRule)
    return found


def fixed(of: TrialRule, curves: Sequence[Curve], direction: str = "minimize", stopped: int = 0) -> list[StopRule]:
    """The rules after trials with these curves; the last `stopped` of them were stopped early."""
    early = len(curves) - stopped
    ended = [Finished(str(n), n < early, [repr(v) for v in curve], n >= early) for n, curve in enumerate(curves)]
    return FixedRules(of, "loss", direction).rules(ended)


def curves(seed: int, count: int, direction: str, *, noise: float) -> list[Curve]:
    draw = random.Random(seed)
    sign = 1 if direction == "minimize" else -1
    found: list[Curve] = []
    for _ in range(count):
        end, speed = draw.random(), draw.uniform(0.1, 0.9)
        values = [sign * (end + (1 - speed) ** step + draw.gauss(0, noise)) for step in range(12)]
        found.append(values)
    return found


def stop_of_collector(rules: list[StopRule], curve: Curve, direction: str) -> int | None:
    """The report at which Katib's collector stops a trial; None if it does not."""
    watch = StopWatch(rules, "loss", direction)
    lines = (f"loss={value!r}".encode() for value in curve)
    return next((number for number, line in enumerate(lines, 1) if rules and watch.line(line)), None)


def reports_of_rule(of: TrialRule, earlier: Sequence[Curve], curve: Curve, direction: str) -> set[int]:
    """The reports at which the rule itself would stop a trial."""
    histories = Histories("loss", minimize=direction == "minimize")
    for number, values in enumerate(earlier):
        for value in values:
            histories.add(number, Report("loss", value))
        histories.end(number, succeeded=True)
    found = set()
    for number, value in enumerate(curve, 1):
        histories.add(99, Report("loss", value))
        if of.judge(99, histories):
            found.add(number)
    return found


def test_each_kind_has_an_approximation_and_is_a_rule_of_trials():
    assert set(_APPROXIMATIONS) == set(KINDS)
    assert set(KINDS) <= set(RULES)
    assert all(issubclass(rule_class(kind), TrialRule) for kind in KINDS)


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("seed", range(20))
def test_at_its_report_the_fixed_rule_stops_exactly_what_the_rule_stops(kind, direction, seed):
    """With curves that only become better, so that the best value is the latest one."""
    of = rule(kind, **SETTINGS[kind])
    *earlier, new = curves(seed, 7, direction, noise=0)
    found = fixed(of, earlier, direction)
    (one,) = found
    expected = one.start_step in reports_of_rule(of, earlier, new, direction)
    assert (stop_of_collector(found, new, direction) == one.start_step) is expected


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("seed", range(40))
def test_a_fixed_bandit_stops_no_trial_that_the_rule_lets_go_on(direction, seed):
    """Trials that end after the new one has begun can but lower the limit, and the values are noisy."""
    of = rule("bandit", slack_factor=0.2, interval=2)
    known, later = 3 + seed % 4, seed % 3
    *earlier, new = curves(seed, known + later + 1, direction, noise=0.2)
    at = stop_of_collector(fixed(of, earlier[:known], direction), new, direction)
    assert at is None or at in reports_of_rule(of, earlier, new, direction)


def test_a_trial_that_leads_is_never_stopped():
    for kind, settings in SETTINGS.items():
        earlier = curves(1, 6, "minimize", noise=0.1)
        best = [min(values) - 1 for values in zip(*earlier, strict=True)]
        assert stop_of_collector(fixed(rule(kind, **settings), earlier), best, "minimize") is None


@pytest.mark.parametrize("kind", SETTINGS)
def test_without_trials_that_have_ended_there_is_no_rule(kind):
    assert fixed(rule(kind, **SETTINGS[kind]), []) == []


def test_the_report_is_the_one_that_would_have_saved_the_most():
    # The third trial is good until the fourth report; at the second one the rule stops only the last trial.
    ended = [[5, 4, 3, 2, 1, 0], [5, 4, 3, 2, 1, 0], [5, 4, 3, 3, 3, 3], [5, 4, 3, 3, 3, 3], [6, 6, 6, 6, 6, 6]]
    assert fixed(rule("bandit", slack_amount=0.5), ended[:4]) == [StopRule("loss", "2.5", "greater", 4)]
    assert fixed(rule("bandit", slack_amount=0.5), ended[4:] + ended[:1]) == [StopRule("loss", "5.5", "greater", 1)]


def test_a_report_before_the_delay_or_off_the_interval_is_not_taken():
    ended = [[1.0] * 20, [9.0] * 20]
    for interval, delay, first in ((1, 0, 1), (5, 0, 5), (5, 10, 10), (5, 11, 15), (1, 20, 20)):
        (found,) = fixed(rule("bandit", slack_amount=1, interval=interval, delay=delay), ended)
        assert found.start_step == first
    assert fixed(rule("bandit", slack_amount=1, delay=21), ended) == []


def test_a_truncation_that_excludes_finished_trials_has_nothing_to_compare_with():
    assert fixed(rule("truncation", percentage=50, exclude_finished=True), curves(1, 5, "minimize", noise=0)) == []


def test_the_bracket_of_new_trials_follows_from_the_number_of_trials_that_have_ended():
    of = rule("hyperband", max_resource=9)
    found = [fixed(of, curves(3, count, "minimize", noise=0)) for count in range(3, 12)]
    # In the last bracket, trials run to their end.
    assert {tuple(each.start_step for each in rules) for rules in found} == {(1,), (3,), ()}


@pytest.mark.parametrize(
    ("settings", "direction", "expected"),
    [
        ({"above": 2}, "minimize", [StopRule("loss", "2.0", "greater", 0)]),
        ({"below": 2}, "maximize", [StopRule("loss", "2.0", "less", 0)]),
        ({"above": 2, "below": 1}, "minimize", [StopRule("loss", "2.0", "greater", 0)]),
        ({"above": 2, "below": 1}, "maximize", [StopRule("loss", "1.0", "less", 0)]),
        ({"above": 2, "delay": 1}, "minimize", [StopRule("loss", "2.0", "greater", 0)]),
        ({"above": 2, "delay": 3}, "minimize", [StopRule("loss", "2.0", "greater", 3)]),
        ({"above": 9, "metric": "seconds"}, "maximize", [StopRule("seconds", "9.0", "greater", 0)]),
    ],
)
def test_a_threshold_is_one_rule_from_the_first_trial_on(settings, direction, expected):
    assert fixed(rule("threshold", **settings), [], direction) == expected


@pytest.mark.parametrize(
    "case", [case for case in cases("medianstop") if case["stage"] == "rules"], ids=lambda c: c["id"]
)
def test_the_median_rule_gives_what_katib_s_medianstop_was_recorded_to_give(case):
    names = {"min_trials_required": "min_trials", "start_step": "start_step"}
    settings = [(names[name], value) for name, value in dict(case["settings"]).items()]
    service = FixedRules(rule_of("kftune-median", settings), "loss", case["objective_type"])
    for trials, recorded in zip(case["trials"], case["rounds"], strict=True):
        found = service.rules(Finished(name, state == "SUCCEEDED", values) for name, state, values in trials)
        given = [{**each._asdict(), "comparison": each.comparison.upper()} for each in found]
        # Katib's service answers with an error, or with inf, where a value is no finite number.
        usable = recorded["code"] == "OK" and "inf" not in str(recorded) and "nan" not in str(recorded)
        assert not usable or _rounded(given) == _rounded(recorded["rules"])


def _rounded(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "value": format(float(each["value"]), ".12g")} for each in rules]


def test_many_long_trials_are_weighed_in_a_moment():
    draw = random.Random(1)
    ended = [Finished(str(n), True, [str(draw.random()) for _ in range(300)]) for n in range(300)]
    service = FixedRules(rule("bandit", slack_factor=0.1), "loss", "minimize")
    service.rules(ended)
    began = time.monotonic()
    assert len(service.rules(ended)) == 1
    assert time.monotonic() - began < 5
