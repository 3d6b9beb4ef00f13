"""Algorithms with several objectives: what each promises, and how well nsga2 searches."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
from trade_offs import Mixed, hypervolume, objectives, sampler_of, searched, study_of, zdt1

from kftune.errors import RunError, StudyError
from kftune.metrics.values import MetricValues
from kftune.results import Trial
from kftune.study import Study

TAKING = ("random", "grid", "sobol", "tpe", "multivariate-tpe", "nsga2")
GRID = {"search": {name: {"choice": [0.0, 0.25, 0.5, 1.0]} for name in "ab"}, "values": dict.fromkeys("cdef", 0.5)}


def parts_of(algorithm: str) -> dict[str, Any]:
    return GRID if algorithm == "grid" else {}


@pytest.mark.parametrize("algorithm", TAKING)
def test_equal_seeds_give_equal_trials_and_other_seeds_other_ones(algorithm):
    a_study = study_of(algorithm, trials=16 if algorithm == "grid" else 30, **parts_of(algorithm))
    first, again, other = searched(a_study, 3), searched(a_study, 3), searched(a_study, 4)
    assert first == again
    assert first != other


def test_a_gaussian_process_takes_several_objectives_too():
    settings = {"settings": {"n_initial_points": 8}}
    a_study = study_of("bayesianoptimization", trials=20, algorithm=settings)
    found = [
        hypervolume([score for _, score in searched(each, 1)]) for each in (a_study, study_of("random", trials=20))
    ]
    assert found[0] > found[1]


@pytest.mark.parametrize(("algorithm", "settings"), [("cmaes", {}), ("hyperband", {"r_l": 9, "resource_name": "a"})])
def test_an_algorithm_that_learns_from_one_objective_is_refused(algorithm, settings):
    a_study = study_of(algorithm, algorithm={"settings": settings})
    with pytest.raises(RunError, match=f"{algorithm} learns from one objective, but the study has 2; use nsga2"):
        sampler_of(a_study, 3)


def hypervolumes(algorithm: str, trials: int, **settings: object) -> list[float]:
    a_study = study_of(algorithm, trials=trials, algorithm={"settings": settings})
    return [hypervolume([score for _, score in searched(a_study, seed)]) for seed in range(8)]


def test_nsga2_finds_a_larger_hypervolume_than_random_with_the_same_budget():
    # The worst of eight seeds against the best of eight: by chance, once in 12 870 times.
    assert min(hypervolumes("nsga2", 250)) > max(hypervolumes("random", 250))


def test_tpe_learns_from_both_objectives():
    # With the first objective alone it would go to one end of the front.
    assert min(hypervolumes("multivariate-tpe", 60)) > max(hypervolumes("random", 60))


@pytest.mark.parametrize("crossover", ["uniform", "blxalpha", "spx", "sbx", "vsbx", "undx"])
def test_nsga2_takes_all_its_settings(crossover):
    settings = {"population_size": 5, "mutation_prob": 0.3, "crossover_prob": 0.8, "swapping_prob": 0.4}
    a_study = study_of("nsga2", trials=25, algorithm={"settings": {**settings, "crossover": crossover}})
    points = [tuple(point.values()) for point, _ in searched(a_study, 3)]
    assert len({*points}) == 25


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population_size": 2}, "must be an integer of at least 3, but got 2"),
        ({"mutation_prob": 2}, "must be a number from 0 to 1, but got 2"),
        ({"crossover": "pmx"}, "must be one of uniform, blxalpha, spx, sbx, vsbx, undx, but got 'pmx'"),
        ({"populaton_size": 20}, "has no setting 'populaton_size'; did you mean 'population_size'?"),
        ({"random_state": 3}, "random_state is written as the algorithm's seed"),
    ],
)
def test_settings_of_nsga2_are_typed(settings, message):
    with pytest.raises(StudyError, match=message):
        study_of("nsga2", algorithm={"settings": settings})


@pytest.mark.parametrize("algorithm", ["nsga2", "tpe", "multivariate-tpe"])
def test_failed_trials_conditions_and_parallel_trials_stop_nobody(algorithm):
    a_study = study_of(algorithm, Mixed, trials=80, objectives=objectives("minimize", "maximize", "minimize"))
    sampler, seen = sampler_of(a_study, 3, parallel=4), set()
    for first in range(1, 81, 4):
        asked = {number: sampler.ask(number) for number in range(first, first + 4)}
        for number, suggestion in asked.items():
            assert suggestion is not None
            point = suggestion.point
            assert ("depth" in point) == (point["kind"] == "deep")
            seen.add(suggestion.key)
            score = (point["x"], 1 - point["x"], point.get("depth", 0.5))
            sampler.tell_score(number, None if number % 5 == 0 else score)
    assert len(seen) == 80


def earlier_trial(number: int, point: dict[str, Any], score: tuple[float, ...] | None) -> Trial:
    texts = [str(value) for value in score or ()]
    metrics = {f"m{index}": MetricValues(text, text, text, 1) for index, text in enumerate(texts)}
    values: dict[str, Any] = {
        **dict.fromkeys(Trial._fields),
        **Trial._field_defaults,
        "number": number,
        "state": "Succeeded" if score else "Failed",
    }
    values |= {"point": point, "assignment": {name: str(value) for name, value in point.items()}, "metrics": metrics}
    return Trial(**{**values, "objective": score and score[0]})


@pytest.mark.parametrize("algorithm", ["nsga2", "multivariate-tpe"])
def test_a_resumed_search_learns_from_the_trials_before(algorithm):
    a_study = study_of(algorithm, trials=200)
    before = searched(a_study, 3)
    earlier = [earlier_trial(number, *each) for number, each in enumerate(before, 1)]
    earlier.append(earlier_trial(201, before[0][0], None))

    def means(resumed: bool) -> float:
        sampler = sampler_of(a_study, 3, earlier if resumed else ())
        distances: list[float] = []
        for number in range(202, 222):
            suggestion = sampler.ask(number)
            assert suggestion is not None
            distances.append(statistics.fmean([*suggestion.point.values()][1:]))
            sampler.tell_score(number, zdt1(suggestion.point))
        return statistics.fmean(distances)

    # The front is where all values but the first are 0; new points are 0.5 away on average.
    assert means(resumed=True) < 0.3
    assert means(resumed=False) > 0.33


def test_nsga2_takes_one_objective_too():
    one, random = (study_of(name, objectives=objectives("minimize"), trials=200) for name in ("nsga2", "random"))

    def best(a_study: Study, seed: int) -> float:
        sampler, found = sampler_of(a_study, seed), []
        for number in range(1, 201):
            suggestion = sampler.ask(number)
            assert suggestion is not None
            found.append(sum(suggestion.point.values()))
            sampler.tell(number, found[-1])
        return min(found)

    assert max(best(one, seed) for seed in range(5)) < min(best(random, seed) for seed in range(5))
