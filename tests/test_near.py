"""Near names: what an unknown name was probably meant to be."""

from __future__ import annotations

import pytest

from kftune.domains import domain
from kftune.errors import near_names
from kftune.katib.engines import ALGORITHMS
from kftune.near import meant
from kftune.pipeline import PARAMETER_TYPES, ContainerStep
from kftune.spec.kind import STEP_KINDS

STEP_KEYS = [*ContainerStep.model_fields]


@pytest.mark.parametrize(
    ("written", "right"),
    [
        *[("TPE", "tpe"), ("Tpe", "tpe"), ("optuna", "tpe"), ("hyperopt", "tpe")],
        *[("bayes", "bayesianoptimization"), ("Bayesian", "bayesianoptimization"), ("BO", "bayesianoptimization")],
        *[("bayesian_optimization", "bayesianoptimization"), ("gaussian-process", "bayesianoptimization")],
        *[("grid_search", "grid"), ("GridSearch", "grid"), ("random_search", "random"), ("RandomSearch", "random")],
        *[
            ("CMA-ES", "cmaes"),
            ("cma_es", "cmaes"),
            ("PBT", "pbt"),
            ("asha", "hyperband"),
            ("multivariate", "multivariate-tpe"),
        ],
    ],
)
def test_an_algorithm_is_found_by_what_others_call_it(written, right):
    assert meant(written, ALGORITHMS) == [right]


@pytest.mark.parametrize(
    ("written", "right"),
    [
        *[("min", "minimize"), ("MIN", "minimize"), ("minimise", "minimize"), ("lower", "minimize")],
        *[("max", "maximize"), ("maximise", "maximize"), ("Maximize", "maximize"), ("higher", "maximize")],
    ],
)
def test_a_direction_is_found_by_what_others_call_it(written, right):
    assert meant(written, ["minimize", "maximize"]) == [right]


@pytest.mark.parametrize(
    ("written", "right"),
    [
        *[("log_uniform", "loguniform"), ("LogUniform", "loguniform"), ("categorical", "choice"), ("values", "choice")],
        *[
            ("gaussian", "normal"),
            ("float", "uniform"),
            ("randint", "int"),
            ("IntUniform", "int"),
            ("q_uniform", "quniform"),
        ],
    ],
)
def test_a_domain_is_found_by_what_others_call_it(written, right):
    assert meant(written, domain.KINDS) == [right]


@pytest.mark.parametrize(
    ("written", "known", "near"),
    [
        ("max_trails", ["budget.max_trials", "metrics"], ["budget.max_trials"]),
        ("epoch", ["epochs", "epoch_size", "units"], ["epochs", "epoch_size"]),
        ("nmae", ["name", "algorithm.name", "targets.katib.name"], ["name"]),
        ("learning-rate", ["learning_rate", "learning_rate_decay"], ["learning_rate"]),
        ("lr", ["learning_rate", "units"], ["learning_rate"]),
        ("seed", ["algorithm.seed", "seeds"], ["algorithm.seed"]),
        ("digit", ["digits", "toy"], ["digits"]),
        ("schedul", ["schedule", "schedule.cron"], ["schedule"]),
        ("budgets.max_trials", ["budget.max_trials", "budget.max_failed"], ["budget.max_trials"]),
        ("circuit", ["parameters.circuit.default"], ["parameters.circuit.default"]),
        ("zzz", ["epochs", "units"], []),
        ("", ["epochs"], []),
        ("--", ["epochs"], []),
    ],
)
def test_near_names_are_the_nearest_first(written, known, near):
    assert meant(written, known, keys=True) == near


def test_a_name_of_a_file_is_compared_as_a_whole():
    assert meant("study", ["study.yaml", "train.py"]) == ["study.yaml"]
    assert meant("pipelin.yaml", ["pipeline.yaml", "plants.yaml", "study.yaml"]) == ["pipeline.yaml"]


def test_a_hint_is_a_question_or_nothing():
    assert near_names("unit", ["units", "epochs"]) == "did you mean 'units'?"
    assert near_names("zzz", ["units", "epochs"]) == ""


@pytest.mark.parametrize(
    ("written", "known", "right"),
    [
        *[("training", STEP_KINDS, "train"), ("hpo", STEP_KINDS, "tune"), ("Container", STEP_KINDS, "container")],
        *[("preprocess", STEP_KINDS, "data"), ("eval", STEP_KINDS, "evaluate"), ("script", STEP_KINDS, "container")],
        *[
            ("string", PARAMETER_TYPES, "str"),
            ("integer", PARAMETER_TYPES, "int"),
            ("number", PARAMETER_TYPES, "float"),
        ],
        *[("json", PARAMETER_TYPES, "dict"), ("array", PARAMETER_TYPES, "list"), ("boolean", PARAMETER_TYPES, "bool")],
        *[("depends_on", STEP_KEYS, "after"), ("if", STEP_KEYS, "when"), ("loop", STEP_KEYS, "for_each")],
        *[("environment", STEP_KEYS, "env"), ("retry", STEP_KEYS, "retries"), ("cmd", STEP_KEYS, "command")],
    ],
)
def test_a_word_of_other_pipelines_is_found(written, known, right):
    assert meant(written, known) == [right]
