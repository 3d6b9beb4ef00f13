"""Studies with two objectives that are at odds, and a measure of how well a search does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kftune import Choice, Conditional, Hparam, Hparams, Uniform
from kftune.local.samplers import Sampler, make_sampler
from kftune.results import Score, TrackedObjective, Trial
from kftune.study import Study


class Six(Hparams):
    """Six numbers from 0 to 1."""

    a: float = Hparam(0.5, search=Uniform(0, 1))
    b: float = Hparam(0.5, search=Uniform(0, 1))
    c: float = Hparam(0.5, search=Uniform(0, 1))
    d: float = Hparam(0.5, search=Uniform(0, 1))
    e: float = Hparam(0.5, search=Uniform(0, 1))
    f: float = Hparam(0.5, search=Uniform(0, 1))


class Mixed(Hparams):
    """A choice, and a number that matters for one value of it."""

    x: float = Hparam(0.5, search=Uniform(0, 1))
    kind: str = Hparam("plain", search=Choice("plain", "deep"))
    depth: float = Hparam(0.5, search=Conditional(Uniform(0, 1), when={"kind": ("deep",)}))


def objectives(*directions: str) -> list[dict[str, Any]]:
    """Returns objectives m0, m1, … with these directions."""
    return [{"metric": f"m{index}", "direction": direction} for index, direction in enumerate(directions)]


TWO = objectives("minimize", "minimize")


def study_of(name: str, hparams: type[Hparams] = Six, trials: int = 60, **parts: Any) -> Study:
    """Returns a study with two objectives."""
    data: dict[str, Any] = {"name": "trade-off", "hparams": hparams, "objectives": TWO, "step": {"command": ["true"]}}
    algorithm = {"name": name, **parts.pop("algorithm", {})}
    return Study(**{**data, "budget": {"max_trials": trials}, "algorithm": algorithm, **parts})


def sampler_of(a_study: Study, seed: int, earlier: Sequence[Trial] = (), parallel: int = 1) -> Sampler:
    """Returns the sampler of a study with several objectives."""
    first, *others = a_study.objectives
    further = [TrackedObjective(each.metric, each.reduction, each.direction, None) for each in others]
    return make_sampler(
        a_study, a_study.algorithm, first.direction, seed, trials=earlier, others=further, parallel=parallel
    )


def zdt1(point: dict[str, Any]) -> Score:
    """Two objectives to minimize: the front is y = 1 - sqrt(x), where all values but the first are 0.

    Source: Zitzler, Deb and Thiele, Comparison of multiobjective evolutionary algorithms (2000).
    """
    first, *rest = point.values()
    g = 1 + 9 * sum(rest) / len(rest)
    return first, g * (1 - math.sqrt(first / g))


def hypervolume(scores: Sequence[Score], reference: Score = (1.1, 11.0)) -> float:
    """Returns the share of the area below a reference that two objectives to minimize dominate."""
    area, lowest = 0.0, reference[1]
    for x, y in sorted(scores):
        if x < reference[0] and y < lowest:
            area += (reference[0] - x) * (lowest - y)
            lowest = y
    return area / (reference[0] * reference[1])


def searched(a_study: Study, seed: int) -> list[tuple[dict[str, Any], Score]]:
    """Returns the points and scores of a search of `zdt1`, one trial at a time."""
    sampler, found = sampler_of(a_study, seed), []
    for number in range(1, a_study.budget.max_trials + 1):
        suggestion = sampler.ask(number)
        assert suggestion is not None
        score = zdt1(suggestion.point)
        sampler.tell_score(number, score)
        found.append((suggestion.point, score))
    return found
