"""What Katib's stop rules can do of a rule of kftune, for a trial that is created now.

A trial on Katib has rules of the form "at its n-th report, its best value so far is worse than x", where n and x are
fixed when the trial is created. The collector counts the reports of each metric once, for all rules of the metric: with
two of them it tests one rule only, and a trial stops when it has met all of its rules. So a trial gets one rule.

Most of kftune's rules could test many reports. Here the report is taken that would have saved the most among the trials
that have ended: the number of trials that it would have stopped, times the reports that they would not have made.

Source: katib v0.19.0, cmd/metricscollector/v1beta1/file-metricscollector/main.go (updateStopRules).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from kftune.katib.trial.stopping import StopRule
from kftune.stopping import Histories, History, TrialRule

if TYPE_CHECKING:
    from kftune.stopping.asha import Asha
    from kftune.stopping.bandit import Bandit
    from kftune.stopping.hyperband import Hyperband
    from kftune.stopping.median import Median
    from kftune.stopping.percentile import Percentile
    from kftune.stopping.threshold import Threshold
    from kftune.stopping.truncation import Truncation

# The most reports of one trial that are looked at.
_MOST_REPORTS = 200


class Check(NamedTuple):
    """One report at which a rule can be applied."""

    report: int
    """Its number, from 1."""
    limit: float
    """The worst value with which a trial continues."""


def stop_rules(rule: TrialRule, histories: Histories) -> list[StopRule]:
    """Returns Katib's rules for a trial that is created now; none while the rule has nothing to compare with.

    Args:
        rule: A rule of one of the kinds in `kftune.earlystopping.names`.
        histories: The reports of the trials that have ended: that have succeeded, or were stopped early.
    """
    return _APPROXIMATIONS[rule.kind](rule, histories)


# -- which of the reports ----------------------------------------------------------------------------------------------


def _at_best_report(
    reports: Sequence[int], limit: Callable[[int], float | None], histories: Histories
) -> list[StopRule]:
    """Returns the rule of the report that would have saved the most; of several, the first.

    Args:
        reports: The reports at which the rule may be applied, in ascending order.
        limit: Returns the worst value with which a trial continues; None where there is nothing to compare with.
        histories: The trials that have ended.
    """
    ended = [history for _, history in histories.all()]
    longest = max((history.count for history in ended), default=0)
    best: tuple[int, Check] | None = None
    for report in _thinned([report for report in reports if report <= longest]):
        worst = limit(report)
        if worst is None or not isfinite(worst):
            continue
        saved = sum(longest - report for history in ended if _stops(history, report, worst, histories))
        if best is None or saved > best[0]:
            best = (saved, Check(report, worst))
    return [] if best is None else [_rule(best[1], histories)]


def _stops(history: History, report: int, limit: float, histories: Histories) -> bool:
    value = history.best_at(report)
    return history.reaches(report) and value is not None and histories.better(limit, value)


def _thinned(reports: Sequence[int]) -> Sequence[int]:
    """Returns at most `_MOST_REPORTS` of the reports, evenly, with the first and the last."""
    if len(reports) <= _MOST_REPORTS:
        return reports
    last = len(reports) - 1
    return [reports[index * last // (_MOST_REPORTS - 1)] for index in range(_MOST_REPORTS)]


def _rule(check: Check, histories: Histories) -> StopRule:
    return StopRule(histories.objective, repr(check.limit), _worse(histories), check.report)


def _worse(histories: Histories) -> str:
    return "greater" if histories.minimize else "less"


def _due(interval: int, delay: int, histories: Histories) -> Sequence[int]:
    """Returns the numbers of the reports at which a policy with an interval and a delay is applied."""
    longest = max((history.count for _, history in histories.all()), default=0)
    first = max(interval, -(-delay // interval) * interval)
    return range(first, longest + 1, interval)


def _place(place: int, values: Iterable[float], histories: Histories) -> float | None:
    """Returns the value at a place from the best one, from 1; None if there are fewer."""
    ordered = sorted(values, reverse=not histories.minimize)
    return ordered[place - 1] if place <= len(ordered) else None


def _bests(report: int, histories: Histories) -> list[float]:
    """Returns the best values up to a report of the trials that have made it."""
    return [
        value
        for _, history in histories.all()
        if history.reaches(report) and (value := history.best_at(report)) is not None
    ]


# -- one function for each rule ----------------------------------------------------------------------------------------


def _median(rule: Median, histories: Histories) -> list[StopRule]:
    limit = rule.limit(history.mean_of_first(rule.start_step) for _, history in histories.all() if history.ended)
    return [] if limit is None or not isfinite(limit) else [_rule(Check(rule.start_step, limit), histories)]


def _bandit(rule: Bandit, histories: Histories) -> list[StopRule]:
    """Trials that run count only locally. They can but make the limit tighter, so no trial is stopped in addition."""

    def limit(report: int) -> float | None:
        leader = histories.leader_at(report)
        return None if leader is None else rule.limit(leader, minimize=histories.minimize)

    return _at_best_report(_due(rule.interval, rule.delay, histories), limit, histories)


def _truncation(rule: Truncation, histories: Histories) -> list[StopRule]:
    if rule.exclude_finished:  # and there are no others here
        return []

    def limit(report: int) -> float | None:
        bests = _bests(report, histories)
        # A trial stops when so many are better that it is in the worst share, itself included.
        return _place(-(-(len(bests) + 1) * (100 - rule.percentage) // 100), bests, histories)

    return _at_best_report(_due(rule.interval, rule.delay, histories), limit, histories)


def _percentile(rule: Percentile, histories: Histories) -> list[StopRule]:
    from kftune.stopping.percentile import percentile  # noqa: PLC0415  # as the rule itself, when there is one

    def limit(report: int) -> float | None:
        values = histories.values_at(report, succeeded=True)
        if len(values) < rule.min_trials:
            return None
        return percentile(values, rule.keep if histories.minimize else 100 - rule.keep)

    return _at_best_report(_due(rule.interval, rule.delay, histories), limit, histories)


def _rungs(rule: Asha | Hyperband, histories: Histories) -> list[StopRule]:
    """The bracket follows from the number of trials that have ended, since new trials have no number yet."""

    def limit(report: int) -> float | None:
        bests = _bests(report, histories)
        return _place(max((len(bests) + 1) // rule.reduction_factor, 1), bests, histories)

    ended = list(histories.all())
    longest = max((history.count for _, history in ended), default=0)
    return _at_best_report(list(rule.ladder.rungs(len(ended), longest)), limit, histories)


def _threshold(rule: Threshold, histories: Histories) -> list[StopRule]:
    """Of two limits the one on the worse side is taken: a trial stops when it meets all of its rules."""
    above = (rule.above, "greater")
    below = (rule.below, "less")
    worse_first = (above, below) if histories.minimize or rule.metric is not None else (below, above)
    limit, comparison = next(each for each in worse_first if each[0] is not None)
    # With a start step Katib tests that report only, without one every report.
    step = rule.delay if rule.delay > 1 else 0
    return [StopRule(rule.metric or histories.objective, repr(limit), comparison, step)]


_APPROXIMATIONS: dict[str, Callable[[Any, Histories], list[StopRule]]] = {
    "median": _median,
    "bandit": _bandit,
    "truncation": _truncation,
    "percentile": _percentile,
    "asha": _rungs,
    "hyperband": _rungs,
    "threshold": _threshold,
}
