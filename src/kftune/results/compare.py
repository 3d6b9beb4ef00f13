"""Compares studies by their results: the best of each, the best so far, and what differs between them.

How sure a comparison is comes from the bootstrap: the best of n trials that are drawn, with replacement, from those of
a study. Its distribution is computed exactly, so the same results give the same numbers. Trials that failed take part
as trials without a result. An algorithm that learns does better than its trials in random order, so the intervals are
wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import UsageError
from kftune.results.pareto import front_of
from kftune.results.records import FINISHED, SCORED, Meta, TrackedObjective, Trial
from kftune.results.selection import ranked, sought
from kftune.results.trials import Trials

COMPARE_FORMAT = "kftune.compare/1"
INTERVAL = (0.05, 0.95)
"""The part of the bootstrap's distribution that an interval has."""
_FEW = 10
_COMPARED = ("algorithm", "settings", "seed", "max_trials", "parallel", "goal", "fixed")


class Compared(NamedTuple):
    """One of the studies."""

    label: str
    results: Trials
    trials: list[Trial]
    """Those that have ended."""
    values: list[float]
    """What each reached, with the sign that makes less better; infinity for none."""


def compare(given: Sequence[Trials], metric: str | None = None) -> dict[str, Any]:
    """Returns what studies have in common, how good each is, and what differs.

    Args:
        given: The studies, at least two.
        metric: What counts: an objective, or a metric whose minimum or maximum is recorded; None for their objective.

    Returns:
        The keys that docs/results.md describes.

    Raises:
        UsageError: There are fewer than two, or they do not optimize the same.
        UnknownNameError: One has no such metric.
    """
    if len(given) < 2:
        raise UsageError("a comparison needs two studies or more")
    labels = _labels(given)
    objective = _objective(given, labels, metric)
    sign = 1 if objective.direction == "minimize" else -1
    studies = [_compared(label, results, objective, sign) for label, results in zip(labels, given, strict=True)]
    equal = min(len(study.values) for study in studies)
    finite = [value for study in studies for value in study.values if math.isfinite(value)]
    chances = _chances([study.values for study in studies], equal)
    described = [
        _described(study, objective, sign, equal, chance) for study, chance in zip(studies, chances, strict=True)
    ]
    return {
        "format": COMPARE_FORMAT,
        "objective": {"metric": objective.name, "direction": objective.direction},
        "best": sign * min(finite) if finite else None,
        "equal_trials": equal,
        "studies": described,
        "space": _space(studies),
        "differences": _differences(studies),
        "cautions": list(_cautions(described, equal)),
    }


def best_so_far(values: Sequence[float]) -> list[float]:
    """Returns the lowest value of the first one, of the first two, and so on.

    Args:
        values: The values, in order.
    """
    found: list[float] = []
    for value in values:
        found.append(min(value, found[-1]) if found else value)
    return found


def interval(values: Sequence[float], count: int) -> tuple[float, float]:
    """Returns the bootstrap's interval of the lowest of some values that are drawn with replacement.

    Args:
        values: What is drawn from, at least one value.
        count: How many are drawn, at least 1.
    """
    ordered = sorted(values)
    low, high = (_quantile(ordered, count, share) for share in INTERVAL)
    return low, high


def _quantile(ordered: Sequence[float], count: int, share: float) -> float:
    # The lowest of the drawn ones is at most the i-th value with the probability 1 - (1 - i/k)^count.
    rank: float = len(ordered) * (1 - (1 - share) ** (1 / count))
    return ordered[min(max(math.ceil(rank - 1e-9), 1), len(ordered)) - 1]


def _chances(studies: Sequence[Sequence[float]], count: int) -> list[float | None]:
    """Returns how probably the best of `count` drawn trials of each is at least as good as that of all others."""
    if count == 0:
        return [None] * len(studies)
    points = sorted({value for values in studies for value in values if math.isfinite(value)})
    # Of each study: the probability that its best is the point or a worse one, and that it is worse.
    tails = [list(_tails(sorted(values), points, count)) for values in studies]
    found: list[float | None] = []
    for own in range(len(studies)):
        others = [tail for number, tail in enumerate(tails) if number != own]
        chance = 0.0
        for place, (reached, worse) in enumerate(tails[own]):
            chance += (reached - worse) * math.prod(tail[place][0] for tail in others)
        found.append(chance)
    return found


def _tails(ordered: Sequence[float], points: Sequence[float], count: int) -> Iterator[tuple[float, float]]:
    below = 0
    size = len(ordered)
    for point in points:
        before = below
        while below < size and ordered[below] <= point:
            below += 1
        yield (1 - before / size) ** count, (1 - below / size) ** count


def _labels(given: Sequence[Trials]) -> list[str]:
    names = [results.meta.name for results in given]
    labels = [name if names.count(name) == 1 else results.place for name, results in zip(names, given, strict=True)]
    return [
        label if labels.count(label) == 1 else f"{label} ({number})" for number, label in enumerate(labels, start=1)
    ]


def _objective(given: Sequence[Trials], labels: Sequence[str], metric: str | None) -> TrackedObjective:
    found = [sought(results.meta, metric) for results in given]
    if len({(each.name, each.direction) for each in found}) > 1:
        said = "; ".join(f"{label}: {each.direction} {each.name}" for label, each in zip(labels, found, strict=True))
        raise UsageError(
            f"only studies that optimize the same can be compared ({said}); name a metric that all have (--metric), "
            f"or the one of a table or storage (--objective)"
        )
    return found[0]


def _compared(label: str, results: Trials, objective: TrackedObjective, sign: int) -> Compared:
    ended = [trial for trial in results.trials() if trial.state in FINISHED]
    reached = {
        trial.number: sign * value
        for trial, value in ((trial, _value(trial, results.meta, objective)) for trial in ended)
        if value is not None
    }
    return Compared(label, results, ended, [reached.get(trial.number, math.inf) for trial in ended])


def _value(trial: Trial, meta: Meta, objective: TrackedObjective) -> float | None:
    if trial.state not in SCORED:
        return None
    if objective.name == meta.objective.name:
        return trial.objective
    values = trial.metrics.get(objective.name)
    return None if values is None else values.number(sought(meta, objective.name).reduce)


def _described(
    study: Compared, objective: TrackedObjective, sign: int, equal: int, chance: float | None
) -> dict[str, Any]:
    meta = study.results.meta
    best = next(iter(ranked(study.results, objective.name)), None)

    def plain(value: float) -> float | None:
        return sign * value if math.isfinite(value) else None

    curve = best_so_far(study.values)
    ends = interval(study.values, equal) if equal else (math.inf, math.inf)
    shown = sorted(ends, key=lambda value: sign * value)
    described: dict[str, Any] = {
        "label": study.label,
        "name": meta.name,
        "place": study.results.place,
        "counts": study.results.counts(),
        "trials": len(study.trials),
        "best": None
        if best is None
        else {"trial": best.name, "value": _value(best, meta, objective), "values": best.point},
        "best_so_far": [plain(value) for value in curve],
        "best_at_equal": plain(curve[equal - 1]) if equal else None,
        "interval_at_equal": [plain(value) for value in shown],
        "chance": None if chance is None else round(chance, 6),
    }
    if meta.more_objectives:
        described["pareto"] = len(front_of(study.trials, meta).members())
    return described


def _space(studies: Sequence[Compared]) -> dict[str, Any]:
    spaces = [study.results.meta.space for study in studies]
    names = list(dict.fromkeys(name for space in spaces for name in space))
    everywhere = [name for name in names if all(name in space for space in spaces)]
    # What is read from a table or a list has no domains.
    same = [name for name in everywhere if _alike([space[name] for space in spaces])]
    return {
        "common": same,
        "other_domain": {
            name: {study.label: study.results.meta.space[name] for study in studies}
            for name in everywhere
            if name not in same
        },
        "not_in_all": {
            name: [study.label for study in studies if name in study.results.meta.space]
            for name in names
            if name not in everywhere
        },
    }


def _alike(domains: Sequence[Any]) -> bool:
    known = [domain for domain in domains if domain]
    return all(domain == known[0] for domain in known)


def _differences(studies: Sequence[Compared]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {
        name: {study.label: getattr(study.results.meta, name) for study in studies} for name in _COMPARED
    }
    found["code"] = {study.label: _origins(study, "code") for study in studies}
    found["revision"] = {study.label: _origins(study, "revision") for study in studies}
    return {name: each for name, each in found.items() if not _equal([*each.values()])}


def _origins(study: Compared, part: str) -> list[str]:
    return sorted({getattr(trial.origin, part) for trial in study.trials} - {""})


def _equal(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)


def _cautions(described: Sequence[Mapping[str, Any]], equal: int) -> Iterator[str]:
    without = [each["label"] for each in described if each["best"] is None]
    if without:
        yield f"no trial of {', '.join(without)} has a result"
        return
    if equal < _FEW:
        yield f"{equal} trials each are few: an interval at so few says little"
    sizes = {each["trials"] for each in described}
    if len(sizes) > 1:
        yield f"the studies have different numbers of trials, so intervals and chances are those of {equal} trials each"
    ends = [_ends(each["interval_at_equal"]) for each in described]
    if max(low for low, _ in ends) <= min(high for _, high in ends):
        yield "the intervals overlap, so these trials do not show which study is better"


def _ends(pair: Sequence[float | None]) -> tuple[float, float]:
    numbers = [value for value in pair if value is not None]
    if len(numbers) < 2:
        return -math.inf, math.inf
    return min(numbers), max(numbers)
