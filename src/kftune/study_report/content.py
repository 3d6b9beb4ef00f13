"""What a report shows of a study, as plain data: the page's JSON, and what the text form draws."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from kftune.errors import StoreError
from kftune.metrics.curves import Curve, thinned
from kftune.results.pareto import front_of
from kftune.results.records import SCORED, Meta, TrackedObjective, Trial
from kftune.results.times import seconds_of
from kftune.results.trials import Trials, best_of
from kftune.study_report.importances import Importances, importances
from kftune.study_report.parameters import Parameter, parameters

_MOST_POINTS = 120_000
"""Of all curves together. Each is about eight bytes of the page."""
_MOST_OF_A_TRIAL = 300
_FEWEST_OF_A_TRIAL = 8
_MOST_CURVES = 4000
_DIGITS = 6
_MOST_LETTERS = 300


class Content(NamedTuple):
    """What is known of a study."""

    meta: Meta
    trials: Sequence[Trial]
    parameters: Sequence[Parameter]
    objectives: Sequence[Sequence[float | None]]
    """Of each objective: the value of each trial; None for a trial that cannot be the best one."""
    best: Sequence[int]
    """Places of the best trial, or of those in the Pareto set; the best in the first objective first."""
    importances: Importances

    @property
    def names(self) -> list[str]:
        """The names of the hyperparameters, the most important first."""
        known = self.importances.shares
        return [*known, *(each.name for each in self.parameters if each.name not in known)]


def content_of(results: Trials) -> Content:
    """Returns what a report shows, without the curves.

    Args:
        results: The results.

    Raises:
        StoreError: They have no objective.
    """
    meta, trials = results.meta, results.trials()
    if not meta.objectives:
        raise StoreError("these trials have no objective, so there is nothing to compare them by", results.place)
    known = parameters(meta, trials)
    objectives = [_values(trials, objective, place == 0) for place, objective in enumerate(meta.objectives)]
    if meta.more_objectives:
        best = front_of(trials, meta).members()
    else:
        best = [trial.number for trial in (best_of(trials, meta.direction),) if trial is not None]
    places = {trial.number: place for place, trial in enumerate(trials)}
    found = [places[number] for number in best if all(values[places[number]] is not None for values in objectives)]
    return Content(
        meta=meta,
        trials=trials,
        parameters=known,
        objectives=objectives,
        best=found,
        importances=importances(known, objectives[0], meta.direction),
    )


def _values(trials: Sequence[Trial], objective: TrackedObjective, is_first: bool) -> list[float | None]:
    values = []
    for trial in trials:
        reported = trial.metrics.get(objective.name)
        value = trial.objective if is_first else None if reported is None else reported.number(objective.reduce)
        counts = trial.state in SCORED and value is not None and math.isfinite(value)
        values.append(value if counts else None)
    return values


def to_data(content: Content, results: Trials) -> dict[str, Any]:
    """Returns the data of the page: only what JSON has, and no nan or infinity.

    Args:
        content: What is known of the study.
        results: The results, for the curves.
    """
    trials, starts = content.trials, [seconds_of(trial.started) for trial in content.trials]
    begun = min((start for start in starts if start is not None), default=0.0)
    ends = [seconds_of(trial.ended) for trial in trials]
    spans = [
        (None, None) if start is None else (round(start - begun, 3), None if end is None else round(end - begun, 3))
        for start, end in zip(starts, ends, strict=True)
    ]
    states = list(dict.fromkeys(trial.state for trial in trials))
    order = {name: place for place, name in enumerate(content.names)}
    return {
        "objectives": [
            {"name": each.name, "direction": each.direction, "goal": each.goal, "values": _rounded(values)}
            for each, values in zip(content.meta.objectives, content.objectives, strict=True)
        ],
        "parameters": [_column(each) for each in sorted(content.parameters, key=lambda each: order[each.name])],
        "names": [trial.name for trial in trials],
        "states": states,
        "state": [states.index(trial.state) for trial in trials],
        "spans": spans,
        "lanes": lanes(spans),
        "durations": _rounded([trial.duration for trial in trials]),
        "messages": {str(place): _line(trial.message) for place, trial in enumerate(trials) if trial.message},
        "best": list(content.best),
        "curves": _curves(content, results),
    }


def _column(parameter: Parameter) -> dict[str, Any]:
    if parameter.is_number:
        numbers = [value if isinstance(value, (int, float)) else None for value in parameter.values]
        return {"name": parameter.name, "log": parameter.is_log, "values": _rounded(numbers)}
    places = {text: place for place, text in enumerate(parameter.categories)}
    return {
        "name": parameter.name,
        "log": False,
        "categories": [
            text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…" for text in parameter.categories
        ],
        "values": [None if value is None else places[str(value)] for value in parameter.values],
    }


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    """Returns numbers with the digits that a picture needs: more of them where all values are near each other."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return [None] * len(values)
    low, high = min(finite), max(finite)
    spread, size = high / 2 - low / 2, max(abs(low), abs(high)) / 2
    digits = _DIGITS if spread == 0 else min(17, _DIGITS + max(0, math.ceil(math.log10(size) - math.log10(spread))))
    return [None if value is None or not math.isfinite(value) else _number(value, digits) for value in values]


def _number(value: float, digits: int) -> float:
    """Returns a rounded number; JSON has whole ones without a point."""
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if abs(rounded) < 1e15 and rounded == int(rounded) else rounded


def _line(message: str) -> str:
    return message.partition("\n")[0][:_MOST_LETTERS]


def lanes(spans: Sequence[tuple[float | None, float | None]]) -> list[int | None]:
    """Returns the lane of each trial in a timeline: the lowest one that is free when it starts.

    Args:
        spans: Start and end of each trial; None where it is not known.
    """
    found: list[int | None] = [None] * len(spans)
    busy: list[tuple[float, int]] = []  # until when, lane
    free: list[int] = []
    used = 0
    begun = [(start, place, end) for place, (start, end) in enumerate(spans) if start is not None]
    for start, place, end in sorted(begun, key=lambda each: each[:2]):
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, used = used, used + 1
        found[place] = lane
        heapq.heappush(busy, (math.inf if end is None else end, lane))
    return found


def _curves(content: Content, results: Trials) -> list[dict[str, Any]]:
    """Returns the curves of each objective; trials that share their steps share one list of them."""
    places = {trial.number: place for place, trial in enumerate(content.trials)}
    return [_curves_of(each.name, places, set(content.best), results) for each in content.meta.objectives]


def _curves_of(metric: str, places: dict[int, int], best: set[int], results: Trials) -> dict[str, Any]:
    every = -(-len(places) // _MOST_CURVES)
    most = max(_FEWEST_OF_A_TRIAL, min(_MOST_OF_A_TRIAL, _MOST_POINTS // max(min(len(places), _MOST_CURVES), 1)))
    steps: dict[tuple[int, ...], int] = {}
    trials, which, values = [], [], []
    total = 0
    for number, _, curve in results.all_curves(metric):
        place = places.get(number)
        if place is None or len(curve.values) < 2:
            continue
        total += 1
        if place % every and place not in best:
            continue
        drawn: Curve = thinned(curve, most)
        trials.append(place)
        which.append(steps.setdefault(tuple(drawn.steps), len(steps)))
        values.append(_rounded(drawn.values.tolist()))
    return {
        "metric": metric,
        "total": total,
        "trials": trials,
        "steps": [list(each) for each in steps],
        "which": which,
        "values": values,
    }
