"""One model of each engine: lint has nothing against what a study accepts, and modules are imported when used."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from render_examples import SETTINGS, study_of

from kftune.domains import IntUniform
from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.engines import ALGORITHMS, engine_of, search_problems
from kftune.katib.engines.search import Search, parameter_of
from kftune.katib.engines.settings import SEED
from kftune.render.algorithm import algorithm_spec
from kftune.study import Algorithm

NUMBERS = (-1, 0, 1, 2, 5, 9, 10**8, 0.0, 0.3, 0.5, 1.0, 2.5, 3.0, 1e-5, 1e300)
TEXTS = ("", "GP", "ET", "EI", "gp_hedge", "auto", "sampling", "none", "ipop", "/checkpoints", "x", "7", "epochs")
TYPED = [
    (algorithm, name, value)
    for algorithm in ALGORITHMS
    for name, setting in engine_of(algorithm).settings.items()
    for value in (*NUMBERS, *TEXTS)
    if name not in (SEED, "resource_name") and setting.values.has(value)
]
PARAMETERS = [
    {"name": name, "parameterType": "int", "feasibleSpace": {"min": "1", "max": "9"}} for name in ("epochs", "x")
]


def codes(algorithm, settings):
    spec = {
        "algorithm": {"algorithmName": algorithm, "algorithmSettings": settings},
        "parameters": PARAMETERS,
        "parallelTrialCount": 10**9,
        "maxTrialCount": None,
    }
    return {problem.code for problem in search_problems(spec, "0.19")} & {"KT214", "KT215", "KT216"}


def text_of(algorithm, name, value):
    """The settings of an Experiment in which a setting of a study has a value."""
    given = {**SETTINGS.get(algorithm, {}), name: value}
    return [{"name": key, "value": str(item)} for key, item in given.items()]


@pytest.mark.parametrize(("algorithm", "name", "value"), TYPED)
def test_lint_has_nothing_against_a_setting_that_a_study_accepts(algorithm, name, value):
    assert codes(algorithm, text_of(algorithm, name, value)) == set()


@pytest.mark.parametrize(
    ("algorithm", "name", "text", "code"),
    [
        ("tpe", "gamma", "1", "KT214"),
        ("tpe", "prior_weight", "inf", "KT215"),
        ("tpe", "n_EI_candidates", "100000000", "KT215"),
        ("tpe", SEED, str(2**32), "KT215"),
        ("multivariate-tpe", "n_ei_candidates", "0", "KT215"),
        ("bayesianoptimization", "n_initial_points", "0", "KT215"),
        ("bayesianoptimization", "base_estimator", "SVM", "KT214"),
        ("cmaes", SEED, "x", "KT215"),
        ("cmaes", "restart_strategy", "x", "KT215"),
        ("cmaes", "sigma", "nan", "KT215"),
        ("cmaes", "sigma0", "1", "KT216"),
        ("sobol", SEED, "1", "KT216"),
        ("hyperband", "eta", "1", "KT214"),
        ("hyperband", "r_l", "0", "KT214"),
        ("pbt", "n_population", "4", "KT214"),
        ("pbt", "resample_probability", "0.5", "KT214"),
    ],
)
def test_lint_reports_a_text_that_the_engine_cannot_use(algorithm, name, text, code):
    assert codes(algorithm, text_of(algorithm, name, text)) == {code}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_seed_is_rendered_exactly_if_the_engine_has_the_setting(algorithm):
    settings = [each["name"] for each in algorithm_spec(_study(algorithm)).get("algorithmSettings", [])]
    assert (SEED in settings) == engine_of(algorithm).seeded
    assert codes(algorithm, algorithm_spec(_study(algorithm)).get("algorithmSettings", [])) == set()


def _study(algorithm):
    return study_of({"x": IntUniform(1, 9), "y": IntUniform(1, 9)}, algorithm, seed=7)


def imported(code):
    """The modules of kftune, and pydantic, that a new process has imported after some code."""
    script = f"{code}\nimport sys\nprint(*[name for name in sys.modules if name.startswith(('kftune', 'pydantic'))])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_module_of_a_service_is_imported_when_one_of_its_algorithms_is_used():
    before = imported("import kftune.katib.engines")
    after = imported("from kftune.katib.engines import engine_of\nengine_of('sobol')")
    assert "kftune.katib.engines.goptuna" not in before
    services = {f"kftune.katib.engines.{name}" for name in ("hyperopt", "optuna", "skopt", "hyperband", "pbt")}
    assert after & services == set()
    assert "kftune.katib.engines.goptuna" in after


def test_lint_needs_neither_domains_nor_pydantic_for_an_engine():
    found = imported("from kftune.katib.engines import engine_of\n[engine_of(name) for name in ('tpe', 'grid', 'pbt')]")
    assert [name for name in found if name.startswith(("pydantic", "kftune.domains", "kftune.katib.admission"))] == []


def test_a_study_knows_every_algorithm():
    made = [Algorithm(name=name, settings=dict(SETTINGS.get(name, {}))).name for name in ALGORITHMS]
    assert made == list(ALGORITHMS)


def outcomes(algorithm: str, kind: str, distribution: str, version: KatibVersion) -> list[tuple[str, str]]:
    """Returns code and outcome of what an engine has against one parameter that many trials draw."""
    space = {"min": "1", "max": "1000", "step": "1" if algorithm == "grid" else "", "distribution": distribution}
    parameter = parameter_of(0, "x", kind, space)
    search = Search(algorithm, (), (parameter,), parallel=2, most=500, version=version)
    return [(found.code, found.outcome) for found in engine_of(algorithm).parameter_problems(search, parameter)]


REFUSED, IGNORED = ("KT206", "hangs"), ("KT207", "wrong")


@pytest.mark.parametrize(
    ("algorithm", "kind", "distribution", "before", "on_main"),
    [
        ("multivariate-tpe", "double", "normal", [REFUSED], [REFUSED]),
        ("grid", "int", "logNormal", [REFUSED], [REFUSED]),
        ("bayesianoptimization", "double", "uniform", [IGNORED], []),
        ("bayesianoptimization", "double", "logUniform", [], []),
        ("bayesianoptimization", "int", "logUniform", [IGNORED], []),
        ("bayesianoptimization", "double", "normal", [IGNORED], [REFUSED]),
        ("bayesianoptimization", "int", "logNormal", [IGNORED], [REFUSED]),
        ("cmaes", "double", "logUniform", [IGNORED], []),
        ("cmaes", "double", "normal", [], [REFUSED]),
        ("cmaes", "int", "logUniform", [IGNORED], [REFUSED]),
        ("sobol", "double", "logUniform", [IGNORED], []),
        ("sobol", "double", "logNormal", [IGNORED], [REFUSED]),
        ("random", "double", "logUniform", [], []),
    ],
)
def test_katibs_main_branch_draws_or_refuses_what_earlier_versions_ignore(
    algorithm, kind, distribution, before, on_main
):
    assert outcomes(algorithm, kind, distribution, "0.18") == before
    assert outcomes(algorithm, kind, distribution, "0.19") == before
    assert outcomes(algorithm, kind, distribution, "main") == on_main


def test_an_engine_draws_on_the_main_branch_what_it_has_nothing_against():
    space = {"min": "1", "max": "100", "distribution": "logUniform"}
    for algorithm, kind, draw in [
        ("bayesianoptimization", "double", {"loguniform": [1.0, 100.0]}),
        ("bayesianoptimization", "int", {"int": [1, 100], "log": True}),
        ("cmaes", "double", {"loguniform": [1.0, 100.0]}),
        ("sobol", "double", {"loguniform": [1.0, 100.0]}),
    ]:
        parameter = parameter_of(0, "x", kind, space)
        engine = engine_of(algorithm)
        found: Any = engine.read(Search(algorithm, (), (parameter,), parallel=2, most=5, version="main"), parameter)
        assert engine.draw(found) == draw, algorithm


@pytest.mark.parametrize(("most", "outcome"), [(4, "fails"), (None, "hangs")])
def test_a_grid_without_points_is_told_by_its_bounds_or_its_list(most, outcome):
    turned = {"name": "x", "parameterType": "int", "feasibleSpace": {"min": "9", "max": "1"}}
    empty = {"name": "y", "parameterType": "categorical", "feasibleSpace": {"list": []}}
    counts = {"parallelTrialCount": 2, "maxTrialCount": most}
    for parameter, code in ((turned, "KT202"), (empty, "KT203")):
        spec = {"algorithm": {"algorithmName": "grid"}, "parameters": [parameter, PARAMETERS[0]], **counts}
        found = [(each.code, each.outcome) for each in search_problems(spec, "0.19")]
        assert (code, outcome) in found
        assert "KT218" not in dict(found)
