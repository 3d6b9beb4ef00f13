"""A study, and the Experiment that is rendered from it, choose the same values and reach the same result."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from typing import Any

import pytest
from local_study import trials_in
from places import ROOT

from kftune import (
    Choice,
    Discrete,
    Hparams,
    IntUniform,
    LogNormal,
    LogUniform,
    Normal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    ReverseLogUniform,
    Uniform,
    yaml_text,
)
from kftune.katib.admission import admit
from kftune.katib.engines.declared import parameters_of
from kftune.katib.go.reading import read
from kftune.katib.trial.substitution import run_object
from kftune.local import run_study
from kftune.local.experiment import run_experiment
from kftune.local.experiment.algorithm import algorithm_of
from kftune.local.experiment.parameters import ParameterSpace
from kftune.local.samplers import make_sampler
from kftune.render import render
from kftune.study import Study, load_study, study_from_dict

SEED = 7
ALGORITHMS = ("random", "grid", "sobol", "tpe", "multivariate-tpe", "cmaes", "bayesianoptimization")
FINITE = {
    "quniform": QUniform(0, 1, 0.1),
    "integer": IntUniform(-3, 6),
    "stepped": IntUniform(1, 30, step=4),
    "logged": IntUniform(1, 12, log=True),
    "choice": Choice("a", "b", 'it\'s "c"'),
    "weighted": Choice("a", "b", "c", weights=(1, 2, 3)),
    "mixed": Choice("x", None, 1, True, [1, 2], {"k": 1}),
    "discrete": Discrete(1, 10, 2.5),
    "qnormal": QNormal(0, 2, 0.5, low=-4, high=4),
    "qlog": QLogUniform(1, 20, 0.5),
    "one": Choice("only"),
}
ENDLESS = {
    "uniform": Uniform(-1, 1),
    "log": LogUniform(1e-5, 1e-1),
    "reverse": ReverseLogUniform(0.5, 0.999),
    "normal": Normal(0, 1),
    "far": Normal(0.1, 0.03),
    "cut": Normal(0, 1, low=0.5, high=2),
    "lognormal": LogNormal(0, 1),
    "qlognormal": QLogNormal(1, 1, 0.25),
}
DOMAINS = {**FINITE, **ENDLESS}


class Anything(Hparams):
    """Fields that take any value of a domain."""

    x: Any = None
    y: Any = None
    z: Any = None


def study_of(domains: dict[str, Any], algorithm: str, **parts: Any) -> Study:
    settings = {"n_initial_points": 4} if algorithm == "bayesianoptimization" else {}
    return study_from_dict(
        {
            "name": "twice",
            "hparams": Anything,
            "search": domains,
            "objective": {"metric": "loss", "direction": "minimize"},
            "algorithm": {"name": algorithm, "seed": SEED, "settings": settings},
            "budget": {"max_trials": 2000, "parallel": 2},
            "step": {"image": "registry.example/x:1", "command": ["train"]},
            **parts,
        }
    )


def loss_of(hparams: Hparams) -> float:
    """Something to learn from, the same for the same values."""
    total = 0.0
    for value in hparams.to_dict().values():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        total += (value - 0.3) ** 2 if number else len(json.dumps(value)) / 10
    return total


def drawn_by_study(a_study: Study, count: int) -> list[Hparams]:
    sampler = make_sampler(a_study, a_study.algorithm, a_study.objective.direction, SEED, parallel=2)
    found = []
    for number in range(1, count + 1):
        suggestion = sampler.ask(number)
        if suggestion is None:
            break
        found.append(a_study.hparams.from_assignments(suggestion.assignment))
        sampler.tell(number, loss_of(found[-1]))
    return found


def drawn_by_experiment(a_study: Study, count: int) -> list[Hparams]:
    """What the containers of the rendered Experiment's trials get, through the same texts as on a cluster."""
    experiment: Any = read(yaml_text.dump_all(render(a_study, "katib").documents))
    verdict = admit(experiment)
    assert verdict.admitted, verdict.reasons
    assert verdict.spec is not None
    spec = verdict.spec
    algorithm, _ = algorithm_of(spec, SEED)
    space = ParameterSpace(parameters_of(spec)[0])
    sampler = make_sampler(space, algorithm, "minimize", SEED, parallel=2)
    found = []
    for number in range(1, count + 1):
        suggestion = sampler.ask(number)
        if suggestion is None:
            break
        run = run_object({"spec": spec}, list(suggestion.assignment.items()), name="t", namespace="n")
        script = run["spec"]["template"]["spec"]["containers"][0]["args"][0]
        found.append(a_study.hparams.from_args(shlex.split(script)[1:]))
        sampler.tell(number, loss_of(found[-1]))
    return found


def same(one: Sequence[Hparams], other: Sequence[Hparams], rounding: float = 0.0) -> bool:
    def alike(left: Any, right: Any) -> bool:
        numbers = isinstance(left, float) and isinstance(right, float)
        return bool(left == right or (numbers and math.isclose(left, right, rel_tol=rounding, abs_tol=rounding)))

    return len(one) == len(other) and all(
        alike(left, right)
        for first, second in zip(one, other, strict=True)
        for left, right in zip(first.to_dict().values(), second.to_dict().values(), strict=True)
    )


def length(algorithm: str) -> int:
    return 8 if algorithm == "bayesianoptimization" else 30


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        *((algorithm, name) for algorithm in ("random", "sobol") for name in DOMAINS),
        *(("grid", name) for name in DOMAINS if name not in ENDLESS),
    ],
)
def test_what_does_not_learn_draws_the_same(algorithm, name):
    other = IntUniform(1, 4)
    a_study = study_of({"x": DOMAINS[name], "y": other, "z": Choice("p", "q")}, algorithm)
    found = drawn_by_experiment(a_study, 40)
    assert found
    assert same(drawn_by_study(a_study, 40), found)


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe", "cmaes"])
@pytest.mark.parametrize("name", DOMAINS)
def test_what_learns_chooses_the_same(algorithm, name):
    domains = {"x": DOMAINS[name], "y": Uniform(0, 2), "z": LogUniform(0.1, 10)}
    a_study = study_of(domains, algorithm)
    found = drawn_by_experiment(a_study, 30)
    assert len(found) == 30
    assert same(drawn_by_study(a_study, 30), found)


@pytest.mark.parametrize("encoding", ["native", "encoded"])
@pytest.mark.parametrize("algorithm", ["random", "sobol", "grid"])
def test_the_encoding_changes_nothing_for_what_does_not_learn(algorithm, encoding):
    # Not texts: in a field of any type they are JSON with quotes, which need a token.
    domains = {"x": IntUniform(0, 3), "y": Choice(0.5, 2), "z": IntUniform(1, 30, step=4)}
    found = drawn_by_experiment(study_of(domains, algorithm, targets={"katib": {"encoding": encoding}}), 40)
    assert same(drawn_by_study(study_of(domains, algorithm), 40), found)


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe", "cmaes"])
def test_numbers_that_stand_for_values_change_nothing_but_the_last_digits_for_what_learns(algorithm):
    domains = {"x": Uniform(-1, 3), "y": LogUniform(1e-4, 1), "z": IntUniform(1, 5)}
    found = drawn_by_experiment(study_of(domains, algorithm, targets={"katib": {"encoding": "encoded"}}), 30)
    assert same(drawn_by_study(study_of(domains, algorithm), 30), found, rounding=1e-9)


@pytest.mark.parametrize("name", ["log", "choice", "discrete", "integer"])
def test_a_gaussian_process_chooses_the_same_where_no_number_stands_for_a_continuous_value(name):
    pytest.importorskip("torch")
    a_study = study_of({"x": DOMAINS[name], "y": LogUniform(1, 10)}, "bayesianoptimization")
    assert same(drawn_by_study(a_study, 8), drawn_by_experiment(a_study, 8))


def test_a_gaussian_process_begins_within_a_millionth_where_numbers_stand_for_continuous_values():
    pytest.importorskip("torch")
    a_study = study_of({"x": Uniform(0, 1), "y": Uniform(0, 1)}, "bayesianoptimization")
    assert same(drawn_by_study(a_study, 4), drawn_by_experiment(a_study, 4), rounding=2e-6)


STAND_IN = """
import json, sys
from kftune.hparams.models.lstm import LstmHparams
hparams = LstmHparams.from_args(sys.argv[2:])
print("given", json.dumps(hparams.to_dict()))
for epoch in range(3):
    loss = (hparams.learning_rate * 300 - 1) ** 2 + hparams.lstm_units / 1000 + hparams.batch_size / 5000
    loss += 0.1 / (epoch + 1)
    print(f"step={epoch} val_loss={loss} val_mae={loss / 2} train_loss={loss * 2}")
"""


@pytest.mark.parametrize(
    "changes",
    [
        ["algorithm.name=multivariate-tpe"],
        ["algorithm.name=random", "~algorithm.settings", "objective.goal=0.2"],
        ["algorithm.name=cmaes", "~algorithm.settings", "search.dropout={uniform: [0, 0.5]}"],
        [
            "algorithm.name=tpe",
            "~algorithm.settings",
            "search.layers={int: [1, 4]}",
            "search.dropout={normal: [0.2, 0.05], low: 0, high: 0.9}",
        ],
    ],
    ids=["demo", "random", "cmaes", "tpe"],
)
def test_the_demo_runs_the_same_as_study_and_as_experiment(tmp_path, changes):
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    place = tmp_path / "study.yaml"
    place.write_bytes((ROOT / "pipelines" / "circuits" / "demo.yaml").read_bytes())
    a_study = load_study(place, ["step.module=stand_in", "budget.parallel=1", "budget.max_trials=8", *changes])
    experiment: Any = read(yaml_text.dump_all(render(a_study, "katib").documents))
    first = run_study(a_study, tmp_path / "study", study_path=place)
    second = run_experiment(experiment, tmp_path / "experiment", place=place, seed=SEED)
    assert first.best is not None
    assert second.best is not None
    assert (first.state, first.reason, first.counts) == (second.state, second.reason, second.counts)
    pairs = list(zip(trials_in(tmp_path / "study"), trials_in(tmp_path / "experiment"), strict=True))
    assert pairs
    for one, other in pairs:
        logs = [
            (tmp_path / folder / "logs" / f"{trial.name}.log").read_text()
            for folder, trial in (("study", one), ("experiment", other))
        ]
        assert logs[0] == logs[1]
        assert (one.state, one.objective) == (other.state, other.objective)
        assert {name: values[:3] for name, values in one.metrics.items()} == {
            name: values[:3] for name, values in other.metrics.items()
        }
    assert (first.best.name, first.best.objective) == (second.best.name, second.best.objective)
