"""`--as-katib`: what Katib's engines draw from a space, against recorded runs of them."""

from __future__ import annotations

from typing import Any

import pytest
from local_experiment import experiment, run
from local_study import trials_in
from recorded import cases

from kftune.errors import RunError
from kftune.katib.engines.declared import parameters_of
from kftune.katib.engines.sampling import engine_parameters
from kftune.local.experiment.parameters import ParameterSpace
from kftune.local.samplers import make_sampler
from kftune.study import Algorithm


def recorded(algorithm: str) -> list[dict[str, Any]]:
    """Recorded cases in which the engine gave suggestions, and went on to do so."""
    found = [case for case in cases("engines") if case["algorithm"] == algorithm and case.get("first_batch")]
    return [case for case in found if case["outcome"] != "hangs"]


def spec_of(case: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {**each, "feasibleSpace": {"distribution": "uniform", **each["feasibleSpace"]}} for each in case["parameters"]
    ]
    return {"parameters": parameters, "trialTemplate": {}}


def drawn(spec: dict[str, Any], algorithm: str, seed: int, count: int) -> list[dict[str, str]]:
    space = ParameterSpace(engine_parameters(spec, algorithm))
    sampler = make_sampler(space, Algorithm(name=algorithm), "minimize", seed, as_katib=True)
    found = [sampler.ask(number) for number in range(1, count + 1)]
    return [suggestion.assignment for suggestion in found if suggestion is not None]


def batches(case: dict[str, Any]) -> list[dict[str, str]]:
    return [dict(assignment) for assignment in case["first_batch"]]


def differing(cases: list[dict[str, Any]], algorithm: str) -> list[str]:
    """The cases whose recorded suggestions are not ours, text for text."""
    found = []
    for case in cases:
        wanted, state = batches(case), dict(case["settings"]).get("random_state", "0")
        try:
            given = drawn(spec_of(case), algorithm, int(state) if state.isdigit() else 0, len(wanted))
        except RunError:
            given = []
        if given != wanted:
            found.append(case["id"])
    return found


def test_grid_gives_the_very_cells_in_the_very_order():
    cases = [case for case in recorded("grid") if dict(case["settings"]).get("random_state", "").isdigit()]
    whole = [case for case in cases if all(len(batch) == len(case["parameters"]) for batch in batches(case))]
    assert len(whole) >= 20
    assert differing(whole, "grid") == []


def is_sensible(case: dict[str, Any]) -> bool:
    """Whether bounds and steps are numbers that a number of 64 bits holds, and steps lead somewhere."""
    spaces = [each["feasibleSpace"] for each in case["parameters"]]
    bounds = [abs(float(space[field])) for space in spaces for field in ("min", "max") if field in space]
    steps = [float(space["step"]) for space in spaces if space.get("step")]
    return all(bound < 2**62 for bound in bounds) and all(0 < step < 2**62 for step in steps)


def test_sobol_gives_the_very_points():
    cases = [case for case in recorded("sobol") if is_sensible(case)]
    assert len(cases) >= 200
    assert differing(cases, "sobol") == []


def space(name: str, kind: str, **feasible: Any) -> dict[str, Any]:
    given = {"name": name, "parameterType": kind, "feasibleSpace": {"distribution": "uniform", **feasible}}
    return {"parameters": [given], "trialTemplate": {}}


@pytest.mark.parametrize(
    ("algorithm", "given", "as_katib", "as_declared"),
    [
        ("random", space("x", "int", min="1", max="10", step="4"), {"0", "4", "8"}, {"1", "5", "9"}),
        (
            "random",
            space("x", "double", min="0.01", max="0.05", step="0.02"),
            {"0.02", "0.04"},
            {"0.01", "0.03", "0.05"},
        ),
        ("sobol", space("x", "int", min="1", max="4"), {"1", "2", "3"}, {"1", "2", "3", "4"}),
        (
            "sobol",
            space("x", "double", min="1", max="10", step="2.5"),
            {"1", "3.5", "6", "8.5", "11"},
            {"1.0", "3.5", "6.0", "8.5"},
        ),
        (
            "grid",
            space("x", "double", min="0.1", max="0.7", step="0.1"),
            {"0.1", "0.2", "0.30000000000000004", "0.4", "0.5", "0.6"},
            {"0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"},
        ),
    ],
)
def test_the_known_faults_are_there_when_asked_for_and_only_then(algorithm, given, as_katib, as_declared):
    found = {each["x"] for each in drawn(given, algorithm, 3, 64)}
    assert found == as_katib
    declared = ParameterSpace(parameters_of(given)[0])
    sampler = make_sampler(declared, Algorithm(name=algorithm), "minimize", 3)
    suggestions = [sampler.ask(number) for number in range(1, 65)]
    assert {suggestion.assignment["x"] for suggestion in suggestions if suggestion} == as_declared


def test_the_ends_of_integers_come_half_as_often_with_random():
    found = [each["x"] for each in drawn(space("x", "int", min="1", max="5"), "random", 1, 4000)]
    assert found.count("1") / 4000 == pytest.approx(1 / 8, abs=0.02)
    assert found.count("3") / 4000 == pytest.approx(1 / 4, abs=0.03)


def test_distributions_are_ignored_where_the_engine_ignores_them():
    log = space("x", "double", min="0.0001", max="1", distribution="logUniform")
    assert sum(float(each["x"]) < 0.01 for each in drawn(log, "sobol", 1, 100)) <= 2
    assert sum(float(each["x"]) < 0.01 for each in drawn(log, "random", 1, 100)) >= 35


@pytest.mark.parametrize(
    ("algorithm", "given", "told"),
    [
        ("multivariate-tpe", space("x", "double", min="0", max="1", distribution="normal"), "'x' out of every"),
        ("grid", space("x", "double", min="0", max="1"), "a double needs a step"),
        ("grid", space("x", "int", min="0", max="4", distribution="logUniform"), "fails at the point 0 or less"),
        ("bayesianoptimization", space("x", "double", min="0", max="1"), "a log scale, which has no 0"),
        ("random", space("x", "int", min="abc", max="1"), "min of 'x' must be a number for this engine, but is 'abc'"),
        ("hyperband", space("x", "int", min="1", max="9"), "works with random, grid, .*, but not with hyperband"),
    ],
)
def test_where_the_engine_makes_no_trial_there_is_none(algorithm, given, told):
    with pytest.raises(RunError, match=told):
        engine_parameters(given, algorithm)


def test_a_run_as_katib_may_repeat_points_and_keeps_its_results_apart(tmp_path):
    parameters = [
        {"name": "lr", "parameterType": "categorical", "feasibleSpace": {"list": ["1"]}},
        {"name": "units", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "2"}},
        {"name": "opt", "parameterType": "categorical", "feasibleSpace": {"list": ["a"]}},
    ]
    outcome, _ = run(experiment(trials=6, parameters=parameters), tmp_path / "as-katib", as_katib=True)
    assert (outcome.reason, outcome.counts) == ("MaxTrialsReached", {"Succeeded": 6})
    assert len({tuple(trial.assignment.values()) for trial in trials_in(tmp_path / "as-katib")}) == 2
    outcome, _ = run(experiment(trials=6, parameters=parameters), tmp_path / "declared")
    assert (outcome.reason, outcome.counts) == ("SearchSpaceExhausted", {"Succeeded": 2})
